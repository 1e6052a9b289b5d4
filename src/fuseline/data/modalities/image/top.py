"""The uppermost layers of an image encoder, as a model takes them over to train them.

Shapes: B batch, P positions and D width of the states below, G positions a side that are kept.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ImageTop(nn.Module):
    """States (B, P, D) to features (B, G², dim), rows of the grid first.

    Attributes:
        dim: width of a feature vector.
        grid: G.
    """

    def __init__(self, dim: int, grid: int) -> None:
        super().__init__()
        self.dim = dim
        self.grid = grid

    @abstractmethod
    def maps(self, states: Tensor) -> Tensor:
        """Feature maps (B, dim, H, W)."""

    def forward(self, states: Tensor) -> Tensor:
        pooled = functional.adaptive_avg_pool2d(self.maps(states).float(), self.grid)
        return pooled.flatten(2).transpose(1, 2)

    def cells(self, states: Tensor) -> Tensor:
        """(B, G², D) the states below each kept position, averaged."""
        pooled = functional.adaptive_avg_pool2d(tokens_to_maps(states), self.grid)
        return pooled.flatten(2).transpose(1, 2)

    def spread(self, cells: Tensor, positions: int) -> Tensor:
        """(B, P) bool: the states that any of the chosen of the kept positions is averaged over,
        `cells` (B, G²) bool. What stands for no place, as a class token does, is none."""
        side = math.isqrt(positions)
        # Windows overlap where the grid does not divide the side.
        windows = functional.adaptive_avg_pool1d(torch.eye(side).unsqueeze(0), self.grid)[0]
        over = (windows > 0).float().to(cells.device)
        square = cells.float().view(-1, self.grid, self.grid)
        below = (over @ square @ over.T > 0).flatten(1)
        return functional.pad(below, (positions - side * side, 0))


def tokens_to_maps(tokens: Tensor) -> Tensor:
    """(B, P, D) to (B, D, H, W): the last tokens that make a square, rows first. Those before
    them, a class token and registers, stand for no place."""
    side = math.isqrt(tokens.shape[1])
    columns = tokens[:, -side * side :].transpose(1, 2)
    return columns.reshape(*columns.shape[:2], side, side)


class InvertedResidual(nn.Module):
    """A block of a MobileNet (Sandler et al. 2018, arXiv 1801.04381) whose normalisations are part
    of its convolutions: they stay as they were learnt, and cost nothing.

    Args:
        block: one of `efficientnet_lite_pytorch`, in evaluation mode.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.widens = block._block_args.expand_ratio != 1
        self.expand = _folded(block._expand_conv, block._bn0) if self.widens else nn.Identity()
        self.depthwise = _folded(block._depthwise_conv, block._bn1)
        self.project = _folded(block._project_conv, block._bn2)
        self.padding = _padding(block._depthwise_conv)
        self.skips = self.depthwise.stride == (1, 1) and (
            block._block_args.input_filters == block._block_args.output_filters
        )

    def forward(self, maps: Tensor) -> Tensor:
        wide = functional.relu6(self.expand(maps)) if self.widens else maps
        # On a CPU the backward pass of a convolution by channel takes five to seventeen times as
        # long in bfloat16.
        with torch.autocast(maps.device.type, enabled=False):
            wide = functional.relu6(self.depthwise(functional.pad(wide.float(), self.padding)))
        narrow: Tensor = self.project(wide)
        return maps + narrow if self.skips else narrow


class EfficientNetTop(ImageTop):
    """Blocks of an EfficientNet-lite and the layer behind them."""

    def __init__(self, blocks: Sequence[Any], head: Any, head_norm: Any, grid: int) -> None:
        super().__init__(head.out_channels, grid)
        self.blocks = nn.ModuleList(InvertedResidual(block) for block in blocks)
        self.head = _folded(head, head_norm)

    def maps(self, states: Tensor) -> Tensor:
        maps = tokens_to_maps(states)
        for block in self.blocks:
            maps = block(maps)
        return functional.relu6(self.head(maps))


@dataclass(frozen=True)
class Ending:
    """How a Transformers network ends.

    Attributes:
        norm: makes the last states of what the last layer gives; None where these are the last.
        arguments: of a layer's call, behind the states.
        options: the same by name.
    """

    norm: nn.Module | None
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    @property
    def is_plain(self) -> bool:
        """Whether layers are functions of the states alone, tokens (B, P, D)."""
        return all(
            value is None or isinstance(value, bool)
            for value in (*self.arguments, *self.options.values())
        )


class TransformersTop(ImageTop):
    """Layers of a Transformers network, and the normalisation behind the last one, if any."""

    def __init__(self, layers: Sequence[nn.Module], ending: Ending, dim: int, grid: int) -> None:
        super().__init__(dim, grid)
        self.layers = nn.ModuleList(layers)
        self.norm = ending.norm if ending.norm is not None else nn.Identity()
        self.arguments, self.options = ending.arguments, ending.options

    def maps(self, states: Tensor) -> Tensor:
        for layer in self.layers:
            states = _first(layer(states, *self.arguments, **self.options))
        return tokens_to_maps(self.norm(states))


def find_ending(network: nn.Module, layers: nn.ModuleList, pixels: Tensor) -> Ending | None:
    """Watch a network; None where it does not end with its last layer's states (B, P, D), or what a
    normalisation makes of them.

    Args:
        network: gives its last states first.
        layers: a row of them within it.
        pixels: (1, 3, S, S) to run it on.
    """
    calls: list[tuple[tuple[Any, ...], dict[str, Any], Tensor]] = []
    later: list[tuple[nn.Module, Tensor]] = []

    def after_last(_layer: Any, inputs: tuple[Any, ...], options: dict[str, Any], out: Any) -> None:
        calls.append((inputs[1:], options, _first(out)))

    def after(module: nn.Module, inputs: tuple[Any, ...], out: Any) -> None:
        if calls and inputs and inputs[0] is calls[-1][2]:
            later.append((module, out))

    within = {id(module) for module in layers.modules()}
    hooks = [layers[-1].register_forward_hook(after_last, with_kwargs=True)]
    hooks += [
        module.register_forward_hook(after)
        for module in network.modules()
        if id(module) not in within
    ]
    try:
        states = network(pixel_values=pixels)[0]
    finally:
        for hook in hooks:
            hook.remove()
    if not calls or states.dim() != 3:
        return None
    arguments, options, last = calls[-1]
    norm = next((module for module, out in later if out is states), None)
    return Ending(norm, arguments, options) if norm or last is states else None


def _folded(conv: Any, norm: Any) -> nn.Conv2d:
    """A plain convolution that does what both do."""
    fused = fuse_conv_bn_eval(conv, norm)
    plain = nn.Conv2d(
        fused.in_channels, fused.out_channels, fused.kernel_size, fused.stride, groups=fused.groups
    )
    plain.load_state_dict(fused.state_dict())
    return plain


def _padding(conv: Any) -> tuple[int, int, int, int]:
    """Left, right, above, below."""
    layer = conv.static_padding
    return layer.padding if isinstance(layer, nn.ZeroPad2d) else (0, 0, 0, 0)


def _first(output: Any) -> Tensor:
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states
