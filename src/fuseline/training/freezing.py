"""Which parameters a fine-tuning policy trains."""

from __future__ import annotations

from typing import Any

from fuseline.errors import ConfigError
from fuseline.params.finetune import FreezingParams

BACKBONE = "fuseline."


def apply_freezing(model: Any, params: FreezingParams) -> dict[str, int]:
    """Set `requires_grad` by policy; the image encoder is always frozen.

    Args:
        model: a task model with a `fuseline` backbone.
        params: `all` freezes the encoders; `head` all but the task's head; `top_k` the encoder
            but its last k layers; `none` nothing.

    Returns:
        `trainable_parameters` and `total_parameters`.

    Raises:
        ConfigError: `top_k` above the encoder's number of layers, or layers of an unknown name.
    """
    encoder = model.fuseline.text_encoder
    layers = encoder.config.num_hidden_layers if encoder is not None else 0
    if params.policy == "top_k" and params.top_k > layers:
        raise ConfigError(
            f"finetune.freezing.top_k: the text encoder has {layers} layers, found {params.top_k}."
        )
    top = {f".layer.{layers - k - 1}." for k in range(params.top_k)}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_trains(name, params.policy, top))
    if params.policy == "top_k" and top and not _trained_text(model):
        raise ConfigError(
            "finetune.freezing.policy: found no layers named `layer.<n>` in this text encoder, so"
            " 'top_k' cannot choose any. Use 'all' or 'none'."
        )
    return {
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "total_parameters": sum(p.numel() for p in model.parameters()),
    }


def _trained_text(model: Any) -> list[str]:
    named = model.named_parameters()
    return [name for name, p in named if ".text_encoder." in name and p.requires_grad]


def freeze_image_encoder(model: Any) -> None:
    """Freeze what ran once, before training: its outputs are the features."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".image_encoder." not in name)


def _trains(name: str, policy: str, top: set[str]) -> bool:
    if ".image_encoder." in name:
        return False
    if policy == "head":
        return not name.startswith(BACKBONE)
    if ".text_encoder." in name:
        if policy == "top_k":
            return any(layer in f".{name}" for layer in top)
        return policy == "none"
    return True
