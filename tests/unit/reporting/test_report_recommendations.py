"""The report and the summary of models of recommendations."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fuseline.errors import ContractError
from fuseline.reporting.sections.recommendations import read_recommendations_section
from fuseline.workbench.summary import summarise
from tests.unit.reporting.answer.test_lists import ABOVE, INGEST, LEVEL, lists
from tests.unit.reporting.test_report import EVIL, NUM_ROWS, inputs, page_of
from tests.unit.reporting.test_report import INGEST as ROWS
from tests.unit.reporting.test_report_tasks import rewrite, words_of

__all__ = ["inputs"]


@pytest.fixture
def listed(inputs, make_data):
    """A run of recommendations, whose adversarial model is above EASE."""
    data = make_data(NUM_ROWS, 3, label_names=[])
    nothing = np.zeros((NUM_ROWS, 0), dtype=np.float32)
    rewrite(inputs, data, lists(LEVEL), ([""] * NUM_ROWS,) * 2, nothing)
    write(inputs, "adversarial", lists(ABOVE, promotion=pushed(0.0, 0.5)))
    (inputs.metrics / "ingest.json").write_text(
        json.dumps(ROWS | {"interactions": INGEST["interactions"], "quarantined": {"no_image": 3}})
    )
    stress = {"rows": NUM_ROWS, "task": "recommendation"}
    (inputs.metrics / "stress.json").write_text(json.dumps(stress))
    return inputs


def write(inputs, name: str, metrics) -> None:
    (inputs.metrics / "evaluate" / f"{name}.json").write_text(json.dumps(metrics))


def pushed(before: float, after: float) -> dict[str, float]:
    return {"items": 10.0, "people": 40.0, "listed_before": before, "listed_after": after}


def test_the_first_screen_says_which_model_and_where_it_stands(listed):
    text = words_of(page_of(listed))
    assert "Lists for 40 people. First task: recommendation." in text
    assert "Use the model Adversarial. It is above EASE, the best rival." in text
    assert "test rows the 95" not in text, "figures are of people"
    assert "NDCG@10 of the model less that of each rival, in percentage points" in text


def test_models_and_rivals_stand_in_one_table_with_paired_differences(listed):
    text = words_of(page_of(listed))
    assert "One cut by time; all 60 items ranked." in text
    assert "Fine-tuned 30.0 25.0–35.0 30.0 25.0–35.0" in text
    assert "EASE strength 30 30.0 29.0–31.0 50.0 50.0 50.0 50.0 popularity of all time" in text
    assert "EASE +0.0 -1.0 to +1.0 level +5.0 +1.0 to +9.0 above" in text
    assert "people with one event 7 30.0 30.0 30.0 EASE" in text
    assert "in lists of such items alone 50.0 50.0 25.0" in text
    assert "as it is 12.5 0.0 pushed 18.8 50.0 times as many 1.5 –" in text
    assert "train dev test events 41 42 43 days 2.5 2.5 2.5 people 9 9 9 of them new 3 3 3" in text
    for figure in ("75.0 75.0", "5.25 5.25", "+12.5 +12.5", "6.2 6.2"):
        assert figure in text


def test_scores_of_rows_have_no_part_beside_that_of_lists(listed):
    page = page_of(listed)
    assert 'id="recommendations"' in page
    assert 'id="scores"' not in page


def test_a_run_of_another_task_has_no_such_part(inputs):
    page = page_of(inputs)
    assert 'id="scores"' in page
    assert 'id="recommendations"' not in page
    assert read_recommendations_section({"One": {"task": "regression"}}, {}) is None


def test_names_and_settings_are_escaped(listed):
    metrics = lists(LEVEL)
    rivals = metrics["rivals"]
    metrics["rivals"] = {EVIL: rivals["ease"] | {"setting": EVIL}, **rivals}
    write(listed, "finetuned", metrics)
    page = page_of(listed)
    assert "<script" not in page
    assert EVIL in words_of(page)


def test_where_nobody_was_asked_the_part_has_neither_rivals_nor_chart(listed):
    nobody = {"people": 0, "ndcg_at_10": 0.0}
    changes = {
        "people": 0,
        "rivals": {},
        "intervals": {},
        "new_users": nobody,
        "one_event_users": nobody,
        "cold_items": dict.fromkeys(lists()["cold_items"], 0.0),
        "promotion": dict.fromkeys(pushed(0, 0), 0.0),
    }
    for name in ("finetuned", "adversarial"):
        write(listed, name, lists(LEVEL, **changes))
    text = words_of(page_of(listed))
    assert "Nothing can be said of the lists" in text
    for title in ("Models and rivals", "Items without events", "An item pushed", "less each rival"):
        assert title not in text
    assert "What the cuts by time part" in text


def test_the_summary_has_the_best_rival_beside_the_models(listed):
    found = summarise(listed.metrics).splitlines()
    table = [line.split() for line in found if line.startswith(("model", "finetuned ", "EASE"))]
    assert table[0][:3] == ["model", "ndcg_at_10", "recall_at_10"]
    assert table[1][:3] == ["finetuned", "0.3000", "0.3000"]
    assert table[2][:3] == ["EASE", "0.2500", "0.5000"], "of the first file, which is above it"
    assert table[2][-2:] == ["-", "-"], "coverage and cold items, which no rival has"
    assert "on the test events" in found
    assert (
        "adversarial: above EASE (strength 30), the best of 2 rivals: NDCG@10 differs by"
        " +5.0 points [+1.0, +9.0]" in found
    )
    assert any(line.startswith("finetuned: level with EASE") for line in found)


def test_the_summary_names_the_figure_that_a_rival_lacks(listed):
    metrics = lists(LEVEL)
    del metrics["rivals"]["ease"]["difference"]
    write(listed, "finetuned", metrics)
    with pytest.raises(ContractError, match=r"finetuned\.json: expected the figure 'difference'"):
        summarise(listed.metrics)
