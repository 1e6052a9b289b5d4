"""A new model from the artefacts of earlier stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from fuseline.contracts import read_manifest
from fuseline.data.modalities.checkpoints import portable
from fuseline.data.modalities.image.networks import parts_of
from fuseline.data.modalities.text.encoder import load_text_encoder, special_token_ids, text_config
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.feature_encoders import TopEncoder
from fuseline.learning.model.modeling import (
    FuselineForPreTraining,
    FuselineModel,
    ModalityEmbedding,
)
from fuseline.params.pretrain import ModelParams


def create_model(
    params: ModelParams, tokenizer_folder: Path, features: Path, modalities: Sequence[str]
) -> FuselineForPreTraining:
    """Build the model: encoders with their pre-trained weights, the rest drawn at random.

    Args:
        params: width and fusion.
        tokenizer_folder: names the text encoder.
        features: folder with one features table per modality, whose manifests give shapes and
            the image encoder.
        modalities: those that take part.

    Raises:
        ContractError: the image features were made by other weights than the encoder has now.
    """
    manifests = {
        name: read_manifest(features / name, "features") for name in modalities if name != "text"
    }
    model = FuselineForPreTraining(
        FuselineConfig(
            text_config=portable(text_config(tokenizer_folder)) if "text" in modalities else {},
            features={name: _feature(manifest) for name, manifest in manifests.items()},
            image_encoder=_image_encoder(manifests.get("image")),
            hidden_size=params.hidden_size,
            fusion=params.fusion.model_dump(),
            contrastive_size=params.contrastive_size,
            special_tokens=special_token_ids(tokenizer_folder),
        )
    )
    backbone: FuselineModel = model.fuseline
    if backbone.text_encoder is not None:
        backbone.text_encoder.load_state_dict(load_text_encoder(tokenizer_folder).state_dict())
        _identity(cast(ModalityEmbedding, backbone.embeddings["text"]).project)
    if backbone.image_encoder is not None:
        below, top = parts_of(manifests["image"])
        backbone.image_encoder.load_state_dict(below.state_dict())
        if top is not None:
            held = cast(ModalityEmbedding, backbone.embeddings["image"]).encoder
            cast(TopEncoder, held).top.load_state_dict(top.state_dict())
    return model


def _feature(manifest: dict[str, Any]) -> dict[str, Any]:
    """Shape of a modality's features, and the encoder of their own that they need."""
    positions, dim = manifest["shape"]
    shape = {"positions": positions, "dim": dim}
    # Configurations of models that take one picture a row stay as they were before there were more.
    if "places" in manifest:
        shape["places"] = manifest["places"]
    encoder = _own_encoder(manifest)
    return shape | ({"encoder": encoder} if encoder else {})


def _own_encoder(manifest: dict[str, Any]) -> str:
    """Spectra and table cells have been through no network yet."""
    if manifest["modality"] == "tabular":
        return "perceptron"
    return "conv" if manifest["encoder"] == "log_mel" else ""


def _image_encoder(manifest: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a saved model needs to build the encoder again; never the path of a folder.

    None without pictures: the modality takes no part, or no row has one.
    """
    if manifest is None or not manifest["encoder"]:
        return None
    return {
        "name": "transformers" if manifest["config"] else manifest["encoder"],
        "grid": manifest["grid"],
        "top_layers": manifest["top_layers"],
        "image_size": manifest["image_size"],
        "config": manifest["config"],
    }


def _identity(layer: nn.Linear) -> None:
    """Start a square projection as the identity, so that the encoder's states pass unharmed."""
    if layer.in_features == layer.out_features:
        with torch.no_grad():
            layer.weight.copy_(torch.eye(layer.in_features))
