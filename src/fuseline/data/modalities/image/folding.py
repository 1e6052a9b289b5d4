"""A frozen convolutional network laid out for inference: the same function in fewer passes.

Between two convolutions a network reads and writes its activations several times: to pad, to
normalise, to cut. On a CPU these passes cost more than the products. Batch normalisation is
folded into the convolution before it, even padding becomes the convolution's own, activations
work in place, and weights are rounded to bfloat16 once instead of at every call.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

N = TypeVar("N", bound=nn.Module)

ACTIVATIONS = (nn.Hardswish, nn.ReLU, nn.ReLU6, nn.SiLU)
WATCHED = (nn.Conv2d, nn.BatchNorm2d, *ACTIVATIONS)
# Folding rounds anew, a few units of the last place a layer; a network that it does not suit
# differs by its activations' own size.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Call:
    """One call of a module; holding the tensors keeps others from taking their identity."""

    module: nn.Module
    name: str
    source: Tensor
    source_version: int
    result: Tensor
    result_version: int


def fold(network: N, example: Tensor, dtype: torch.dtype) -> N:
    """A copy of the network for inference.

    Args:
        network: in evaluation mode.
        example: an input (B, 3, S, S), on which the network is watched and the copy compared.
        dtype: of the weights of convolutions and linear layers; those in bfloat16 need autocast.

    Returns:
        The copy; where folding would change what the network computes, one that is not folded.
    """
    folded = copy.deepcopy(network)
    _rewrite(folded, _watch(folded, example))
    if not _agree(network, folded, example):
        folded = copy.deepcopy(network)
    for module in folded.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(dtype)
    return folded


def _watch(network: nn.Module, example: Tensor) -> list[_Call]:
    """The calls of convolutions, normalisations and activations, in order."""
    calls: list[_Call] = []
    versions: dict[str, int] = {}
    hooks = []
    for name, module in network.named_modules():
        if not isinstance(module, WATCHED):
            continue

        def before(_module: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
            versions[name] = inputs[0]._version

        def after(
            module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor, name: str = name
        ) -> None:
            source = inputs[0]
            calls.append(_Call(module, name, source, versions[name], result, result._version))

        hooks += [
            module.register_forward_pre_hook(before),
            module.register_forward_hook(after),
        ]
    # Tensors of inference mode do not count how often they were changed in place.
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    return calls


def _rewrite(network: nn.Module, calls: list[_Call]) -> None:
    """Fold what only ever runs one after the other."""
    count = Counter(call.name for call in calls)
    made = {id(call.result): call for call in calls}
    normalised: Counter[str] = Counter()
    for call in calls:
        before = made.get(id(call.source))
        if before is None or before.result_version != call.source_version:
            continue
        if isinstance(call.module, ACTIVATIONS) and isinstance(before.module, nn.BatchNorm2d):
            normalised[call.name] += 1
        once = count[call.name] == count[before.name] == 1
        if (
            once
            and isinstance(call.module, nn.BatchNorm2d)
            and isinstance(before.module, nn.Conv2d)
        ):
            _replace(network, before.name, fuse_conv_bn_eval(before.module, call.module))
            _replace(network, call.name, nn.Identity())
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            _pad_within(module)
        if normalised[name] and normalised[name] == count[name]:
            module.inplace = True


def _pad_within(convolution: nn.Conv2d) -> None:
    """Take over the even zero padding of a convolution that pads with a layer of its own."""
    layer = getattr(convolution, "static_padding", None)
    if not isinstance(layer, nn.ZeroPad2d) or set(convolution.padding) != {0}:
        return
    left, right, top, bottom = layer.padding
    if left == right and top == bottom:
        convolution.padding = (top, left)
        convolution.static_padding = nn.Identity()


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)


def _agree(network: nn.Module, folded: nn.Module, example: Tensor) -> bool:
    with torch.no_grad():
        expected, found = network(example), folded(example)
    difference = (found - expected).abs().max()
    return bool(difference <= TOLERANCE * expected.abs().max())
