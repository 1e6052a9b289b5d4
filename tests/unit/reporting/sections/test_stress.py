"""The report's section on inputs that go wrong."""

from __future__ import annotations

import json

import pytest

from fuseline.errors import ContractError
from fuseline.reporting.sections.stress import read_stress_section
from tests.unit.reporting.test_report import (
    EVIL,
    Reader,
    inputs,
    page_of,
    stressed,
    write_stress,
)

__all__ = ["inputs"]

TITLES = {"finetuned": "Fine-tuned", "adversarial": "Adversarial"}
HEADING = "Inputs that go wrong"
HEADINGS = {
    "text": "Noise on the text",
    "image": "Corrupted pictures",
    "modalities": "Modalities gone or swapped",
    "out_of_distribution": "Rows of another set",
    "transfer": "Transferred attacks",
    "paired": "exact McNemar test",
}


def words_of(page: str) -> str:
    return " ".join(Reader(page).text.split())


def test_figures_stand_under_their_model_the_plain_one_first(inputs):
    text = words_of(page_of(inputs))
    heads = "Fine-tuned text alone Adversarial text alone"
    assert f"noise strength texts changed {heads} clean 87.5 81.2 93.8 81.2" in text
    assert "look alikes 0.125 96.9 75.0 37.5 81.2 37.5 0.25 96.9 62.5 37.5 68.8 37.5" in text
    assert "image alone clean 75.0 75.0 50.0 75.0" in text
    assert f"{EVIL} 1 74.0 25.0 49.0 25.0 5 70.0 25.0 45.0 25.0 mean of all 72.0" in text
    assert "text, 29 rows as they are 87.5 87.5 missing 68.8 68.8 that of another row 31.2" in text
    assert "text against image, 27 rows the label of the text 62.5 62.5 the label of the" in text
    assert "energy AUROC 84.4 84.4 FPR at 95 % TPR 59.4 59.4" in text
    assert "30 test rows against 25 of another set" in text
    assert "Fine-tuned Adversarial 71.9 15.6 Adversarial Fine-tuned 71.9 21.9" in text


def test_the_paired_test_is_one_sentence(inputs):
    assert (
        "On the 30 clean rows the two models differ on 7: Fine-tuned alone is right on 2,"
        " Adversarial alone on 5 (exact McNemar test, p = 0.45); difference +10.0 points"
        " [-6.2, 25.0], Adversarial minus Fine-tuned."
    ) in words_of(page_of(inputs)).replace("\u202f", " ")


def test_names_are_escaped(inputs):
    page = page_of(inputs)
    seen = Reader(page)
    assert "script" not in seen.tags
    assert "<script" not in page
    assert EVIL in seen.text


def test_what_no_row_has_is_left_out(inputs):
    text = words_of(page_of(inputs))
    assert "Corrupted recordings" not in text
    assert "audio, 0 rows" not in text
    assert "text against audio" not in text
    section = read_stress_section(
        stressed() | {"out_of_distribution": {"finetuned": {"rows": 3, "other_rows": 0}}}, TITLES
    )
    assert section.out_of_distribution is None


@pytest.mark.parametrize("suite", HEADINGS)
def test_a_suite_that_was_not_run_is_left_out(inputs, suite):
    metrics = stressed()
    del metrics[suite]
    write_stress(inputs, metrics)
    text = words_of(page_of(inputs))
    shown = {name for name, heading in HEADINGS.items() if heading in text}
    assert shown == HEADINGS.keys() - {suite}


def test_without_any_figures_there_is_no_section(inputs):
    write_stress(inputs, {"rows": 30, "task": "classification", "audio": {"finetuned": {}}})
    assert HEADING not in words_of(page_of(inputs))


def test_another_task_shows_what_it_has(inputs):
    """Scores are shares of right rows; of one modality there is nothing beside it; another task
    has no answers at odds and no classes to tell other rows by."""
    curve = [{"strength": 0.25, "changed_share": 1.0, "right": 0.375}]
    state = {"right": 0.625}
    models = {key: {"clean": {"right": 0.75}, "insert": curve} for key in TITLES}
    parts = {"rows": 9, "present": state, "missing": state, "swapped": state}
    write_stress(
        inputs,
        {
            "rows": 9,
            "task": "regression",
            "text": models,
            "modalities": {key: {"text": parts} for key in TITLES},
            "out_of_distribution": {key: {} for key in TITLES},
            "transfer": {},
        },
    )
    text = words_of(page_of(inputs))
    assert "Scores are the share of rows that the task counts as right" in text
    assert "texts changed Fine-tuned Adversarial clean 75.0 75.0 insert 0.25 100.0 37.5" in text
    assert "text, 9 rows as they are 62.5 62.5" in text
    assert "Right by noise on the text" in text
    assert all(heading not in text for heading in ("Modalities at odds", "AUROC", "Transferred"))


def test_the_chart_has_each_noise_at_its_greatest_strength():
    section = read_stress_section(json.loads(json.dumps(stressed())), TITLES)
    assert "look alikes" in section.chart
    assert "Adversarial" in section.chart
    assert section.chart.index("Fine-tuned") < section.chart.index("Adversarial")


def test_without_the_metrics_the_page_names_the_file(inputs):
    (inputs.metrics / "stress.json").unlink()
    with pytest.raises(ContractError, match=r"stress\.json: not found\. Run `dvc repro`"):
        page_of(inputs)
