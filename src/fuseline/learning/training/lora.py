"""Low-rank adapters in the encoders (Hu et al. 2021, arXiv 2106.09685), by the library PEFT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, LoraModel
from torch import nn

from fuseline.errors import ConfigError
from fuseline.learning.training.freezing import image_top
from fuseline.params.finetune import FreezingParams, LoraParams
from fuseline.registry import suggestion

# What an error calls an encoder, and the end of the key with its targets.
TEXT = ("text encoder", "targets")
IMAGE = ("model's part of the image encoder", "image_targets")


@contextmanager
def adapters(model: Any, params: FreezingParams, seed: int) -> Iterator[None]:
    """Adapters in the encoders whose policy is `lora` for as long as the context lasts, then merged
    into their weights.

    After it the model is a plain Transformers model again, with the same outputs up to rounding.

    Args:
        model: a task model with a `fuseline` backbone, changed in place.
        params: the policies, and the adapters' shape and place.
        seed: of the adapters' first matrices; the second ones start at zero.

    Raises:
        ConfigError: no such encoder, or a target that is none of its layers.
    """
    injected = []
    if params.policy == "lora":
        text = model.fuseline.text_encoder
        if text is None:
            raise ConfigError(
                "finetune.freezing.policy: 'lora' adapts the text encoder, and this model takes no"
                " text. Use 'all' or 'none'."
            )
        injected.append(_inject(text, params.lora, params.lora.targets, TEXT, seed))
    if params.image_policy == "lora":
        top = image_top(model)
        if top is None:
            raise ConfigError(
                "finetune.freezing.image_policy: 'lora' adapts image layers, and this model holds"
                " none. Set extract_features.image.top_layers above 0 for data with pictures, or"
                " use 'none'."
            )
        injected.append(_inject(top, params.lora, params.lora.image_targets, IMAGE, seed))
    yield
    for one in injected:
        one.merge_and_unload()


def _inject(
    encoder: nn.Module, params: LoraParams, targets: list[str], what: tuple[str, str], seed: int
) -> Any:
    config = LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules=_named(encoder, targets, what),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # The tuner itself, since `inject_adapter_in_model` drops it, and only it can merge.
        return LoraModel(encoder, config, "default")


def _named(encoder: nn.Module, targets: list[str], what: tuple[str, str]) -> list[str]:
    """Full names of the linear layers whose names end so."""
    linear = [name for name, module in encoder.named_modules() if _is_linear(module)]
    chosen = {
        target: [name for name in linear if f".{name}".endswith(f".{target}")] for target in targets
    }
    for target, names in chosen.items():
        if not names:
            valid = sorted({name.rsplit(".", 1)[-1] for name in linear})
            raise ConfigError(
                f"finetune.freezing.lora.{what[1]}: the {what[0]} has no linear layer '{target}'."
                f" {_valid(valid)}{suggestion(target, valid)}"
            )
    return sorted({name for names in chosen.values() for name in names})


def _valid(names: list[str]) -> str:
    if not names:
        return "It has none at all: freeze it whole by the policy 'all', or nothing by 'none'."
    return f"Its linear layers: {', '.join(names)}."


def _is_linear(module: nn.Module) -> bool:
    """A convolution of one pixel is a linear layer at each position."""
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear)
