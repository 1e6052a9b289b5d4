"""Small examples tables."""

import io

import pyarrow as pa
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
