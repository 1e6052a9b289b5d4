"""Which modalities a stage turns into features; each is a cell of the stage's matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuseline.data.modalities.audio.features import extract_audio_features
from fuseline.data.modalities.image.features import extract_image_features
from fuseline.data.modalities.tabular.features import extract_tabular_features
from fuseline.data.modalities.video.features import extract_video_features

EXTRACTORS: dict[str, Callable[..., dict[str, Any]]] = {
    "image": extract_image_features,
    "audio": extract_audio_features,
    "video": extract_video_features,
    "tabular": extract_tabular_features,
}
