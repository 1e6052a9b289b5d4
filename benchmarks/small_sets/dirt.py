"""Rows with something the matter: empty, long, repeated, marked up, damaged."""

from __future__ import annotations

from pathlib import Path

from benchmarks.small_sets.material import Row, SmallSet, json_lines, messages, put, table


def _rows() -> list[Row]:
    return [{"text": text, "category": intent} for text, intent in messages()]


def empty_texts(folder: Path) -> Path:
    rows = [row | {"text": row["text"] if n % 6 else " "} for n, row in enumerate(_rows())]
    return table(folder / "rows.csv", rows)


def long_texts(folder: Path) -> Path:
    rows = _rows()
    rows[7]["text"] *= 1000
    return json_lines(folder / "rows.jsonl", rows)


def copies(folder: Path) -> Path:
    return table(folder / "rows.csv", [row for row in _rows()[:40] for _ in range(3)])


def disagreeing_copies(folder: Path) -> Path:
    rows = _rows()
    return table(folder / "rows.csv", [*rows, *(row | {"category": "other"} for row in rows[:20])])


def markup(folder: Path) -> Path:
    rows = [
        row | {"text": f"<p>{row['text']}</p>\n<br/>&nbsp;\U0001f600 https://example.org/{n}"}
        for n, row in enumerate(_rows())
    ]
    return table(folder / "rows.csv", rows)


def open_quote(folder: Path) -> Path:
    """A quote that is opened in one row and closed twenty rows on."""
    lines = table(folder / "rows.csv", _rows()).read_text(encoding="utf-8").splitlines()
    lines[30] = f'"{lines[30]}'
    lines[50] = lines[50].replace(",", '",', 1)
    return put(folder / "rows.csv", "\n".join(lines).encode())


def short_rows(folder: Path) -> Path:
    lines = table(folder / "rows.csv", _rows()).read_text(encoding="utf-8").splitlines()
    cut = [line.rpartition(",")[0] if n and n % 12 == 0 else line for n, line in enumerate(lines)]
    return put(folder / "rows.csv", "\n".join(cut).encode())


def personal_data(folder: Path) -> Path:
    rows = [
        row | {"text": f"{row['text']} Write to jo{n}@example.org or call +49 30 123456{n % 10}."}
        for n, row in enumerate(_rows())
    ]
    return table(folder / "rows.csv", rows)


def header_alone(folder: Path) -> Path:
    return put(folder / "rows.csv", b"text,category\n")


def nothing(folder: Path) -> Path:
    return put(folder / "rows.csv", b"")


def few_rows(folder: Path) -> Path:
    return table(folder / "rows.csv", _rows()[:6])


SETS = {
    "empty_texts": SmallSet("a sixth of the texts is blank", empty_texts),
    "long_texts": SmallSet("one text of 30,000 characters", long_texts),
    "copies": SmallSet("each row three times", copies),
    "disagreeing_copies": SmallSet("twenty rows again with another label", disagreeing_copies),
    "markup": SmallSet("HTML, emoji and addresses", markup),
    "open_quote": SmallSet("a quote left open over twenty rows", open_quote),
    "short_rows": SmallSet("every twelfth row lacks a cell", short_rows),
    "personal_data": SmallSet("addresses and numbers of people", personal_data),
    "header_alone": SmallSet("a header and no row", header_alone),
    "nothing": SmallSet("an empty file", nothing),
    "few_rows": SmallSet("six rows", few_rows),
}
