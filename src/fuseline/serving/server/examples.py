"""An example row made of an export's contract, and what its answer must be: the test that an export
passes before it serves."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fuseline.data.sources import Media, RawRow
from fuseline.errors import ContractError
from fuseline.serving.cleaning import Refused
from fuseline.serving.contract import ExportContract
from fuseline.serving.predictor import Predictor
from fuseline.serving.writers import as_objects

SIDE = 32  # pixels
RATE = 16_000  # Hz
NUM_FRAMES = 8


def self_test(predictor: Predictor) -> None:
    """Answer an example of every modality, and one of nothing but what it must have.

    Raises:
        ContractError: the export refuses it, or a number of an answer is none.
    """
    where = predictor.folder
    row = example_row(predictor.contract)
    cleaned = predictor.clean(row)
    if isinstance(cleaned, Refused):
        raise ContractError(f"{where}: refuses an example row: {cleaned.reason}. {_REMEDY}")
    try:
        (answer,) = as_objects(predictor.answer([cleaned]))
    except Exception as error:
        raise ContractError(f"{where}: cannot answer an example row: {error}. {_REMEDY}") from error
    if not all(map(math.isfinite, _numbers(answer))):
        raise ContractError(
            f"{where}: expected numbers in the answer to an example row, found others. {_REMEDY}"
        )


_REMEDY = "Export the model again with `dvc repro export`, or fetch it with `dvc pull`."


def _numbers(value: Any) -> Iterable[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, float):
        yield value


def example_row(contract: ExportContract) -> RawRow:
    """A row with every modality that a model takes."""
    make: dict[str, Any] = {"image": picture, "audio": sound, "video": film}
    media: dict[str, Any] = {
        name: Media(make[name](), None) for name in contract.modalities if name in make
    }
    taken = contract.modalities
    return RawRow(
        source_row=0,
        is_named=False,
        text="An example." if "text" in taken else None,
        tabular=dict.fromkeys(contract.cells, "1") if "tabular" in taken else None,
        raw={},
        **media,
    )


def picture() -> bytes:
    """A grey ramp, as PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def sound() -> bytes:
    """Half a second of a tone, as WAV."""
    import soundfile

    times = np.arange(RATE // 2) / RATE
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 440 * times), RATE, format="WAV")
    return file.getvalue()


def film() -> bytes:
    """A few frames that grow brighter, as MP4."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("mpeg4", 8)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(NUM_FRAMES):
            pixels = np.full((SIDE, SIDE, 3), 30 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return file.getvalue()
