"""What the user cannot see in the tables, in sentences and figures."""

from __future__ import annotations

from fuseline.data.ingest.spellings import Spellings, parted_by
from fuseline.data.sources.base import LineCounts, brief
from fuseline.params.ingest import ColumnParams, IngestParams

_SHOWN = 2


def line_figures(lines: LineCounts | None, rows: int) -> dict[str, int]:
    """Lines of the source's text files by what they are; all zero where it has none."""
    if lines is None:
        lines = LineCounts()
    else:
        assert lines.rows == rows, "a line was lost"
    return {
        "all": lines.all,
        "header": lines.header,
        "blank": lines.blank,
        "further_lines_of_rows": lines.further,
    }


def name_notes(params: IngestParams, spellings: Spellings) -> list[str]:
    """What was made one of labels and targets, what may be one, and what may be several."""
    columns: ColumnParams | None = getattr(getattr(params, params.source), "columns", None)
    notes = spellings.notes("label") + _parted_labels(columns, spellings)
    for name, kind in columns.targets.items() if columns else ():
        if kind in ("category", "categories"):
            notes += [*spellings.notes(name), *_parted_targets(name, kind, params, spellings)]
    return notes


def _parted_labels(columns: ColumnParams | None, spellings: Spellings) -> list[str]:
    mark = parted_by(spellings.names("label"))
    if mark is None or columns is None or columns.label is None:
        return []
    # No target may be called as tasks call the label.
    name, rename = columns.label, ""
    if name == "label":
        name, rename = "labels", "rename the column to labels, "
    return [
        f"label: {_several(spellings, 'label', mark)}, each combination a class of its own. Where"
        f" they are, {rename}set columns.label to null, columns.targets to {{{name}: categories}},"
        f" ingest.categories_separator to '{mark}', and finetune.tasks to [{{kind: multilabel,"
        f" target: {name}, weight: 1.0}}]."
    ]


def _parted_targets(name: str, kind: str, params: IngestParams, spellings: Spellings) -> list[str]:
    mark = parted_by(spellings.names(name))
    if mark is None or (kind == "categories" and mark == " "):
        return []
    as_categories = "" if kind == "categories" else f"columns.targets.{name} to categories, "
    return [
        f"{name}: {_several(spellings, name, mark)}, each combination a name of its own. Where they"
        f" are, set {as_categories}ingest.categories_separator to '{mark}'"
        f"{'' if kind == 'categories' else ', and its task to multilabel'}; now it is"
        f" '{params.categories_separator}'."
    ]


def _several(spellings: Spellings, column: str, mark: str) -> str:
    names = [name for name in sorted(spellings.names(column)) if mark in name]
    shown = ", ".join(repr(brief(name)) for name in names[:_SHOWN])
    parted = "a space" if mark == " " else f"'{mark}'"
    return (
        f"{len(names)} of {len(spellings.names(column))} names ({shown}) read like several, parted"
        f" by {parted}"
    )
