"""Every kind of task, from raw rows through its export: the answers are those of the model."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.tasks.prediction import predict
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.scores import read_reference
from tests.support.exports import Exported, Tables

MANY = (
    ("classification", "label"),
    ("multilabel", "parts"),
    ("regression", "total"),
    ("token_classification", "tags"),
    ("generation", "caption"),
    ("retrieval", None),
)
# Each target may have one task.
OTHERS = (("generation", "retelling"), ("ranking", "total"))


@pytest.fixture(scope="module")
def exports(tmp_path_factory) -> dict[str, Exported]:
    tables = Tables(tmp_path_factory.mktemp("exports"))
    return {
        "many": tables.model("many", *MANY),
        "others": tables.model("others", *OTHERS, controls=["length"]),
    }


def check_classification(found, task, outputs, data, texts):
    assert found["label"] == task.spelt(outputs, data)[1]
    for row, logits in zip(found["probabilities"], outputs, strict=True):
        # Those of the first task are calibrated, which leaves their order.
        likeliest = [name for name, _ in sorted(row, key=lambda pair: -pair[1])]
        assert likeliest == [task.label_names[place] for place in np.argsort(-logits)]


def check_multilabel(found, task, outputs, data, texts):
    assert found["labels"] == [json.loads(one) for one in task.spelt(outputs, data)[1]]
    for row, shares in zip(found["probabilities"], task.probabilities(outputs), strict=True):
        assert [share for _, share in row] == pytest.approx(shares, abs=1e-4)


def check_regression(found, task, outputs, data, texts):
    assert found["value"] == pytest.approx(outputs, abs=1e-4)


def check_ranking(found, task, outputs, data, texts):
    assert found["score"] == pytest.approx(outputs, abs=1e-4)


def check_retrieval(found, task, outputs, data, texts):
    for place, name in enumerate(task.facts["modalities"]):
        assert np.array(found[f"{name}_vector"]) == pytest.approx(outputs[:, place], abs=1e-4)


def check_token_classification(found, task, outputs, data, texts):
    tags = task.spelt(outputs, data)[1]
    for row, own, text in zip(found["entities"], tags, texts, strict=True):
        words = [word for word, tag in zip(text.split(), own.split(), strict=False) if tag != "O"]
        assert " ".join(entity["text"] for entity in row).split() == words
        assert all(entity["text"] == text[entity["start"] : entity["end"]] for entity in row)


def check_generation(found, task, outputs, data, texts):
    """See below: `outputs` know the references."""
    assert list(found) == ["text"]


CHECKS = {
    "classification": check_classification,
    "generation": check_generation,
    "multilabel": check_multilabel,
    "ranking": check_ranking,
    "regression": check_regression,
    "retrieval": check_retrieval,
    "token_classification": check_token_classification,
}


def test_every_kind_is_tried():
    of_rows = {kind for kind, task in TASKS.items() if not task.rows_are_events}
    assert {kind for kind, _ in (*MANY, *OTHERS)} == of_rows == set(CHECKS)


@pytest.fixture(scope="module", params=["many", "others"])
def answered(request, exports):
    """A model, its raw test rows, and its answers by task."""
    one = exports[request.param]
    predictor = Predictor(one.folder, Options(probabilities=True))
    rows = one.raw(predictor, one.test)
    table = predictor.answer(rows)
    by_task: list[dict[str, list]] = [{} for _ in one.model.config.tasks]
    names = [task["name"] for task in one.model.config.tasks]
    for column in table.column_names:
        task, _, name = column.rpartition(".")
        if task or column not in ("row", "id", "in_scope", "out_of_scope"):
            by_task[names.index(task) if task else 0][name] = table.column(column).to_pylist()
    return one, rows, by_task


def test_raw_rows_are_answered_as_the_model_answers_them(answered):
    one, rows, by_task = answered
    tasks = build_tasks(one.model.config.tasks)
    texts = [row.given or "" for row in rows]
    made = predict(one.model, tasks, one.test, 32)
    for task, found, columns in zip(tasks, made, by_task, strict=True):
        assert len(found.data) == len(rows) > 10
        CHECKS[task.kind](columns, task, found.outputs, found.data, texts)


@pytest.mark.parametrize("name", ["many", "others"])
def test_the_reference_holds_the_scores_of_the_raw_test_rows(exports, name):
    """Labels and confidence of a classification, scope and presence of any task."""
    one = exports[name]
    predictor = Predictor(one.folder)
    found = predictor.scored(one.raw(predictor, one.test))[1]
    known = read_reference(one.folder)
    is_class = predictor.contract.tasks[0].kind == "classification"
    assert len(known) == len(found) > 10
    for key in ("label", "in_scope", "present"):
        assert sorted(str(row[key]) for row in known) == sorted(str(row[key]) for row in found)
    assert all((row["label"] is not None) == is_class for row in known)
    for key in ("confidence", "out_of_scope") if is_class else ("out_of_scope",):
        pairs = [sorted(row[key] for row in rows) for rows in (known, found)]
        assert pairs[0] == pytest.approx(pairs[1], abs=5e-3)


def test_probabilities_are_those_of_the_model(exports):
    one = exports["many"]
    predictor = Predictor(one.folder, Options(probabilities=True))
    table = predictor.answer(one.raw(predictor, one.test))
    found = [[share for _, share in row] for row in table.column("probabilities").to_pylist()]
    (task, *_) = build_tasks(one.model.config.tasks)
    outputs = predict(one.model, [task], one.test, 32)[0].outputs
    wanted = task.probabilities(outputs / predictor.contract.certainty.temperature)
    assert np.array(found) == pytest.approx(wanted, abs=1e-4)


def test_raw_rows_get_the_texts_that_the_model_writes(answered):
    one, _, by_task = answered
    entries = one.model.config.tasks
    params = one.stages.params["evaluate"]
    for place, task in enumerate(build_tasks(entries)):
        if task.kind == "generation":
            cells = one.examples.cells(entries[place]["target"], one.test)
            wanted = task.decode(one.model, place, cells, params, 0)
            assert by_task[place]["text"] == wanted.texts


def test_every_format_is_scored_on_texts(exports):
    metrics = exports["others"].metrics
    assert metrics["onnx"]["agreement"] == 1.0
    assert metrics["onnx"]["largest_difference"] < 1e-4
    for name in ("chrf", "bleu", "exact_match", "obeyed_length", "token_accuracy"):
        assert metrics["onnx"][name] == metrics["torch"][name]
        assert name in metrics["int8"]
    assert "decoder.int8.onnx" in metrics["megabytes"]
    assert "decoder.onnx" in (exports["others"].folder / "README.md").read_text()


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def index(exports, tmp_path_factory):
    """Of the rows that the first model learnt from."""
    path = tmp_path_factory.mktemp("index") / "index.parquet"
    rows = ["synthetic", "--source", "synthetic", "--model", exports["many"].folder]
    assert run("predict", *rows, "--vectors", "-o", path)[0] == 0
    return path


def test_a_control_changes_the_texts(exports, tmp_path):
    model = exports["others"].folder
    texts = []
    for asked in ("short", "long"):
        path = tmp_path / f"{asked}.jsonl"
        rows = ["synthetic", "--source", "synthetic", "--model", model, "-o", path]
        assert run("predict", *rows, "--control", f"length={asked}")[0] == 0
        texts.append([json.loads(line)["text"] for line in path.read_text().splitlines()])
    assert texts[0] != texts[1]
    code, said = run("predict", "--text", "a", "--model", model, "--control", "length=huge")
    assert code == 2
    assert "--control length: expected one of long, medium, short; found 'huge'." in said


def test_an_index_is_searched_by_a_text(exports, index):
    asked = ["--text", "a round thing", "-k", 3, "--model", exports["many"].folder]
    code, said = run("search", index, *asked)
    assert code == 0
    found = [json.loads(line) for line in said.splitlines()]
    assert [one["rank"] for one in found] == [1, 2, 3]
    assert {one["id"] for one in found} <= set(pq.read_table(index).column("id").to_pylist())


def test_an_index_is_searched_by_rows(exports, index, tmp_path):
    queries, found = tmp_path / "queries.jsonl", tmp_path / "found.csv"
    rows = [{"id": "a", "text": "a round thing"}, {"id": "b"}, {"id": "c", "text": "a red one"}]
    queries.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    asked = [queries, "-k", 2, "--model", exports["many"].folder, "-o", found]
    code, said = run("search", index, *asked)
    assert code == 0, said
    assert "row 1: " in said
    lines = found.read_text().splitlines()
    assert lines[0] == "query,query_id,rank,row,id,score"
    assert [line.split(",")[1] for line in lines[1:]] == ["a", "a", "c", "c"]


def test_every_row_is_nearest_to_itself_by_what_is_alike(exports, index):
    """Its own text, among all texts."""
    one = exports["many"]
    predictor = Predictor(one.folder)
    text = one.raw(predictor, one.test)[0].given
    asked = ["--text", text, "--by", "text", "-k", 1, "--model", one.folder]
    (found,) = [json.loads(line) for line in run("search", index, *asked)[1].splitlines()]
    assert found["score"] == pytest.approx(1.0, abs=1e-4)


def test_what_cannot_be_looked_for_is_refused(exports, index):
    many, others = (exports[name].folder for name in ("many", "others"))
    code, said = run("search", index, "--model", many)
    assert code == 2
    assert "expected something to look for" in said
    # The other model has other weights.
    code, said = run("search", index, "--text", "a", "--model", others)
    assert code == 2
    assert "expected vectors of the model that is asked" in said
