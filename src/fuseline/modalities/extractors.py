"""Which modalities a frozen encoder turns into features; each is a cell of the stage's matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuseline.modalities.image import extract_image_features

EXTRACTORS: dict[str, Callable[..., dict[str, Any]]] = {
    "image": extract_image_features,
}
