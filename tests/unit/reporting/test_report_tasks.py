"""The report and the summary of a model whose first task is no classification."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fuseline.evaluation.scoring.tables import write_plots, write_predictions
from fuseline.learning.tasks import TASKS
from fuseline.reporting.figures import FIGURES, RIGHT
from fuseline.reporting.sections.examples import choose_examples, read_predictions
from fuseline.workbench.summary import summarise
from tests.unit.reporting.test_report import (
    EVIL,
    INGEST,
    NUM_ROWS,
    Reader,
    inputs,
    page_of,
    robust,
    trusted,
)

__all__ = ["inputs"]

NO_PROBABILITIES = np.zeros((NUM_ROWS, 0), dtype=np.float32)
SCORES = {"rmse": 1.25, "mae": 1.125, "r2": -0.5}
CURVE = [
    {"scale": 1.0, "robust_accuracy": 0.4, "fgm_robust_accuracy": 0.5, "attacked_share": 0.5},
]
ROBUST = robust(CURVE)
PARTS = ("text_only", "image_only", "shuffled", "twin", "twin_text_only", "twin_image_only")
FURTHER = {EVIL: {"rows": 7.0, "macro_f1": 0.625, "chrf": 31.5, "newly_named": 0.75}}
REGRESSION = {
    "rows": NUM_ROWS,
    "task": "regression",
    **SCORES,
    **{part: {name: value + 1 for name, value in SCORES.items()} for part in PARTS},
    "further_tasks": FURTHER,
    **ROBUST,
}
RETRIEVAL = {
    "rows": NUM_ROWS,
    "task": "retrieval",
    "recall_at_1": 0.25,
    "text_to_image_median_rank": 3.0,
    "text_to_image_recall_at_5": 0.5,
}
CHARTS = ("By what a row holds", "Where it errs", "Reliability", "By label", "calibration")
SLICES = {
    "lang": {
        "slices": [
            {
                "value": value,
                "rows": 15,
                "rmse": rmse,
                "right": right,
                "intervals": {
                    "rmse": {"low": 1.0, "high": 2.0},
                    "right": {"low": 0.25, "high": 0.75},
                },
            }
            for value, rmse, right in [("de", 1.25, 0.625), ("en", 1.5, 0.5)]
        ],
        "rows_left_out": 0,
        "gap": {"rmse": 0.25, "right": 0.0},
    }
}


def rewrite(inputs, data, metrics, spelt, probabilities) -> None:
    """Put what a model of another task leaves in the place of the classification's files."""
    for name in ("finetuned", "adversarial"):
        (inputs.metrics / "evaluate" / f"{name}.json").write_text(json.dumps(metrics))
        for folder in (inputs.predictions / name, inputs.plots / name):
            for path in folder.iterdir():
                path.unlink()
        write_predictions(inputs.predictions / name, data, spelt, probabilities, name)
        write_plots(inputs.plots / name, ([], []), [], [], [])


@pytest.fixture
def data(make_data):
    return make_data(NUM_ROWS, 3, label_names=[])


@pytest.fixture
def numbers(inputs, data):
    """A regression whose row 3 is furthest off."""
    found = np.arange(NUM_ROWS, dtype=np.float32)[:, None] / 4
    found[3] = 99.5
    spelt = ([f"{row / 4 - 0.125:g}" for row in range(NUM_ROWS)], [f"{x:.6g}" for x in found[:, 0]])
    rewrite(inputs, data, REGRESSION, spelt, found)
    lines = [f"{e},dev,{m},{v}" for e in (1, 2) for m, v in [("loss", 1), ("rmse", 2), ("auc", 3)]]
    (inputs.history / "finetune.csv").write_text("\n".join(["epoch,split,metric,value", *lines]))
    return inputs


@pytest.fixture
def pairs(inputs, data):
    rewrite(inputs, data, RETRIEVAL, ([""] * NUM_ROWS,) * 2, NO_PROBABILITIES)
    return inputs


def words_of(page: str) -> str:
    return " ".join(Reader(page).text.split())


def test_a_regression_shows_its_own_scores_in_their_units(numbers):
    text = words_of(page_of(numbers))
    assert "30 test rows. First task: regression." in text
    assert "All figures are percentages, but for RMSE" in text
    assert "Fine-tuned 1.25 1.125 -0.5 40.0 50.0 text only 2.25 2.125 0.5" in text
    assert "shuffled 2.25 2.125 0.5" in text
    assert "Twin 2.25 2.125 0.5" in text
    assert "Right, where an attack is concerned: within half a standard deviation" in text
    assert "1 40.0 50.0 40.0 50.0" in text, "the curve"


def test_sections_without_figures_are_left_out(numbers):
    text = words_of(page_of(numbers))
    assert not [title for title in CHARTS if title in text]
    assert "accuracy macro-F1" not in text


def test_slices_of_another_task_stand_in_its_units(numbers):
    for path in (numbers.metrics / "evaluate").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"slices": SLICES}))
    text = words_of(page_of(numbers))
    assert "en 15 1.5 1–2 50.0 25.0–75.0 1.5 1–2" in text
    assert text.index("en 15") < text.index("de 15"), "the larger error is the worse one"
    assert "gap, best to worst 0.25 0.0 0.25 0.0" in text
    assert not [title for title in CHARTS if title in text]


def test_further_tasks_are_a_table_with_escaped_names(numbers):
    page = page_of(numbers)
    text = words_of(page)
    assert f"{EVIL} 7 chrF 31.5 31.5 macro-F1 62.5 % 62.5 % newly named 0.75 0.75" in text
    assert "<script" not in page


def test_further_tasks_stand_beside_a_classification_too(inputs):
    for path in (inputs.metrics / "evaluate").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"further_tasks": FURTHER}))
    text = words_of(page_of(inputs))
    assert "Further tasks" in text
    assert "By label" in text


def test_numbers_are_off_by_something_and_never_right_or_wrong(numbers):
    predictions = {"plain": read_predictions(numbers.predictions / "finetuned")}
    first = choose_examples(predictions, numbers.examples, 4, are_sure=False)[0]
    assert first.label == "0.625"
    assert first.guesses[0].error == 98.875
    assert first.guesses[0].right is None
    text = words_of(page_of(numbers))
    assert "The largest errors of the first model" in text
    assert "Fine-tuned: 99.5 off by 98.88" in text
    assert not {"✓", "✗"} & set(text)


def test_curves_of_other_units_have_a_chart_of_their_own(numbers):
    assert page_of(numbers).count("<h3>Fine-tuning</h3>") == 3, "loss, share, unit"


def test_a_retrieval_has_neither_robustness_nor_parts_nor_examples(pairs):
    text = words_of(page_of(pairs))
    assert "on the test split recall@1 Fine-tuned 25.0 Adversarial 25.0 Recall@1:" in text
    assert "text to image median rank 3 3 text to image recall at 5 0.5 0.5" in text
    for title in (*CHARTS, "Robustness", "Example rows", "Twin", "Shuffled", "Text only"):
        assert title not in text


def test_texts_are_shown_as_they_were_written_without_confidence(inputs, data):
    references = [f"words {row}" for row in range(NUM_ROWS)]
    written = [EVIL, *references[1:]]
    metrics = REGRESSION | {"task": "generation", "chrf": 44.0}
    rewrite(inputs, data, metrics, (references, written), NO_PROBABILITIES)
    page = page_of(inputs)
    text = words_of(page)
    assert "Errors of the first model, then rows that it gets right." in text
    assert f"is words 0 · group {EVIL} Fine-tuned: ✗ {EVIL} Adversarial" in text
    assert "<script" not in page


def test_a_text_is_right_whatever_its_spaces(inputs, data):
    references = [f"words {row}, again." for row in range(NUM_ROWS)]
    written = ["no words", *(f"words {row} , again ." for row in range(1, NUM_ROWS))]
    metrics = REGRESSION | {"task": "generation", "chrf": 44.0}
    rewrite(inputs, data, metrics, (references, written), NO_PROBABILITIES)
    predictions = {"plain": read_predictions(inputs.predictions / "finetuned")}
    examples = choose_examples(predictions, inputs.examples, 6, are_sure=False)
    guesses = [example.guesses[0] for example in examples]
    assert [guess.right for guess in guesses] == [False, *[True] * 5]
    assert guesses[0].prediction == "no words"


def test_rows_without_any_label_have_no_figures_of_labels(numbers):
    path = numbers.metrics / "leakage.json"
    found = json.loads(path.read_text())
    nothing = {"accuracy": 0.0, "gain": 0.0}
    found |= {"majority_accuracy": 0.0, "shortcuts": dict.fromkeys(found["shortcuts"], nothing)}
    path.write_text(json.dumps(found))
    manifest = numbers.leakage / "manifest.json"
    content = json.loads(manifest.read_text()) | {"columns": {}}
    manifest.write_text(json.dumps(content))
    text = words_of(page_of(numbers))
    assert "by content alone: no row has a label." in text
    assert "Nearest training row of each test row" in text
    for title in ("its label is right", "Words that tell the label", "Facts beside the content"):
        assert title not in text


def test_what_counts_as_right_is_said_of_every_task_that_is_attacked():
    attacked = {name for name, task in TASKS.items() if task.rows_stand_alone}
    assert attacked - {"classification"} == set(RIGHT)


def test_the_metric_that_picks_the_epoch_has_a_column():
    assert {task.selection_metric for task in TASKS.values()} <= set(FIGURES)


def summary_of(folder, metrics) -> list[str]:
    (folder / "evaluate").mkdir()
    (folder / "ingest.json").write_text(json.dumps(INGEST | {"quarantined": {"no_image": 3}}))
    (folder / "evaluate" / "finetuned.json").write_text(json.dumps(metrics))
    return summarise(folder).splitlines()[2:]


def test_the_summary_takes_its_columns_from_the_metrics(tmp_path):
    head, row, note, further = summary_of(tmp_path, REGRESSION)
    assert head.split() == [
        *("model", "rmse", "mae", "r2", "robust_accuracy"),
        *("text_only", "image_only", "shuffled", "twin"),
    ]
    assert row.split() == ["finetuned", "1.2500", "1.1250", "-0.5000", "0.4000", *["2.2500"] * 4]
    assert note == "on the test split; text_only to twin: rmse"
    assert further.endswith(": rows 7, macro_f1 0.625, chrf 31.5, newly_named 0.75")


def test_the_summary_tells_of_confidence_in_one_line(tmp_path):
    metrics = {"rows": 9, "task": "classification", "accuracy": 0.75, **trusted()}
    line = summary_of(tmp_path, metrics)[-1]
    assert line == (
        "finetuned: temperature 1.5 takes ece 0.250 to 0.125 (0.500 under attack);"
        " for a risk of 0.05 it answers 0.625 of the rows, at a risk of 0.047"
    )


def test_the_summary_ends_with_what_to_look_at(tmp_path):
    figures = {"texts": 30, "truncated_share": 0.0, "max_length_tokens": 9, "unknown_share": 0.25}
    (tmp_path / "tokenize.json").write_text(json.dumps(figures))
    line = summary_of(tmp_path, REGRESSION)[-1]
    assert line.startswith("look at: 25.0% of all tokens are unknown to the tokenizer: ")


def test_the_summary_of_a_retrieval_has_no_parts(tmp_path):
    head, row, note = summary_of(tmp_path, RETRIEVAL)
    assert (head.split(), row.split()) == (["model", "recall_at_1"], ["finetuned", "0.2500"])
    assert note == "on the test split"


def test_the_summary_compares_by_a_score_that_parts_have(tmp_path):
    """Texts are written of the whole rows alone."""
    parts = {part: {"token_accuracy": 0.5} for part in PARTS[:3]}
    metrics = {"rows": 9, "task": "generation", "chrf": 44.0, "token_accuracy": 0.75, **parts}
    head, row, note = summary_of(tmp_path, metrics)
    assert head.split()[-3:] == ["text_only", "image_only", "shuffled"]
    assert row.split() == ["finetuned", "44.0000", "0.7500", *["0.5000"] * 3]
    assert note == "on the test split; text_only to shuffled: token_accuracy"
