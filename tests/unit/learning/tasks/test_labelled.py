"""Tasks learnt from an examples table, side by side."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fuseline.contracts import EXAMPLES, TableWriter
from fuseline.data.dataset import MultimodalData
from fuseline.errors import ConfigError, ContractError
from fuseline.learning.tasks.labelled import Examples, build_tasks, learn_tasks, with_labels
from fuseline.params.finetune import TaskParams
from tests.support.tasks import data, params, texts, tokenizer

COUNT = 12
KINDS = {"stars": "number", "parts": "categories", "caption": "text"}
# Row 0 has a label alone, 1 stars alone, 2 parts alone, 3 nothing; the others have everything.
LABELS = ["ant", None, None, None, *["bee", "cat"] * 4]
STARS = [None, "1.0", None, None, *map(str, range(8))]
PARTS = [None, None, '["a"]', None, *['["a", "b"]', "[]"] * 4]


def examples(folder: Path, rows: MultimodalData, **changes: list[object]) -> Examples:
    targets = [
        [(name, cell) for name, cell in (("stars", s), ("parts", p)) if cell is not None] or None
        for s, p in zip(STARS, PARTS, strict=True)
    ]
    columns = {
        "example_id": rows.example_ids,
        "source_row": list(range(COUNT)),
        "split": rows.splits.tolist(),
        "group": [str(group) for group in rows.groups],
        "text": texts(COUNT),
        "label": LABELS,
        "targets": targets,
        "sanitised": [[]] * COUNT,
        "findings": [[]] * COUNT,
    } | changes
    columns = {name: columns.get(name, [None] * COUNT) for name in EXAMPLES.names}
    writer = TableWriter(folder, EXAMPLES, "examples")
    writer.write("00000.parquet", pa.table(columns, schema=EXAMPLES))
    writer.finish(targets=KINDS)
    return Examples(folder, rows, tokenizer())


def asked(*tasks: tuple[str, str | None]):
    found = [TaskParams(kind=kind, target=target, weight=1.0) for kind, target in tasks]
    return params().model_copy(update={"tasks": found})


@pytest.fixture
def table(tmp_path):
    return examples(tmp_path, data(COUNT))


THREE = [("classification", "label"), ("regression", "stars"), ("multilabel", "parts")]


def test_a_row_stays_for_any_of_its_labels(table):
    entries = learn_tasks(table, asked(*THREE))
    whole = data(COUNT)
    found = with_labels(whole, table, entries)
    left_out = [name for name in whole.example_ids if name not in found.example_ids]
    assert left_out == ["row-003"]
    tasks = build_tasks(entries)
    assert [task.key for task in tasks] == ["labels", "stars_labels", "parts_labels"]
    own = [[found.example_ids[row] for row in task.own_rows(found)][:2] for task in tasks]
    assert own == [["row-000", "row-004"], ["row-001", "row-004"], ["row-002", "row-004"]]
    assert found.label_names == tasks[0].label_names == ["ant", "bee", "cat"]
    batch = found.batch([0, 1])
    assert batch["stars_labels"][1] == 1.0
    assert batch["stars_labels"][0].isnan()


def test_retrieval_keeps_rows_that_no_target_knows(table):
    """It needs no label: row 3 lacks its picture, and stays out; row 1 has both."""
    entries = learn_tasks(table, asked(("retrieval", None)))
    found = with_labels(data(COUNT), table, entries)
    assert found.example_ids[:3] == ["row-000", "row-001", "row-002"]
    assert "row-003" not in found.example_ids


def test_entries_are_json_and_build_the_same_tasks(table):
    entries = learn_tasks(table, asked(*THREE))
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    assert [entry["name"] for entry in entries] == ["label", "stars", "parts"]
    # Training rows with stars are 1, 4, 5, 8, 9.
    assert entries[1]["facts"]["mean"] == pytest.approx(np.mean([1, 0, 1, 4, 5]))


def test_cells_of_some_rows_are_theirs(table):
    some = data(COUNT).take(np.array([7, 2, 5]))
    found = table.cells("parts", some)
    assert found.values == ["[]", '["a"]', "[]"]
    assert found.texts == [texts(COUNT)[row] for row in (7, 2, 5)]
    assert found.data is some
    assert table.cells(None, some).values == [None] * 3


def test_targets_are_no_inputs(table):
    """Rows with targets give the same batch as those without, but for labels."""
    entries = learn_tasks(table, asked(*THREE))
    found = with_labels(data(COUNT), table, entries)
    batch, plain = found.batch([0, 1, 2]), data(COUNT).batch([0, 1, 2])
    # Row 3 is left out, and was the translation of row 2.
    others = {"labels", "stars_labels", "parts_labels", "translation_tokens"}
    for name in set(batch) - others:
        assert batch[name].equal(plain[name]), name


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            ("regression", "star"),
            r"^finetune\.tasks\[0\]\.target: expected one of label, caption, parts, stars; found"
            r" 'star'\. Did you mean 'stars'\? Name further columns in the source's",
        ),
        (("regression", None), r"expected one of label, caption, parts, stars; found 'None'"),
        (
            ("regression", "label"),
            r"^finetune\.tasks\[0\]: regression learns targets of kind number, but 'label' is of"
            r" kind category\. Choose another task or target\.$",
        ),
        (
            ("retrieval", "stars"),
            r"^finetune\.tasks\[0\]\.target: retrieval learns no target; expected null, found"
            r" 'stars'\. Set it to null\.$",
        ),
        (("multilabel", "caption"), r"kind categories, but 'caption' is of kind text"),
        (("token_classification", "parts"), r"kind tags, but 'parts' is of kind categories"),
    ],
)
def test_a_target_must_be_there_and_fit(table, task, message):
    with pytest.raises(ConfigError, match=message):
        learn_tasks(table, asked(task))


def test_tables_of_other_rows_are_an_error(tmp_path):
    rows = data(COUNT)
    with pytest.raises(ContractError, match=r"its rows are not those of the tokens table"):
        examples(tmp_path, rows, example_id=rows.example_ids[::-1])
