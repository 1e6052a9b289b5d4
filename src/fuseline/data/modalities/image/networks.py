"""Frozen image encoders: pixels to a grid of feature vectors, or to the states below the layers
that a model is to train."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.contracts import hash_file
from fuseline.data.modalities.checkpoints import (
    IMAGE_ENCODERS,
    checkpoint_folder,
    efficientnet_weights,
    encoder_key,
    portable,
    weights_hash,
)
from fuseline.data.modalities.image.top import (
    EfficientNetTop,
    ImageTop,
    TransformersTop,
    find_ending,
    tokens_to_maps,
)
from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.precision import Precision, autocast

# ImageNet's, for checkpoints that do not say theirs.
DEFAULT_MEAN = [0.485, 0.456, 0.406]
DEFAULT_STD = [0.229, 0.224, 0.225]

WHERE = encoder_key("image")
TOP_LAYERS = "extract_features.image.top_layers"
# Between a network and its parts, of its states' own size: the same products, summed alike.
TOLERANCE = 1e-3
ROWS_AT_ONCE = 64
_CANNOT_CUT = (
    f"{TOP_LAYERS}: the layers of this network cannot be taken off: it needs one row of them, each"
    " a function of the states alone, as ViT, DeiT, DINOv2, CLIP and SigLIP have. Use 0."
)


class ImageEncoder(nn.Module):
    """Pixels in [0, 255] (B, 3, S, S) to features (B, grid², dim), rows of the grid first.

    Attributes:
        dim: width of a feature vector.
        grid: positions a side.
        is_cut: its top is taken off; features are the states below it (B, P, dim) then, as many
            positions as they have.
        revision: SHA-256 of the weights, or of what stands for them.
        config: of a Transformers network, so that a saved model can build it again.
    """

    dim: int
    grid: int
    revision: str
    config: dict[str, Any] | None = None
    is_cut = False

    @abstractmethod
    def maps(self, pixel_values: Tensor) -> Tensor:
        """Feature maps (B, dim, H, W)."""

    def states(self, pixel_values: Tensor) -> Tensor:
        """What a cut encoder ends with (B, P, dim)."""
        return self.maps(pixel_values).flatten(2).transpose(1, 2)

    def cut(self, top_layers: int) -> ImageTop:
        """Take off the uppermost layers.

        Args:
            top_layers: how many.

        Returns:
            Those layers, which turn what the rest now gives into the features of the whole.

        Raises:
            ConfigError: the encoder has no such layers.
        """
        raise ConfigError(
            f"{TOP_LAYERS}: this encoder has no layers that a model could train, found"
            f" {top_layers}. Use 0."
        )

    def train(self, mode: bool = True) -> ImageEncoder:
        """Stay in evaluation mode, whatever the model around it does: its features are those that
        were extracted, and its statistics of a batch are frozen too."""
        del mode
        return super().train(False)

    def forward(self, pixel_values: Tensor) -> Tensor:
        if self.is_cut:
            return self.states(pixel_values).float()
        pooled = functional.adaptive_avg_pool2d(self.maps(pixel_values).float(), self.grid)
        return pooled.flatten(2).transpose(1, 2)


class EfficientNetLite0(ImageEncoder):
    """EfficientNet-lite0 (Tan & Le 2019, arXiv 1905.11946), ImageNet weights of its package."""

    dim = 1280

    def __init__(self, grid: int, *, weights: bool) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.grid = grid
        self.network = EfficientNet.from_name("efficientnet-lite0")
        # The classification layer is never used.
        self.network._fc = nn.Identity()
        self.revision = ""
        if weights:
            self._load()

    def _load(self) -> None:
        path = efficientnet_weights()
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing, _ = self.network.load_state_dict(state, strict=False)
        if missing:
            raise ConfigError(f"{path}: lacks weights {', '.join(missing[:3])}; reinstall it.")
        self.revision = hash_file(path)

    def maps(self, pixel_values: Tensor) -> Tensor:
        pixels = (pixel_values - 127.0) / 128.0
        if not self.is_cut:
            maps: Tensor = self.network.extract_features(pixels)
            return maps
        network = self.network
        maps = network._swish(network._bn0(network._conv_stem(pixels)))
        for block in network._blocks:
            maps = block(maps)
        return maps

    def cut(self, top_layers: int) -> ImageTop:
        network, blocks = self.network.eval(), list(self.network._blocks)
        _check_number(top_layers, len(blocks))
        kept = len(blocks) - top_layers
        top = EfficientNetTop(blocks[kept:], network._conv_head, network._bn1, self.grid)
        network._blocks = nn.ModuleList(blocks[:kept])
        network._conv_head = network._bn1 = nn.Identity()
        self.dim = blocks[kept]._block_args.input_filters
        self.is_cut = True
        return top


class Patches(ImageEncoder):
    """Pixels of each grid cell, unlearned: the model's projection is then a patch embedding
    trained from scratch (Dosovitskiy et al. 2021, arXiv 2010.11929)."""

    SIDE = 8
    dim = 3 * SIDE * SIDE

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.revision = hashlib.sha256(b"patches").hexdigest()

    def forward(self, pixel_values: Tensor) -> Tensor:
        side = self.grid * self.SIDE
        pixels = functional.adaptive_avg_pool2d(pixel_values.float() / 127.5 - 1.0, side)
        return functional.unfold(pixels, self.SIDE, stride=self.SIDE).transpose(1, 2)

    def maps(self, pixel_values: Tensor) -> Tensor:
        columns = self.forward(pixel_values).transpose(1, 2)
        return columns.reshape(*columns.shape[:2], self.grid, self.grid)


class TransformersVision(ImageEncoder):
    """Any Transformers vision checkpoint: its maps, or its tokens as a square grid.

    Args:
        grid: positions a side that are kept.
        folder: the checkpoint; None builds the network from `config` without weights.
        config: the network's configuration as a dict, as a saved model carries it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, grid: int, folder: Path | None, config: dict[str, Any] | None) -> None:
        super().__init__()
        from transformers import AutoConfig, AutoModel

        self.grid = grid
        if folder is None:
            network_config = AutoConfig.for_model(**(config or {}))
            self.network = AutoModel.from_config(network_config)
            self.revision = ""
        else:
            network_config = AutoConfig.from_pretrained(folder)
            self.network = AutoModel.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32
            )
            self.revision = weights_hash(folder)
        self.config = portable(network_config)
        mean, std = _normalisation(folder)
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1))
        self.dim = self._width(network_config)

    def _width(self, network_config: Any) -> int:
        """Width of a feature vector; networks name it differently, so it is tried out."""
        with torch.inference_mode():
            maps = self.eval().maps(torch.zeros(1, 3, *_sides(network_config)))
        return int(maps.shape[1])

    def states(self, pixel_values: Tensor) -> Tensor:
        states: Tensor = self.network(pixel_values=(pixel_values - self.mean) / self.std)[0]
        return states

    def maps(self, pixel_values: Tensor) -> Tensor:
        states = self.states(pixel_values)
        return states if states.dim() == 4 else tokens_to_maps(states)

    def cut(self, top_layers: int) -> ImageTop:
        height, width = _sides(self.network.config)
        pixels = torch.arange(3.0 * height * width).remainder(251).view(1, 3, height, width)
        layers = _row_of_layers(self.network)
        _check_number(top_layers, len(layers))
        with torch.no_grad():
            ending = find_ending(self.eval().network, layers, pixels)
            if ending is None or not ending.is_plain:
                raise ConfigError(_CANNOT_CUT)
            expected = self(pixels)
            kept = len(layers) - top_layers
            top = TransformersTop(list(layers)[kept:], ending, self.dim, self.grid)
            del layers[kept:]
            if ending.norm is not None:
                _replace(self.network, ending.norm, nn.Identity())
            self.is_cut = True
            found = top.eval()(self(pixels))
        # A model that is being loaded is built without numbers first.
        if not found.is_meta and (found - expected).abs().max() > TOLERANCE * expected.abs().max():
            raise ConfigError(_CANNOT_CUT)
        return top


def _sides(network_config: Any) -> tuple[int, int]:
    """Height and width of a picture that the network takes."""
    side = getattr(network_config, "image_size", None) or 224
    height, width = (side, side) if isinstance(side, int) else side
    return height, width


def _row_of_layers(network: nn.Module) -> nn.ModuleList:
    number = getattr(network.config, "num_hidden_layers", 0)
    rows = [m for m in network.modules() if isinstance(m, nn.ModuleList) and 0 < number == len(m)]
    if len(rows) != 1:
        raise ConfigError(_CANNOT_CUT)
    return rows[0]


def _check_number(top_layers: int, layers: int) -> None:
    if top_layers > layers:
        raise ConfigError(f"{TOP_LAYERS}: the encoder has {layers} layers, found {top_layers}.")


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for name, module in network.named_modules():
        if module is old:
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, new)
            return


def _normalisation(folder: Path | None) -> tuple[list[float], list[float]]:
    """Mean and deviation per channel, of pixels in [0, 1], as a checkpoint's processor has them."""
    path = folder and folder / "preprocessor_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}
    return said.get("image_mean", DEFAULT_MEAN), said.get("image_std", DEFAULT_STD)


def build_image_encoder(
    name: str,
    grid: int,
    *,
    weights: bool,
    config: dict[str, Any] | None = None,
    top_layers: int = 0,
    where: str = WHERE,
) -> ImageEncoder:
    """Build a frozen image encoder.

    Args:
        name: `efficientnet_lite0`, `patches`, or a Transformers checkpoint: a folder, or
            `id@revision` of the hub.
        grid: positions a side that are kept.
        weights: load pre-trained weights (else they come from a saved model).
        config: of a Transformers network that is built without weights.
        top_layers: uppermost layers to leave out; see `ImageEncoder.cut`.
        where: the params key that gave the name.

    Raises:
        ConfigError: neither a known name nor such a checkpoint, or not so many layers.
    """
    return build_image_parts(name, grid, top_layers, weights=weights, config=config, where=where)[0]


def build_image_parts(
    name: str,
    grid: int,
    top_layers: int,
    *,
    weights: bool,
    config: dict[str, Any] | None = None,
    where: str = WHERE,
) -> tuple[ImageEncoder, ImageTop | None]:
    """Build what `build_image_encoder` gives and the layers that it leaves out, to be trained, None
    without any; arguments as there."""
    encoder = _whole(name, grid, weights=weights, config=config, where=where)
    top = encoder.cut(top_layers) if top_layers else None
    return encoder.eval().requires_grad_(False), top


def parts_of(manifest: dict[str, Any]) -> tuple[ImageEncoder, ImageTop | None]:
    """The encoder that made an image features table, with its weights, and the layers above it.

    Args:
        manifest: of the table.

    Raises:
        ConfigError: the encoder is not to be had any more.
        ContractError: its weights have changed since.
    """
    encoder, top = build_image_parts(
        manifest["encoder"], manifest["grid"], manifest["top_layers"], weights=True
    )
    if encoder.revision != manifest["revision"]:
        raise ContractError(
            f"data/features/image: made by other weights than '{manifest['encoder']}' has now."
            " Run `dvc repro --force extract_features@image`."
        )
    return encoder, top


def missing_layers(manifest: dict[str, Any]) -> ImageTop | None:
    """The layers above the states that an image features table holds, None where it holds what the
    whole encoder gives; raises as `parts_of`."""
    # The table of a set without pictures says nothing of layers.
    return parts_of(manifest)[1] if manifest.get("top_layers") else None


def whole_features(
    top: ImageTop | None, values: np.ndarray, present: np.ndarray, precision: Precision
) -> np.ndarray:
    """What the whole frozen encoder gives, of what an image features table holds.

    Args:
        top: the layers that the table's encoder lacks.
        values: (N, P, D) float16, as the table holds them.
        present: (N,) bool, rows that have a picture.
        precision: of these layers.

    Returns:
        (N, grid², dim) float16, zeros where absent; `values` themselves where no layer is missing.

    Raises:
        ContractError: float16 cannot hold what they give.
    """
    if top is None:
        return values
    found = np.zeros((len(values), top.grid**2, top.dim), dtype=np.float16)
    rows = np.flatnonzero(present)
    with torch.inference_mode(), autocast(precision):
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chosen = rows[start : start + ROWS_AT_ONCE]
            # Always as many: by their number the last bits change, and equal pictures would differ.
            states = torch.zeros(ROWS_AT_ONCE, *values.shape[1:])
            states[: len(chosen)] = torch.from_numpy(values[chosen].astype(np.float32))
            found[chosen] = top.eval()(states)[: len(chosen)].half().numpy()
    if not np.isfinite(found).all():
        raise ContractError(f"{WHERE}: it gave numbers that float16 cannot hold. Choose another.")
    return found


def _whole(
    name: str, grid: int, *, weights: bool, config: dict[str, Any] | None, where: str
) -> ImageEncoder:
    if name == "efficientnet_lite0":
        return EfficientNetLite0(grid, weights=weights)
    if name == "patches":
        return Patches(grid)
    if not weights:
        return TransformersVision(grid, None, config)
    folder = checkpoint_folder(name, where=where, names=IMAGE_ENCODERS)
    return TransformersVision(grid, folder, None)
