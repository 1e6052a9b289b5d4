"""How raw inputs become what a model's graph takes, and the graphs of the media encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fuseline.contracts import read_manifest
from fuseline.data.modalities.audio.log_mel import LOG_MEL
from fuseline.data.modalities.checkpoints import encoder_key
from fuseline.data.modalities.image.networks import build_image_encoder
from fuseline.learning.model import FuselineConfig, FuselineForTasks, FuselineProcessor
from fuseline.serving.contract import FeatureInput, TextInput
from fuseline.serving.exporting.graphs import shortest, write_encoder_graph

TOKENIZER = "tokenizer.json"
# By what a features table's manifest says, and prediction needs too.
SETTINGS = {
    "image": ("image_size",),
    "video": ("image_size", "num_frames"),
    "audio": ("sampling_rate", "num_mels"),
    "tabular": ("columns",),
}


def text_input(config: FuselineConfig, model: Path) -> TextInput | None:
    """How the model's texts become tokens; None for a model without text."""
    if "text" not in config.modalities:
        return None
    return TextInput(
        tokenizer=TOKENIZER,
        max_length_tokens=FuselineProcessor.from_pretrained(model).max_length_tokens,
        pad_token_id=config.special_tokens["pad"],
    )


def feature_inputs(
    model: FuselineForTasks, features: Path, folder: Path
) -> dict[str, FeatureInput]:
    """Each modality beside text, by name; writes the graphs of those that a network encodes.

    Pictures and frames have graphs. Spectra and cells need none. A Transformers network over
    sounds has none either: where it is asked for, the predictor needs torch and the network itself.
    """
    return {
        name: _feature_input(model, name, read_manifest(features / name, "features"), folder)
        for name in sorted(model.config.features)
    }


def _feature_input(
    model: FuselineForTasks, name: str, manifest: dict[str, Any], folder: Path
) -> FeatureInput:
    shape = model.config.features[name]
    file = f"{name}.onnx" if name in ("image", "video") and manifest["encoder"] else None
    if file:
        # Of pictures the model has the encoder itself; frames have one position each.
        encoder = model.fuseline.image_encoder if name == "image" else None
        if encoder is None:
            where = encoder_key("video")
            encoder = build_image_encoder(manifest["encoder"], 1, weights=True, where=where)
        write_encoder_graph(encoder, manifest["image_size"], folder / file)
    return FeatureInput(
        positions=shape["positions"],
        dim=shape["dim"],
        shortest=shortest(model.config, name),
        places=shape.get("places", 1),
        encoder=_encoder_name(manifest),
        file=file,
        settings={key: manifest[key] for key in SETTINGS[name] if key in manifest},
    )


def _encoder_name(manifest: dict[str, Any]) -> str:
    """Never the path of a folder, but for a network that has no graph."""
    named = manifest["modality"] != "audio" or manifest["encoder"] == LOG_MEL
    return "transformers" if named and manifest["config"] else str(manifest["encoder"])
