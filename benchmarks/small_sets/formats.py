"""One table of texts and labels in the formats that tables come in."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

from benchmarks.small_sets.material import (
    Row,
    SmallSet,
    json_lines,
    messages,
    outside_data,
    parquet,
    put,
    statements,
    table,
)


def _rows() -> list[Row]:
    return [{"text": text, "category": intent} for text, intent in messages()]


def comma(folder: Path) -> Path:
    return table(folder / "rows.csv", _rows())


def semicolon(folder: Path) -> Path:
    return table(folder / "rows.csv", _rows(), separator=";")


def pipe(folder: Path) -> Path:
    return table(folder / "rows.csv", _rows(), separator="|")


def tabs(folder: Path) -> Path:
    return table(folder / "rows.tsv", _rows(), separator="\t")


def packed(folder: Path) -> Path:
    content = table(folder / "rows.csv", _rows()).read_bytes()
    (folder / "rows.csv").unlink()
    return put(folder / "rows.csv.gz", gzip.compress(content, mtime=0))


def lines_of_json(folder: Path) -> Path:
    return json_lines(folder / "rows.jsonl", _rows())


def other_ending(folder: Path) -> Path:
    return json_lines(folder / "rows.ndjson", _rows())


def json_array(folder: Path) -> Path:
    return put(folder / "rows.json", json.dumps(_rows(), indent=1).encode())


def nested_json(folder: Path) -> Path:
    content = {"version": "1.0", "data": _rows()}
    return put(folder / "rows.json", json.dumps(content).encode())


def of_parquet(folder: Path) -> Path:
    return parquet(folder / "rows.parquet", _rows())


def batches(folder: Path) -> Path:
    rows = _rows()
    for place in range(3):
        table(folder / f"batch_{place + 1}.csv", rows[place::3])
    return folder


def workbook(folder: Path) -> Path:
    """As much of a workbook as tells what it is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo("xl/worksheets/sheet1.xml", (2020, 1, 1, 0, 0, 0))
        archive.writestr(entry, "<worksheet><sheetData/></worksheet>")
    return put(folder / "rows.xlsx", file.getvalue())


def by_another_name(folder: Path) -> Path:
    return table(folder / "rows.txt", _rows(), separator="\t")


def headerless(folder: Path) -> Path:
    rows = [f'{label},"{text}"' for label, text in statements() if '"' not in text]
    return put(folder / "rows.csv", "\n".join(rows).encode())


def headerless_latin(folder: Path) -> Path:
    """The file as it was published: Latin-1, spaces behind the commas."""
    lines = (outside_data("phrasebank") / "all-data.csv").read_bytes().splitlines(keepends=True)
    accented = [line for line in lines if any(byte > 127 for byte in line)]
    return put(folder / "all-data.csv", b"".join([*lines[::40], *accented[:20]]))


def spaced_quotes(folder: Path) -> Path:
    lines = [f'"{row["text"]}", {row["category"]}' for row in _rows() if '"' not in row["text"]]
    return put(folder / "rows.csv", "\n".join(["text, category", *lines]).encode())


def byte_order_mark(folder: Path) -> Path:
    return table(folder / "rows.csv", _rows(), encoding="utf-8-sig", end="\r\n")


def utf_16(folder: Path) -> Path:
    return table(folder / "rows.csv", _rows(), separator="\t", encoding="utf-16")


def named_separator(folder: Path) -> Path:
    content = table(folder / "rows.csv", _rows(), separator=";", end="\r\n").read_bytes()
    return put(folder / "rows.csv", b"sep=;\r\n" + content)


def title_above(folder: Path) -> Path:
    content = table(folder / "rows.csv", _rows()).read_bytes()
    return put(folder / "rows.csv", b"Export of 1 May,\n,\n" + content)


SETS = {
    "comma": SmallSet("CSV", comma, by_dvc=True),
    "semicolon": SmallSet("CSV parted by semicolons", semicolon),
    "pipe": SmallSet("CSV parted by |", pipe),
    "tabs": SmallSet("TSV", tabs),
    "packed": SmallSet("CSV in gzip", packed),
    "json_lines": SmallSet("JSON lines", lines_of_json),
    "ndjson": SmallSet("JSON lines by another ending", other_ending),
    "json_array": SmallSet("a JSON array", json_array),
    "nested_json": SmallSet("a JSON object around the rows", nested_json),
    "parquet": SmallSet("Parquet", of_parquet),
    "batches": SmallSet("a folder of three CSV files", batches),
    "workbook": SmallSet("a workbook, .xlsx", workbook),
    "txt": SmallSet("TSV that ends in .txt", by_another_name),
    "headerless": SmallSet("CSV without a header", headerless),
    "headerless_latin": SmallSet("PhraseBank as published: Latin-1, no header", headerless_latin),
    "spaced_quotes": SmallSet("spaces behind the commas", spaced_quotes),
    "byte_order_mark": SmallSet("UTF-8 with a mark, CRLF", byte_order_mark),
    "utf_16": SmallSet("UTF-16 with tabs, as Excel writes it", utf_16),
    "named_separator": SmallSet("a line sep=; above the header", named_separator),
    "title_above": SmallSet("two lines of a title above the header", title_above),
}
