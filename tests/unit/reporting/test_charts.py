from __future__ import annotations

from xml.etree import ElementTree

import pytest

from fuseline.reporting.charts import (
    answer_chart,
    confusion_chart,
    history_chart,
    noise_chart,
    reliability_chart,
    robustness_chart,
    selective_chart,
    shots_chart,
)
from fuseline.reporting.list_charts import RIVALS, differences_chart, lists_chart

EVIL = "<script>alert(\"x\")</script> & 'y'"
HISTORY = [
    {"epoch": epoch, "series": series, "value": 1.0 / (epoch + 1)}
    for epoch in range(3)
    for series in ("train loss", EVIL)
]
CURVE = [
    {"model": model, "scale": scale, "robust_accuracy": 0.5, "fgm_robust_accuracy": 0.6}
    for model in ("plain", EVIL)
    for scale in (0.5, 1.0, 2.0)
]
BINS = [
    {"condition": condition, "count": count, "confidence": 0.4, "accuracy": 0.3}
    for condition in ("clean", "attack", EVIL)
    for count in (3, 0)
]
RISKS = [
    {"model": model, "condition": condition, "coverage": coverage, "risk": 0.25}
    for model in ("plain", EVIL)
    for condition in ("clean", "attack")
    for coverage in (0.5, 1.0)
]
SHOTS = [
    {"method": method, "shots": shots, "mean": 0.5, "low": 0.4, "high": 0.6}
    for method in ("plain", EVIL)
    for shots in (0, 1, 16)
]
NOISES = [
    {"model": model, "noise": noise, "score": 0.5}
    for model in ("plain", EVIL)
    for noise in ("clean", EVIL)
]
ANSWERS = [
    {"model": model, "condition": condition, "value": 0.5, "low": 0.4, "high": 0.6}
    for model in ("plain", EVIL)
    for condition in ("as they are", EVIL)
]
LISTS = [
    {"name": name, "kind": kind, "value": 0.3, "low": 0.2, "high": 0.4}
    for name, kind in (("plain", "plain"), (EVIL, EVIL), ("EASE", RIVALS))
]
APART = [
    {"model": model, "rival": rival, "value": 10.0, "low": -5.0, "high": 20.0}
    for model in ("plain", EVIL)
    for rival in ("EASE", EVIL)
]
CHARTS = {
    "lists": lambda: lists_chart(LISTS, "NDCG@10"),
    "differences": lambda: differences_chart(APART, "points"),
    "answer": lambda: answer_chart(ANSWERS, "right"),
    "confusion": lambda: confusion_chart(["a", EVIL], [[3, 1], [0, 0]]),
    "history": lambda: history_chart(HISTORY, "loss"),
    "robustness": lambda: robustness_chart(CURVE, "0.5 in text_embedding"),
    "shots": lambda: shots_chart(SHOTS, "accuracy"),
    "reliability": lambda: reliability_chart(BINS),
    "noise": lambda: noise_chart(NOISES, "accuracy"),
    "selective": lambda: selective_chart(RISKS),
}


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_the_same_figures_give_the_same_bytes(draw):
    assert draw() == draw()


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_labels_are_escaped_and_nothing_is_linked(draw):
    svg = draw()
    assert "<script" not in svg
    tags = {element.tag.split("}")[-1] for element in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "g", "path", "line", "text", "rect", "defs", "tspan"}
    assert "href" not in svg


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_text_takes_the_colour_of_the_page(draw):
    assert "currentColor" in draw()


@pytest.mark.parametrize("condition", ["clean", "attack"])
def test_only_what_is_under_attack_is_dashed(condition):
    rows = [row for row in RISKS if row["condition"] == condition]
    assert ('stroke-dasharray="4,3"' in selective_chart(rows)) == (condition == "attack")


def test_cells_hold_counts_and_empty_ones_stay_empty():
    texts = [
        element.text
        for element in ElementTree.fromstring(confusion_chart(["a", "b"], [[17, 0], [5, 9]])).iter()
        if element.tag.endswith("text")
    ]
    assert {"17", "5", "9"} <= set(texts)
    assert "0" not in texts


def test_many_classes_are_drawn_without_counts():
    labels = [f"label{index}" for index in range(30)]
    svg = confusion_chart(labels, [[7] * 30] * 30)
    assert ">7<" not in svg


def test_names_of_usual_length_are_not_cut():
    series = ["dev joint contrastive loss", "dev token classification accuracy"]
    rows = [{"epoch": e, "series": name, "value": e} for e in (1, 2) for name in series]
    svg = history_chart(rows, "loss")
    assert all(f">{name}<" in svg for name in series)


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS)
def test_every_drawing_says_what_it_shows(draw):
    root = ElementTree.fromstring(draw())
    assert root.get("role") == "img"
    assert len(root.get("aria-label")) > 10


def test_the_answer_is_told_with_its_figures():
    said = ElementTree.fromstring(answer_chart(ANSWERS, "right")).get("aria-label")
    assert said.startswith("right. as they are, plain: 50 % (40 to 60); ")


def test_differences_are_numbers_with_signs_not_powers():
    drawn = differences_chart(APART, "points")
    assert "+10" in drawn
    assert "e+1" not in drawn
    assert "EASE, plain: 10.0 points (-5.0 to 20.0)" in drawn
