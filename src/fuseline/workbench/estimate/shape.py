"""The model and the tables that params and rows make, as far as arithmetic and bytes hang on them.

Arithmetic is counted in 10^9 multiply-adds of a row's forward pass (`gmac`): 12 squared widths a
layer and position, as in any Transformer layer whose inner width is four times its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fuseline.params.finetune import FreezingParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.workbench.estimate.asked import Asked
from fuseline.workbench.estimate.facts import Facts

GIGA, MEGA = 1e9, 1e6
FLOAT_BYTES, FEATURE_BYTES = 4, 2
WEIGHTS_A_LAYER = 12.0
# Layers, width and vocabulary of the text encoder that comes as a package.
MINILM = (6, 384, 30522)
# Of EfficientNet-lite0 for a picture of so many pixels a side; and the width of its features.
PICTURE_GMAC, PICTURE_SIDE, PICTURE_WIDTH = 0.41, 224, 1280
COLOURS = 3
# Numbers of a row's table columns, whose number is known only once they are read.
TABULAR_VALUES = 32.0


@dataclass(frozen=True)
class Shape:
    """Of one run.

    Attributes:
        asked: the params.
        facts: the rows.
    """

    asked: Asked
    facts: Facts

    @property
    def weights_mb(self) -> float:
        """10^6 bytes of the model in float32."""
        _, width, vocabulary = self.text_encoder
        count = vocabulary * width + self.encoder_weights + self.fusion_weights
        return FLOAT_BYTES * count / MEGA

    @cached_property
    def text_encoder(self) -> tuple[int, int, int]:
        """Layers, width and vocabulary."""
        return _text_encoder(self.asked.tokenize, self.facts.encoder)

    @property
    def encoder_weights(self) -> float:
        """Of the text encoder's layers."""
        layers, width, _ = self.text_encoder
        return WEIGHTS_A_LAYER * layers * width**2

    @property
    def fusion_weights(self) -> float:
        """Of the layers above the encoders."""
        model = self.asked.pretrain.model
        return WEIGHTS_A_LAYER * model.fusion.num_layers * model.hidden_size**2

    def text_gmac(self, longer: float = 0.0) -> float:
        """Of one text's pass through the text encoder, by so many tokens longer."""
        if "text" not in self.asked.base.modalities:
            return 0.0
        return (self.facts.tokens + longer) * self.encoder_weights / GIGA

    def fusion_gmac(self, longer: float = 0.0) -> float:
        """Of one row's pass through all that lies above the encoders."""
        shares = {name: self.held(name) / max(self.facts.rows, 1.0) for name in self.facts.held}
        positions = shares.pop("text") * (self.facts.tokens + longer)
        positions += sum(share * self.positions(name) for name, share in shares.items())
        width = self.asked.pretrain.model.hidden_size
        projected = sum(share * self.values(name) * width for name, share in shares.items())
        return (positions * self.fusion_weights + projected) / GIGA

    def row_gmac(self, longer: float = 0.0) -> float:
        """Of one row's pass through the model."""
        return self.text_gmac(longer) + self.fusion_gmac(longer)

    def picture_gmac(self, modality: str) -> float:
        """Of one picture or frame; an encoder in a folder counts as the one that comes along."""
        params = self.asked.extract_features
        of = params.video if modality == "video" else params.image
        if of.encoder == "patches":
            return 0.0
        return PICTURE_GMAC * (of.image_size / PICTURE_SIDE) ** 2

    def trained_share(self, freezing: FreezingParams) -> float:
        """How much of the text encoder gradients pass through."""
        layers = self.text_encoder[0]
        shares = {"none": 1.0, "lora": 0.5, "top_k": min(freezing.top_k / max(layers, 1), 1.0)}
        return shares.get(freezing.policy, 0.0)

    def held(self, modality: str) -> float:
        """Rows with a modality that takes part."""
        taking_part = modality in self.asked.base.modalities
        return self.facts.held[modality] if taking_part else 0.0

    def positions(self, modality: str) -> int:
        """Of a row's features."""
        params = self.asked.extract_features
        return {
            "image": params.image.grid**2,
            "audio": params.audio.positions,
            "video": params.video.num_frames,
        }.get(modality, 1)

    def values(self, modality: str) -> float:
        """Numbers of a row's features."""
        params = self.asked.extract_features
        if modality == "audio":
            return float(params.audio.positions * params.audio.num_mels)
        if modality not in ("image", "video"):
            return TABULAR_VALUES
        of = params.image if modality == "image" else params.video
        side = of.image_size / (params.image.grid if modality == "image" else 1)
        width = COLOURS * side**2 if of.encoder == "patches" else PICTURE_WIDTH
        return self.positions(modality) * width

    def data_mb(self) -> float:
        """10^6 bytes of all features in memory."""
        names = [name for name in self.asked.base.modalities if name != "text"]
        values = sum(self.held(name) * self.values(name) for name in names)
        return FEATURE_BYTES * values / MEGA

    def fits_gmac(self) -> float:
        """Of one round of a linear model of all features, and of one of each modality alone."""
        widths = [
            self.text_encoder[1] if name == "text" else self.values(name) / self.positions(name)
            for name in self.asked.base.modalities
            if self.held(name)
        ]
        return self.facts.splits["train"] * 2 * sum(widths) * self.facts.labels / GIGA


def _text_encoder(params: TokenizeParams, chosen: str | None) -> tuple[int, int, int]:
    """Layers, width and vocabulary; one in a folder that does not tell them counts as the one that
    comes along, and so does `auto` where nothing was `chosen` yet."""
    encoder = chosen or params.encoder if params.encoder == "auto" else params.encoder
    if encoder == "scratch":
        own = params.scratch
        return own.num_layers, own.hidden_size, own.vocab_size
    if encoder == "characters":
        return 0, params.characters.hidden_size, params.characters.vocab_size
    try:
        told = json.loads((Path(encoder) / "config.json").read_text(encoding="utf-8"))
        return told["num_hidden_layers"], told["hidden_size"], told["vocab_size"]
    except (OSError, ValueError, KeyError):
        return MINILM
