"""A small model with its frozen picture encoder, and rows whose pictures are stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from fuseline.data.dataset import MultimodalData
from fuseline.data.modalities.image.pixels import decode_pixels, stack_pixels
from tests.support.examples_tables import write_examples
from tests.support.media import encoded
from tests.support.tiny_models import classifier, rows

SIDE, GRID = 16, 2
IMAGE = {"name": "patches", "grid": GRID, "top_layers": 0, "image_size": SIDE, "config": None}


def model(seed: int = 0):
    features = {"image": {"positions": GRID**2, "dim": 192}}
    built = classifier(seed=seed, image_encoder=IMAGE, features=features)
    return built.requires_grad_(False)


def table(folder: Path, count: int) -> tuple[Path, MultimodalData]:
    """A table of pictures in two shards, and rows whose features its pictures give; every fourth
    has none."""
    data = rows(count)
    random = np.random.default_rng(0)
    contents = [
        encoded(Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)))
        if present
        else None
        for present in data.feature_mask["image"]
    ]
    written = [
        {"example_id": example_id, "image": content}
        for example_id, content in zip(data.example_ids, contents, strict=True)
    ]
    features = np.zeros((count, GRID**2, 192), dtype=np.float16)
    for row, content in enumerate(contents):
        if content is not None:
            pixels = stack_pixels([decode_pixels(content, SIDE)])
            features[row] = model().fuseline.encode_image(pixels)[0].numpy()
    write_examples(folder, written, shard_rows=-(-count * 2 // 3))
    return folder, replace(data, features={"image": features})
