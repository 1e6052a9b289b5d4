"""Frozen image encoders: pixels to a grid of feature vectors."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.contracts import hash_file
from fuseline.errors import ConfigError
from fuseline.modalities.checkpoints import (
    IMAGE_ENCODERS,
    checkpoint_folder,
    efficientnet_weights,
    weights_hash,
)
from fuseline.modalities.configs import portable

# ImageNet's, for checkpoints that do not say theirs.
DEFAULT_MEAN = [0.485, 0.456, 0.406]
DEFAULT_STD = [0.229, 0.224, 0.225]


class ImageEncoder(nn.Module):
    """Pixels in [0, 255] (B, 3, S, S) to features (B, grid², dim), rows of the grid first.

    Attributes:
        dim: width of a feature vector.
        grid: positions a side.
        revision: SHA-256 of the weights, or of what stands for them.
        config: of a Transformers network, so that a saved model can build it again.
    """

    dim: int
    grid: int
    revision: str
    config: dict[str, Any] | None = None

    @abstractmethod
    def maps(self, pixel_values: Tensor) -> Tensor:
        """Feature maps (B, dim, H, W)."""

    def train(self, mode: bool = True) -> ImageEncoder:
        """Stay in evaluation mode, whatever the model around it does: its features are those that
        were extracted, and its statistics of a batch are frozen too."""
        del mode
        return super().train(False)

    def forward(self, pixel_values: Tensor) -> Tensor:
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
        maps: Tensor = self.network.extract_features((pixel_values - 127.0) / 128.0)
        return maps


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
        side = getattr(network_config, "image_size", None) or 224
        height, width = (side, side) if isinstance(side, int) else side
        with torch.inference_mode():
            maps = self.eval().maps(torch.zeros(1, 3, height, width))
        return int(maps.shape[1])

    def maps(self, pixel_values: Tensor) -> Tensor:
        states: Tensor = self.network(pixel_values=(pixel_values - self.mean) / self.std)[0]
        if states.dim() == 4:
            return states
        side = int((states.shape[1] - 1) ** 0.5)
        patches = states[:, -side * side :]
        columns = patches.transpose(1, 2)
        return columns.reshape(*columns.shape[:2], side, side)


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
    where: str = "extract_features.image.encoder",
) -> ImageEncoder:
    """Build a frozen image encoder.

    Args:
        name: `efficientnet_lite0`, `patches`, or a Transformers checkpoint: a folder, or
            `id@revision` of the hub.
        grid: positions a side that are kept.
        weights: load pre-trained weights (else they come from a saved model).
        config: of a Transformers network that is built without weights.
        where: the params key that gave the name.

    Raises:
        ConfigError: neither a known name nor such a checkpoint.
    """
    if name == "efficientnet_lite0":
        encoder: ImageEncoder = EfficientNetLite0(grid, weights=weights)
    elif name == "patches":
        encoder = Patches(grid)
    elif not weights:
        encoder = TransformersVision(grid, None, config)
    else:
        folder = checkpoint_folder(name, where=where, names=IMAGE_ENCODERS)
        encoder = TransformersVision(grid, folder, None)
    return encoder.eval().requires_grad_(False)
