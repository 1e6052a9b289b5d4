"""What `fuseline predict` does with its options."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.serving.cleaning import Refused
from fuseline.serving.predict import print_answers, refused_of, write_answers
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.rows import ASKED, Request, one_row, opened
from fuseline.serving.writers import as_objects

NOTHING_ASKED = (
    "expected rows to answer, found none. Name a file, a folder or a pattern, `-` for standard"
    " input, or give one row:\n"
    "  fuseline predict rows.csv -o answers.csv\n"
    "  fuseline predict pictures/ -o answers.jsonl\n"
    '  fuseline predict --text "a text" --image picture.jpg'
)


@dataclass(frozen=True)
class Asked:
    """Which model answers, and how; see `Options`."""

    model: Path
    int8: bool
    probabilities: bool
    neighbours: bool
    threads: int

    def predictor(self) -> Predictor:
        """The model."""
        options = Options(
            "int8" if self.int8 else "onnx", self.threads, self.probabilities, self.neighbours
        )
        return Predictor(self.model, options)


def answer_rows(
    asked: Asked,
    path: str,
    output: Path | None,
    columns: Sequence[str],
    source: str,
    encoding: str,
) -> bool:
    """Answer every row of an input; whether none could be answered.

    Raises:
        ConfigError: the input or an option is wrong.
    """
    predictor = asked.predictor()
    request = Request(path, source, _columns(columns), encoding)
    with opened(request, predictor.contract) as rows:
        if output is None:
            counts = print_answers(predictor, rows)
        else:
            counts = write_answers(predictor, rows, request, output)
    if output is not None:
        print(f"{output}: {counts.answered} rows answered.")
        if counts.refused:
            print(f"{refused_of(output)}: {counts.refused} rows refused, each with its reason.")
    return not counts.answered


def answer_one(
    asked: Asked,
    texts: Sequence[str],
    media: Mapping[str, Sequence[Path]],
    cells: Sequence[str],
) -> bool:
    """Answer the row that the options describe; whether it was refused.

    Raises:
        ConfigError: nothing was asked, or a file cannot be read.
    """
    given = dict(_pair(cell, "--cell", "COLUMN=VALUE") for cell in cells)
    row = one_row(texts, media, given)
    if not (texts or given or any(media.values())):
        raise ConfigError(NOTHING_ASKED)
    predictor = asked.predictor()
    cleaned = predictor.clean(row)
    if isinstance(cleaned, Refused):
        print(f"refused: {cleaned.reason}: {cleaned.detail}", file=sys.stderr)
        return True
    (answer,) = as_objects(predictor.answer([cleaned]))
    if changes := cleaned.record["sanitised"]:
        print(f"cleaned as in training: {', '.join(changes)}", file=sys.stderr)
    print(described(answer) if sys.stdout.isatty() else json.dumps(answer, ensure_ascii=False))
    return False


def described(answer: Mapping[str, Any]) -> str:
    """An answer for people, a line a figure."""
    shown = {name: value for name, value in answer.items() if name not in ("row", "id")}
    width = max(len(name) for name in shown) + 2
    return "\n".join(f"{name:<{width}}{_shown(value)}" for name, value in shown.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} {share:.3f}" for name, share in ordered)
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return "-" if value is None else str(value)


def _columns(given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in given:
        name, column = _pair(pair, "--column", "FIELD=NAME")
        if name not in ASKED:
            raise ConfigError(f"--column: expected one of {', '.join(ASKED)}, found '{name}'.")
        found.setdefault(name, []).extend([column] if column else [])
    return found


def _pair(given: str, option: str, form: str) -> tuple[str, str]:
    name, parted, value = given.partition("=")
    if not parted or not name:
        raise ConfigError(f"{option}: expected {form}, found '{given}'.")
    return name, value
