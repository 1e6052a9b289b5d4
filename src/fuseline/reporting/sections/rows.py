"""Rows of the examples table as the report shows them: text, pictures, sound, cells."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from PIL import Image

from fuseline.contracts import EXAMPLES, TEXT_JOINT, iter_shards
from fuseline.data.media.audio import decode_audio
from fuseline.data.media.video import read_video
from fuseline.data.media.waveform import Waveform
from fuseline.errors import ContractError

THUMBNAIL_SIZE = 64
FRAME_SIZE = 48
NUM_FRAMES = 3
WAVE_BARS = 40
MAX_CELLS = 6
_COLUMNS = ["example_id", "group", "text", "label", "image", "audio", "video", "tabular"]


@dataclass(frozen=True)
class Sound:
    """A sound: its length, and an SVG path of its loudness over time, 80 wide and 24 high."""

    seconds: float
    path: Markup


@dataclass(frozen=True)
class Clip:
    """A video: its length, a few frames at even times as PNG data URIs, whether it has sound."""

    seconds: float
    frames: list[str]
    has_sound: bool


@dataclass(frozen=True)
class RowContent:
    """What a row holds; None for what it lacks.

    Attributes:
        thumbnail: the picture as a PNG data URI.
        cells: names and values of the first columns that are not empty.
        num_cells: how many columns are not empty.
    """

    example_id: str
    group: str
    label: str | None
    text: str | None
    thumbnail: str | None
    sound: Sound | None
    clip: Clip | None
    cells: list[tuple[str, str]] | None
    num_cells: int


def read_contents(examples: Path, wanted: set[str]) -> dict[str, RowContent]:
    """Rows by id.

    Raises:
        ContractError: a row is not in the examples table.
    """
    found: dict[str, RowContent] = {}
    ids = pa.array(sorted(wanted), pa.string())
    for _, table in iter_shards(examples, EXAMPLES, "examples", _COLUMNS):
        rows = table.filter(pc.is_in(table["example_id"], ids)).to_pylist()
        found |= {row["example_id"]: _content(row) for row in rows}
    missing = sorted(wanted - set(found))
    if missing:
        raise ContractError(
            f"{examples}: the row '{missing[0]}' of another table is not among the examples."
            " Run `dvc repro` to make both from the same rows."
        )
    return found


def thumbnail(media: dict[str, Any] | None) -> str | None:
    """A PNG data URI of at most 64 pixels a side; None without picture."""
    if media is None or media["bytes"] is None:
        return None
    with Image.open(io.BytesIO(media["bytes"])) as picture:
        return _data_uri(picture, THUMBNAIL_SIZE)


def wave_path(waveform: Waveform) -> Markup:
    """SVG path data: one upright bar per span of time, as high as its loudest sample."""
    spans = np.array_split(np.abs(waveform.samples), min(WAVE_BARS, len(waveform.samples)))
    peaks = np.array([span.max() for span in spans])
    heights = 1 + 11 * peaks / max(float(peaks.max()), 1e-6)
    bars = (
        f"M{1 + 2 * place} {12 - height:.1f}v{2 * height:.1f}"
        for place, height in enumerate(heights)
    )
    # Numbers alone, so that there is nothing to escape.
    return Markup("".join(bars))


def _content(row: dict[str, Any]) -> RowContent:
    cells = None
    if row["tabular"] is not None:
        cells = [(name, value) for name, value in row["tabular"] if value not in (None, "")]
    return RowContent(
        example_id=row["example_id"],
        group=row["group"],
        label=row["label"],
        # A browser shows nothing where the joint is.
        text=row["text"] and row["text"].replace(TEXT_JOINT, " | "),
        thumbnail=thumbnail(row["image"]),
        sound=_sound(row["audio"]),
        clip=_clip(row["video"]),
        cells=None if cells is None else cells[:MAX_CELLS],
        num_cells=len(cells or []),
    )


def _sound(media: dict[str, Any] | None) -> Sound | None:
    if media is None or media["bytes"] is None:
        return None
    waveform = decode_audio(media["bytes"])
    return Sound(len(waveform.samples) / waveform.sampling_rate, wave_path(waveform))


def _clip(media: dict[str, Any] | None) -> Clip | None:
    if media is None or media["bytes"] is None:
        return None
    video = read_video(media["bytes"], num_frames=NUM_FRAMES)
    frames = [_data_uri(frame, FRAME_SIZE) for frame in video.frames]
    return Clip(video.duration_seconds, frames, video.has_sound)


def _data_uri(picture: Image.Image, side: int) -> str:
    small = picture.convert("RGBA")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
