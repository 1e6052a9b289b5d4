"""How sure, what breaks it, what to look at: each rule at its edges."""

from __future__ import annotations

import pytest

from fuseline.data.notices import Notice
from fuseline.evaluation.leakage.verdicts import Verdict
from fuseline.reporting.answer.certainty import CAVEAT, certainty
from fuseline.reporting.answer.harm import conditions, harm
from fuseline.reporting.answer.looks import MAX_LEAKS, WELL_TOLD, looks
from fuseline.reporting.answer.measured import Model
from tests.unit.reporting.answer.test_choice import ends, model

INGEST = {"rows_in": 100, "rows_quarantined": 0}


def stress(**suites) -> dict[str, object]:
    return {"task": "classification", "rows": 100, **suites}


def text(*accuracies: float) -> dict[str, object]:
    points = [{"accuracy": one, "strength": 0.1 * n} for n, one in enumerate(accuracies, 1)]
    return {"one": {"clean": {"accuracy": 0.9}, "look_alikes": points}}


def broken(metrics, **changes) -> list[tuple[str, str]]:
    one = Model("one", "One", {"task": "classification", "accuracy": 0.9, "rows": 100} | changes)
    found = harm([one], conditions([one], metrics, one))
    return [(said.level, said.words) for said in found]


@pytest.mark.parametrize(("worst", "level"), [(0.74, "look"), (0.8, "note")])
def test_the_worst_noise_is_a_loss_only_where_the_intervals_do_not_overlap(worst, level):
    ((found, words),) = broken(stress(text=text(0.85, worst, 0.88)))
    assert found == level
    assert words.startswith("Noise on the text, the worst of 3 tried (look alikes, strength 0.2)")
    assert ("no loss is shown" in words) == (level == "note")


def test_every_medium_and_the_modality_whose_loss_is_worst_are_told():
    media = {
        "rows": 50,
        "clean": {"accuracy": 0.9},
        "corruptions": {"fog": [{"severity": 5, "accuracy": 0.2}]},
    }
    state = {"rows": 80, "present": {"accuracy": 0.9}}
    modalities = {
        "text": state | {"missing": {"accuracy": 0.3}},
        "image": state | {"missing": {"accuracy": 0.5}},
        "contradictory": {},
    }
    suites = {name: {"one": media} for name in ("image", "audio")}
    found = broken(stress(**suites, modalities={"one": modalities}))
    assert [level for level, _ in found] == ["look"] * 3
    said = " ".join(words for _, words in found)
    assert "Corrupted pictures, the worst of 1 tried (fog, severity 5): right on 20.0" in said
    assert "Corrupted sounds" in said
    assert "A modality gone, the worst of 2 (text): right on 30.0" in said


def test_suites_that_were_not_run_say_nothing():
    assert broken(stress(text={}, image={"one": {}}, modalities={"one": {}})) == []
    alone = {"text": {"rows": 9, "present": {"accuracy": 1}, "missing": {"accuracy": 0}}}
    assert broken(stress(modalities={"one": alone})) == [], "nothing else is left of a row"


def test_the_attack_stands_beside_what_was_right_without_it():
    robust = {
        "robust_accuracy": 0.1,
        "intervals": {"accuracy": ends(0.85, 0.95), "robust_accuracy": ends(0.05, 0.2)},
        "robustness": {
            "epsilon": {"text_embedding": 0.5},
            "image_pixel": {
                "rows": 20, "epsilon": {"image_pixel": 2.0}, "accuracy": 0.9, "robust_accuracy": 0.0
            },
        },
    }  # fmt: skip
    (attack, pixels) = broken(stress(), **robust)
    assert attack[1] == (
        "An attack on embeddings and features (text_embedding 0.5): right on"
        " 10.0\u202f% [5.0, 20.0], as they are on 90.0\u202f% [85.0, 95.0]."
    )
    assert pixels[1].startswith("An attack on the pictures themselves, 2/255 a pixel: right on 0.0")


@pytest.mark.parametrize(
    ("fallen", "level", "said"),
    [
        (1.0, "look", "right on 0.0\u202f% [0.0, 3.0], every row that was right fell."),
        (
            0.5,
            "look",
            "right on 20.0\u202f% [13.0, 29.0], as they are on 40.0\u202f% [30.9, 49.8].",
        ),
        (0.2, "note", "[17.5, 34.3]: the intervals overlap, no loss is shown."),
    ],
)
def test_of_other_tasks_what_stood_and_fell_tells_what_was_right(fallen, level, said):
    robust, ends_of = (0.0, ends(0.0, 0.03)) if fallen == 1 else (0.2, ends(0.13, 0.29))
    metrics = {
        "task": "regression",
        "rmse": 1.0,
        "rows": 100,
        "robust_accuracy": robust,
        "attack_success_rate": fallen,
        "intervals": {"robust_accuracy": ends_of},
        "robustness": {"epsilon": {"text_embedding": 0.5}},
    }
    one = Model("one", "One", metrics)
    (found,) = harm([one], conditions([one], {"task": "regression", "rows": 100}, one))
    assert found.level == level
    assert found.words.endswith(said)


def selective(risk: float, coverage: float = 0.9, threshold: float = 0.8) -> dict[str, object]:
    clean = {"coverage": coverage, "risk": risk}
    return {"selective": {"target_risk": 0.05, "threshold": threshold, "clean": clean}}


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        (selective(0.05), "note", "5.0\u202f% of them wrongly."),
        (selective(0.0501), "look", "of them wrongly: more than was asked."),
        (selective(0.0, coverage=0.0), "look", "No test row reaches the confidence"),
        (selective(0.0, threshold=1.0), "note", "of them wrongly."),
        (selective(0.0, threshold=1.000001), "look", "No confidence is high enough"),
    ],
)
def test_what_was_asked_of_confidence_is_held_to_the_test_rows(changes, level, said):
    found = certainty([model("one", **changes)])[1]
    assert found.level == level
    assert said in found.words


def test_models_are_named_only_where_several_are_spoken_of():
    one, two = model("one"), model("two")
    assert certainty([one])[0].words == (
        "On 100 test rows the 95\u202f% interval of accuracy is 20.0 points wide."
    )
    assert certainty([one, two])[1].words.startswith("Two: on 100 test rows")
    assert (
        certainty([Model("a", "A", {"task": "retrieval", "recall_at_1": 0.5})])[0].words == CAVEAT
    )


def looked(metrics=None, ingest=None, notices=(), leaks=(), suites=None):
    one = model("one", **(metrics or {}))
    return looks([one], INGEST | (ingest or {}), notices, leaks, suites or {})


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (0, [("fine", "None of 100 rows was refused.")]),
        (10, [("note", "10 of 100 rows (10.0\u202f%) lie in quarantine.")]),
        (11, []),
    ],
)
def test_many_refused_rows_are_left_to_the_notices(refused, expected):
    found = looked(ingest={"rows_quarantined": refused})
    assert [(said.level, said.words) for said in found] == expected


def test_the_gravest_come_first_and_of_many_leaks_some():
    leaks = [Verdict("look", f"leak {n}") for n in range(MAX_LEAKS + 2)] + [Verdict("note", "hm")]
    found = looked(notices=[Notice("Too few.", "Add rows.")], leaks=leaks)
    assert found[0].words == "Too few. Add rows."
    levels = [said.level for said in found]
    assert levels == ["look"] * (MAX_LEAKS + 2) + ["note", "fine"]
    assert found[MAX_LEAKS + 1].words == "2 more findings of this kind."


def gain(low: float, high: float) -> dict[str, dict[str, float]]:
    return {"accuracy": {"value": (low + high) / 2, "low": low, "high": high}}


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ({}, []),
        ({"text": gain(0.1, 0.2), "image": gain(0.01, 0.05)}, ["fine: Every modality adds"]),
        (
            {"text": gain(0.1, 0.2), "image": gain(0.0, 0.02)},
            ["note: No gain of image is shown: +1.0 points [+0.0, +2.0] of accuracy."],
        ),
        (
            {"text": gain(-0.02, 0.1), "image": gain(-0.04, -0.02)},
            ["look: Image does harm: -3.0 points [-4.0, -2.0] of", "note: No gain of text"],
        ),
    ],
)
def test_modalities_that_do_harm_are_looked_at(gains, said):
    found = [
        f"{one.level}: {one.words}" for one in looked({"gains": gains}) if one.part == "scores"
    ]
    assert len(found) == len(said)
    assert all(one.startswith(start) for one, start in zip(found, said, strict=True))


@pytest.mark.parametrize(("high", "level"), [(0.699, "look"), (0.7, "fine")])
def test_a_slice_counts_where_its_interval_lies_below_that_of_all_rows(high, level):
    def part(value, top):
        intervals = {"accuracy": ends(0.1, top)}
        return {"value": value, "rows": 9, "accuracy": 0.4, "intervals": intervals}

    column = {"slices": [part("de", 0.95), part(None, high)]}
    (found,) = [said for said in looked({"slices": {"lang": column}}) if said.part == "trust"]
    assert found.level == level
    assert ("of the 9 rows whose lang is not stated" in found.words.lower()) == (level == "look")


def test_one_slice_is_no_part():
    intervals = {"accuracy": ends(0.0, 0.1)}
    column = {"slices": [{"value": "en", "rows": 9, "accuracy": 0.05, "intervals": intervals}]}
    assert not [said for said in looked({"slices": {"lang": column}}) if said.part == "trust"]


@pytest.mark.parametrize(("recall", "level"), [(0.1, "look"), (0.8, "fine")])
def test_the_label_that_is_found_least_is_named(recall, level):
    per_class = {
        "a": {"recall": 0.9, "support": 50},
        "b": {"recall": recall, "support": 20},
        "c": {"recall": 0.0, "support": 0},
    }
    (found,) = [said for said in looked({"per_class": per_class}) if said.part == "labels"]
    assert found.level == level
    assert ("“b”" in found.words) == (level == "look")


@pytest.mark.parametrize(("auroc", "level"), [(WELL_TOLD, "fine"), (WELL_TOLD - 0.001, "look")])
def test_rows_of_another_set_are_told_or_worth_a_look(auroc, level):
    scores = {
        "energy": {"auroc": auroc, "fpr_at_95_tpr": 0.25},
        "max_softmax": {"auroc": 0.5, "fpr_at_95_tpr": 1.0},
    }
    suites = {"out_of_distribution": {"one": {"rows": 40, "other_rows": 20, **scores}}}
    (found,) = [said for said in looked(suites=suites) if said.part == "stress"]
    assert found.level == level
    assert "25.0\u202f% [11.2, 46.9] of 20 foreign ones" in found.words
