"""Low-rank adapters in the text encoder (Hu et al. 2021, arXiv 2106.09685), by the library PEFT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, LoraModel
from torch import nn

from fuseline.errors import ConfigError
from fuseline.params.finetune import FreezingParams, LoraParams
from fuseline.registry import suggestion


@contextmanager
def adapters(model: Any, params: FreezingParams, seed: int) -> Iterator[None]:
    """Adapters in the text encoder for as long as the context lasts, then merged into its weights;
    nothing under any policy but `lora`.

    After it the model is a plain Transformers model again, with the same outputs up to rounding.

    Args:
        model: a task model with a `fuseline` backbone, changed in place.
        params: the policy, and the adapters' shape and place.
        seed: of the adapters' first matrices; the second ones start at zero.

    Raises:
        ConfigError: no text encoder, or a target that is none of its linear layers.
    """
    if params.policy != "lora":
        yield
        return
    encoder = model.fuseline.text_encoder
    if encoder is None:
        raise ConfigError(
            "finetune.freezing.policy: 'lora' adapts the text encoder, and this model takes no"
            " text. Use 'all' or 'none'."
        )
    injected = _inject(encoder, params.lora, seed)
    yield
    injected.merge_and_unload()


def _inject(encoder: nn.Module, params: LoraParams, seed: int) -> Any:
    config = LoraConfig(
        r=params.rank,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules=_targets(encoder, params.targets),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # The tuner itself, since `inject_adapter_in_model` drops it, and only it can merge.
        return LoraModel(encoder, config, "default")


def _targets(encoder: nn.Module, targets: list[str]) -> list[str]:
    """Full names of the linear layers whose names end so."""
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    chosen = {
        target: [name for name in linear if f".{name}".endswith(f".{target}")] for target in targets
    }
    for target, names in chosen.items():
        if not names:
            valid = sorted({name.rsplit(".", 1)[-1] for name in linear})
            raise ConfigError(
                f"finetune.freezing.lora.targets: the text encoder has no linear layer '{target}'."
                f" Its linear layers: {', '.join(valid)}.{suggestion(target, valid)}"
            )
    return sorted({name for names in chosen.values() for name in names})
