"""Which parameters a fine-tuning policy trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from fuseline.errors import ConfigError
from fuseline.params.finetune import FreezingParams
from fuseline.training.groups import ADAPTER, TEXT_ENCODER

BACKBONE = "fuseline."


def apply_freezing(model: Any, params: FreezingParams) -> dict[str, int]:
    """Set `requires_grad` by policy; the image encoder is always frozen.

    Args:
        model: a task model with a `fuseline` backbone.
        params: `all` freezes the encoders; `head` all but the task's head; `top_k` the encoder
            but its last k layers; `lora` the encoder but the adapters that are in it by now;
            `none` nothing.

    Returns:
        `trainable_parameters` and `total_parameters`, and as many of the text encoder alone (0
        without one): `encoder_trainable_parameters` and `encoder_parameters`. Adapters count
        among the trainable ones only: they are no part of the saved model.

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
    whole, text = _Counts.of(model), _Counts.of(encoder)
    return {
        "trainable_parameters": whole.trainable,
        "total_parameters": whole.total,
        "encoder_trainable_parameters": text.trainable,
        "encoder_parameters": text.total,
    }


@dataclass(frozen=True)
class _Counts:
    trainable: int
    total: int

    @classmethod
    def of(cls, module: nn.Module | None) -> _Counts:
        named = [] if module is None else list(module.named_parameters())
        return cls(
            trainable=sum(p.numel() for _, p in named if p.requires_grad),
            total=sum(p.numel() for name, p in named if ADAPTER not in name),
        )


def _trained_text(model: Any) -> list[str]:
    named = model.named_parameters()
    return [name for name, p in named if TEXT_ENCODER in name and p.requires_grad]


def freeze_image_encoder(model: Any) -> None:
    """Freeze what ran once, before training: its outputs are the features."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".image_encoder." not in name)


def _trains(name: str, policy: str, top: set[str]) -> bool:
    if ".image_encoder." in name:
        return False
    if policy == "head":
        return not name.startswith(BACKBONE)
    if TEXT_ENCODER in name:
        if policy == "top_k":
            return any(layer in f".{name}" for layer in top)
        return policy == "none" or ADAPTER in name
    return True
