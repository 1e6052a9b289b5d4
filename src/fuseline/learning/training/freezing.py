"""Which parameters a fine-tuning policy trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from fuseline.errors import ConfigError
from fuseline.learning.model.feature_encoders import TopEncoder
from fuseline.learning.training.groups import ADAPTER, IMAGE_ENCODER, IMAGE_TOP, TEXT_ENCODER
from fuseline.params.finetune import FreezingParams

BACKBONE = "fuseline."


def apply_freezing(model: Any, params: FreezingParams) -> dict[str, int]:
    """Set `requires_grad` by policy; of the image encoder, what ran once is always frozen.

    Args:
        model: a task model with a `fuseline` backbone, adapters already in it.
        params: the policies.

    Returns:
        `trainable_parameters` and `total_parameters`, and as many of the text encoder alone (0
        without one): `encoder_trainable_parameters` and `encoder_parameters`; of the whole image
        encoder `image_encoder_trainable_parameters` and `image_encoder_parameters`. Adapters count
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
        parameter.requires_grad_(_trains(name, params, top))
    if params.policy == "top_k" and top and not _trained_text(model):
        raise ConfigError(
            "finetune.freezing.policy: found no layers named `layer.<n>` in this text encoder, so"
            " 'top_k' cannot choose any. Use 'all' or 'none'."
        )
    whole, text = _Counts.of(model), _Counts.of(encoder)
    below, held = _Counts.of(model.fuseline.image_encoder), _Counts.of(image_top(model))
    return {
        "trainable_parameters": whole.trainable,
        "total_parameters": whole.total,
        "encoder_trainable_parameters": text.trainable,
        "encoder_parameters": text.total,
        "image_encoder_trainable_parameters": held.trainable,
        "image_encoder_parameters": below.total + held.total,
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


def image_top(model: Any) -> nn.Module | None:
    """The image layers that the model holds to train them, if any."""
    embeddings = model.fuseline.embeddings
    encoder = embeddings["image"].encoder if "image" in embeddings else None
    return encoder if isinstance(encoder, TopEncoder) else None


def _trained_text(model: Any) -> list[str]:
    named = model.named_parameters()
    return [name for name, p in named if TEXT_ENCODER in name and p.requires_grad]


def freeze_image_encoder(model: Any) -> None:
    """Freeze what ran once, before training: its outputs are the features."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(IMAGE_ENCODER not in name)


def _trains(name: str, params: FreezingParams, top: set[str]) -> bool:
    if IMAGE_ENCODER in name:
        return False
    if params.policy == "head":
        return not name.startswith(BACKBONE)
    if IMAGE_TOP in name:
        return params.image_policy == "none" or ADAPTER in name
    if TEXT_ENCODER in name:
        if params.policy == "top_k":
            return any(layer in f".{name}" for layer in top)
        return params.policy == "none" or ADAPTER in name
    return True
