"""Small examples tables."""

import io

import av
import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

from fuseline.contracts import EXAMPLES, TableWriter


def png(color, size=(20, 12), mode="RGB"):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, "PNG")
    return out.getvalue()


def write_examples(folder, rows, shard_rows=3):
    """A table of rows of which only some columns are given; media are bytes."""
    full = [_row(number, given) for number, given in enumerate(rows)]
    writer = TableWriter(folder, EXAMPLES, "examples")
    for index, start in enumerate(range(0, len(full), shard_rows)):
        part = pa.Table.from_pylist(full[start : start + shard_rows], EXAMPLES)
        writer.write(f"{index:05d}.parquet", part)
    writer.finish()
    return folder


def _row(number, given):
    row = dict.fromkeys(EXAMPLES.names) | {
        "example_id": f"row-{number}",
        "source_row": number,
        "split": "train",
        "group": f"g{number}",
        "text": "x",
        "label": "x",
        "sanitised": [],
        "findings": [],
    }
    row |= given
    for name in ("image", "audio", "video"):
        if isinstance(row[name], bytes):
            row[name] = {"bytes": row[name], "path": f"{number}.{name}"}
    if row["tabular"] is not None:
        row["tabular"] = list(row["tabular"].items())
    return row


def wav(samples, rate):
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def mp4(frames=None, sound=None, rate=16000):
    """Pictures (H, W, 3) uint8 at ten a second, with sound (N,) where given."""
    frames = [np.zeros((32, 32, 3), np.uint8)] * 5 if frames is None else frames
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.height, picture.width = frames[0].shape[:2]
        picture.pix_fmt = "yuv420p"
        voice = container.add_stream("aac", rate=rate, layout="mono") if sound is not None else None
        for frame in frames:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(picture.encode())
        if voice is not None:
            block = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            block.sample_rate = rate
            container.mux(voice.encode(block))
            container.mux(voice.encode())
    return out.getvalue()
