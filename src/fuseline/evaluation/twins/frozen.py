"""What the twins see of rows: features of the frozen encoders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fuseline.contracts import read_manifest
from fuseline.data.dataset import MultimodalData
from fuseline.data.modalities.image.networks import missing_layers, whole_features
from fuseline.data.modalities.text.encoder import embed_texts
from fuseline.evaluation.twins.classification import Block, feature_blocks
from fuseline.params.base import BaseParams

TEXTS_AT_ONCE = 256


def frozen_blocks(
    tokenizer: Path, features: Path, data: MultimodalData, base: BaseParams
) -> dict[str, Block]:
    """Blocks of the modalities that take part.

    Args:
        tokenizer: names the frozen text encoder.
        features: folder with one features table per modality; of pictures the whole encoder's are
            seen, whatever part of it a model trains.
        data: rows of all splits.
        base: modalities, and the precision of the text encoder.
    """
    vectors: np.ndarray | None = None
    if "text" in base.modalities:
        vectors = embed_texts(tokenizer, data.input_ids, TEXTS_AT_ONCE, base.precision)
    found = dict(data.features)
    if "image" in found:
        top = missing_layers(read_manifest(features / "image", "features"))
        present = data.feature_mask["image"]
        found["image"] = whole_features(top, found["image"], present, base.precision)
    return feature_blocks(replace(data, features=found), vectors)
