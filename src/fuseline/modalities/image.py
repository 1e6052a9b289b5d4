"""Pictures to features: decoded, resized, run once through the frozen encoder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from fuseline.contracts import EXAMPLES, TableWriter, features_schema, iter_shards, read_manifest
from fuseline.modalities.image_encoder import ImageEncoder, build_image_encoder
from fuseline.params.extract_features import ImageFeatureParams
from fuseline.precision import Precision, autocast


def extract_image_features(
    examples: Path, features: Path, params: ImageFeatureParams, precision: Precision
) -> dict[str, Any]:
    """Write the image features table, shard by shard.

    Args:
        examples: the examples table.
        features: folder of the new table.
        params: encoder, size, grid and batch size.
        precision: of the encoder.

    Returns:
        Counts of rows and missing pictures, shape, mean norm.
    """
    encoder = build_image_encoder(params.encoder, params.grid, weights=True)
    encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    positions = params.grid**2
    writer = TableWriter(features, features_schema(positions, encoder.dim), "features")
    rows = missing = 0
    norm = 0.0
    shards = iter_shards(examples, EXAMPLES, "examples", ["example_id", "split", "group", "image"])
    total = read_manifest(examples, "examples")["rows"]
    with tqdm(total=total, desc="extract image features", unit="row") as progress:
        for name, table in shards:
            media = [image and image["bytes"] for image in table.column("image").to_pylist()]
            present = np.array([item is not None for item in media])
            values = _encode([item for item in media if item], encoder, params, precision, progress)
            progress.update(int((~present).sum()))
            column = _column(values, present, positions * encoder.dim)
            ids = table.select(["example_id", "split", "group"])
            writer.write(name, ids.append_column("features", column))
            rows, missing = rows + len(media), missing + int((~present).sum())
            norm += float(np.linalg.norm(values.astype(np.float32), axis=-1).sum())
    writer.finish(
        modality="image",
        shape=[positions, encoder.dim],
        encoder=params.encoder,
        revision=encoder.revision,
        config=encoder.config,
        image_size=params.image_size,
    )
    return {
        "rows": rows,
        "missing": missing,
        "positions": positions,
        "dim": encoder.dim,
        "mean_norm": norm / max(1, (rows - missing) * positions),
    }


def picture_to_pixels(picture: Image.Image, image_size: int) -> np.ndarray:
    """RGB on white, resized to a square: (3, S, S) uint8."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    rgb = picture.convert("RGB")
    if rgb.size != (image_size, image_size):
        rgb = rgb.resize((image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(rgb).transpose(2, 0, 1)


def stack_pixels(pictures: list[np.ndarray]) -> Tensor:
    """(B, 3, S, S) float32 in [0, 255], channels last in memory."""
    pixels = torch.from_numpy(np.stack(pictures)).float()
    return pixels.contiguous(memory_format=torch.channels_last)


def decode_pixels(content: bytes, image_size: int) -> np.ndarray:
    """Decode one stored picture: (3, S, S) uint8."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture_to_pixels(picture, image_size)


def _encode(
    contents: list[bytes],
    encoder: ImageEncoder,
    params: ImageFeatureParams,
    precision: Precision,
    progress: Any,
) -> np.ndarray:
    values = np.zeros((len(contents), params.grid**2, encoder.dim), dtype=np.float16)
    for start in range(0, len(contents), params.batch_size):
        batch = contents[start : start + params.batch_size]
        with torch.inference_mode(), autocast(precision):
            pixels = stack_pixels([decode_pixels(item, params.image_size) for item in batch])
            values[start : start + len(batch)] = encoder(pixels).numpy()
        progress.update(len(batch))
    return values


def _column(values: np.ndarray, present: np.ndarray, width: int) -> pa.Array:
    """A fixed-size list column with nulls where a picture is absent."""
    flat = np.zeros((len(present), width), dtype=np.float16)
    flat[present] = values.reshape(len(values), width)
    mask = pa.array(~present)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), width, mask=mask)
