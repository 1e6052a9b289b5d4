"""A new model from the artefacts of earlier stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from fuseline.contracts import read_manifest
from fuseline.errors import ContractError
from fuseline.modalities.configs import portable
from fuseline.modalities.image_encoder import build_image_encoder
from fuseline.modalities.text_encoder import load_text_encoder, special_token_ids, text_config
from fuseline.model.configuration import FuselineConfig
from fuseline.model.modeling import FuselineForPreTraining, FuselineModel, ModalityEmbedding
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
    """
    manifests = {
        name: read_manifest(features / name, "features") for name in modalities if name != "text"
    }
    config = _config(params, tokenizer_folder, manifests)
    model = FuselineForPreTraining(config)
    backbone: FuselineModel = model.fuseline
    backbone.text_encoder.load_state_dict(load_text_encoder(tokenizer_folder).state_dict())
    _identity(cast(ModalityEmbedding, backbone.embeddings["text"]).project)
    if "image" in manifests:
        image = manifests["image"]
        encoder = build_image_encoder(image["encoder"], _grid(image), weights=True)
        if encoder.revision != image["revision"]:
            raise ContractError(
                f"{features / 'image'}: made by other weights than '{image['encoder']}' has now."
                " Run `dvc repro --force extract_features@image`."
            )
        assert backbone.image_encoder is not None  # the features' manifest names one
        backbone.image_encoder.load_state_dict(encoder.state_dict())
    return model


def _config(
    params: ModelParams, tokenizer_folder: Path, manifests: dict[str, dict[str, Any]]
) -> FuselineConfig:
    return FuselineConfig(
        text_config=portable(text_config(tokenizer_folder)),
        features={
            name: {"positions": manifest["shape"][0], "dim": manifest["shape"][1]}
            for name, manifest in manifests.items()
        },
        image_encoder=_image_encoder(manifests["image"]) if "image" in manifests else None,
        hidden_size=params.hidden_size,
        fusion=params.fusion.model_dump(),
        contrastive_size=params.contrastive_size,
        special_tokens=special_token_ids(tokenizer_folder),
    )


def _image_encoder(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a saved model needs to build the encoder again; never the path of a folder."""
    return {
        "name": "transformers" if manifest["config"] else manifest["encoder"],
        "grid": _grid(manifest),
        "image_size": manifest["image_size"],
        "config": manifest["config"],
    }


def _grid(manifest: dict[str, Any]) -> int:
    return math.isqrt(manifest["shape"][0])


def _identity(layer: nn.Linear) -> None:
    """Start a square projection as the identity, so that the encoder's states pass unharmed."""
    if layer.in_features == layer.out_features:
        with torch.no_grad():
            layer.weight.copy_(torch.eye(layer.in_features))
