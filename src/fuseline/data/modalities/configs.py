"""Configurations of Transformers networks, as an output may carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def portable(config: PretrainedConfig) -> dict[str, Any]:
    """The configuration as a dict, without the folder that it came from: the same network gives
    the same bytes wherever its files lie."""
    content: dict[str, Any] = config.to_dict()
    content.pop("_name_or_path", None)
    content.pop("transformers_version", None)
    return content
