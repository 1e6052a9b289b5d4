"""Pictures and frames through a frozen image encoder, in batches of one size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch

from fuseline.data.modalities.extraction.stored_media import Medium
from fuseline.data.modalities.image.folding import fold
from fuseline.data.modalities.image.networks import WHERE, ImageEncoder, build_image_encoder
from fuseline.data.modalities.image.pixels import decode_pixels, stack_pixels
from fuseline.params.extract_features import ImageFeatureParams
from fuseline.pipeline.precision import Precision, autocast, use_bf16

S = TypeVar("S")
T = TypeVar("T")


class PictureEncoder:
    """Stored pictures to features (grid², D); with `top_layers` to the states below these, as many
    as there are."""

    def __init__(self, params: ImageFeatureParams, precision: Precision) -> None:
        self.params, self.precision = params, precision
        self.network = frozen_network(
            params.encoder,
            params.grid,
            params.image_size,
            precision,
            top_layers=params.top_layers,
            where=WHERE,
        )
        self.shape = self._shape()
        self.facts: dict[str, Any] = {
            "encoder": params.encoder,
            "revision": self.network.revision,
            "config": self.network.config,
            "image_size": params.image_size,
            "grid": params.grid,
            "top_layers": params.top_layers,
        }

    def _shape(self) -> tuple[int, int]:
        """Tried out: how many positions there are below some layer depends on all before it."""
        black = np.zeros((3, self.params.image_size, self.params.image_size), dtype=np.uint8)
        positions, dim = next(encode_pixels(self.network, [black], 1, self.precision)).shape
        return positions, dim

    def encode(self, media: Sequence[Medium]) -> Iterator[np.ndarray]:
        """Features of each picture in turn; see `Encoder`."""
        decode = partial(decode_pixels, image_size=self.params.image_size)
        pixels = ahead(lambda medium: medium.decoded(decode), media, self.params.batch_size)
        return encode_pixels(self.network, pixels, self.params.batch_size, self.precision)


def frozen_network(
    encoder: str,
    grid: int,
    image_size: int,
    precision: Precision,
    *,
    top_layers: int = 0,
    where: str,
) -> ImageEncoder:
    """An image encoder with its weights, laid out for speed; see `folding`.

    Args:
        encoder: name, folder or id, as in the params.
        grid: positions a side.
        image_size: S of the pixels to come.
        precision: under which it will run.
        top_layers: uppermost layers to leave out.
        where: the params key that gave the name.

    Raises:
        ConfigError: no such encoder.
    """
    network = build_image_encoder(encoder, grid, weights=True, top_layers=top_layers, where=where)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    noise = np.random.default_rng(0).integers(0, 256, (3, image_size, image_size), dtype=np.uint8)
    dtype = torch.bfloat16 if use_bf16(precision) else torch.float32
    return fold(network, stack_pixels([noise]), dtype)


def encode_pixels(
    network: ImageEncoder, pixels: Iterable[np.ndarray], batch_size: int, precision: Precision
) -> Iterator[np.ndarray]:
    """Features (P, D) float16 of each of the pixels (3, S, S) uint8.

    Every batch has the same number of pictures, black ones at its end where need be: which
    kernels run, and so the last bits of a float32 result, depend on the size of the batch.
    Within one size, a picture's features depend neither on its place nor on its neighbours.
    """

    def states(batch: list[np.ndarray]) -> np.ndarray:
        padding = [np.zeros_like(batch[0])] * (batch_size - len(batch))
        with torch.inference_mode(), autocast(precision):
            found = network(stack_pixels(batch + padding))[: len(batch)]
        halves: np.ndarray = found.to(torch.float16).numpy()
        return halves

    waiting = iter(pixels)
    batches = iter(lambda: list(islice(waiting, batch_size)), [])
    for found in ahead(states, batches, torch.get_num_threads()):
        yield from found


def ahead(work: Callable[[S], T], items: Iterable[S], depth: int) -> Iterator[T]:
    """`map`, in as many threads as torch has, which run up to `depth` items ahead of the reader.

    Each computes alone: two threads on a batch each are faster than both on one, lose less to
    other processes, and round alike whatever their number.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=_compute_alone) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            # The number is partly the thread's own, partly the whole process's.
            torch.set_num_threads(threads)


def _compute_alone() -> None:
    # A thread takes the process's number when it first asks, which would undo its own if it asked
    # after: `ahead` within `ahead` ends by setting that number while the outer threads begin.
    torch.get_num_threads()
    torch.set_num_threads(1)
