"""Which parameters the optimizer moves, and how fast."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from torch import nn

from fuseline.errors import ConfigError
from fuseline.params.training import TrainingParams

TEXT_ENCODER = ".text_encoder."
# What runs once, before training, and what the model holds above it.
IMAGE_ENCODER = ".image_encoder."
IMAGE_TOP = ".embeddings.image.encoder."
ADAPTER = ".lora_"
# Parts of a model with a learning rate of their own, in the order of their groups.
REST, TEXT, IMAGE = range(3)
LAYER = re.compile(r"\.layer\.(\d+)\.")


def parameter_groups(
    model: Any, decayed: Collection[str], params: TrainingParams
) -> list[dict[str, Any]]:
    """Groups for the optimizer: all but the encoders first, then the text encoder from its top
    down, then the image layers, at `image_learning_rate`.

    Layer i of n gets `encoder_learning_rate * layer_decay ** (n - 1 - i)`, the embeddings one
    factor less than the lowest layer (discriminative fine-tuning, Howard & Ruder 2018, arXiv
    1801.06146, by a constant factor as in Clark et al. 2020, arXiv 2003.10555). Unlike theirs the
    top layer is not slowed: the encoder has a rate of its own.

    Args:
        model: has a `fuseline` backbone.
        decayed: names of the parameters with weight decay.
        params: rates and weight decay.

    Raises:
        ConfigError: a layer decay, but no layers of a known name.
    """
    decay_by_layer = params.layer_decay < 1.0
    if decay_by_layer:
        _check_layer_names(model)
    rates = (params.learning_rate, params.encoder_learning_rate, params.image_learning_rate)
    groups: dict[tuple[int, int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = _part(name)
            by_layer = part == TEXT and decay_by_layer
            below = _layers_below_top(name, model) if by_layer else 0
            groups.setdefault((part, below, name in decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rates[part] * params.layer_decay**below,
            "weight_decay": params.weight_decay if decay else 0.0,
        }
        for (part, below, decay), parameters in sorted(groups.items())
    ]


def _part(name: str) -> int:
    # The encoders' rates are low to keep what their weights know. Adapters are new and start as
    # nothing, like a head, and the frozen weights beneath them cannot be lost: the paper trains
    # RoBERTa's at 2e-4 to 5e-4 (Hu et al. 2021, arXiv 2106.09685, appendix D).
    if ADAPTER in name:
        return REST
    return TEXT if TEXT_ENCODER in name else IMAGE if IMAGE_TOP in name else REST


def _layers_below_top(name: str, model: Any) -> int:
    """0 for the top layer and what belongs to none, n for the embeddings of n layers."""
    layers: int = model.fuseline.text_encoder.config.num_hidden_layers
    if layer := LAYER.search(name):
        return layers - 1 - int(layer[1])
    return layers if name.split(TEXT_ENCODER)[1].startswith("embeddings") else 0


def _check_layer_names(model: Any) -> None:
    names = [name for name, _ in model.named_parameters() if TEXT_ENCODER in name]
    if names and not any(LAYER.search(name) for name in names):
        raise ConfigError(
            "training.layer_decay: found no layers named `layer.<n>` in this text encoder, so"
            " they cannot be told apart. Use 1.0."
        )
