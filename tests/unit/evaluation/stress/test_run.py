"""Every suite on two untrained models, from tables to metrics."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from fuseline.contracts import hash_path
from fuseline.errors import ContractError
from fuseline.evaluation.sampling import sample
from fuseline.evaluation.stress import SUITES
from fuseline.evaluation.stress.run import TEXT_PLOT, stress_models
from fuseline.learning.model import FuselineConfig
from fuseline.params.stress import SuiteName
from tests.support.kills import check_resuming

MODELS = {"finetuned", "adversarial"}


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def changed(sections, **changes):
    return sections | {"params": sections["params"].model_copy(update=changes)}


def test_the_params_name_the_suites_that_there_are():
    assert set(get_args(SuiteName)) == set(SUITES)


def test_every_suite_gives_finite_numbers_the_same_twice(inputs, sections, tmp_path):
    found = stress_models(inputs, tmp_path / "one", **sections, work=tmp_path / "work")
    assert set(found) == {"rows", "task", *SUITES}
    assert all(math.isfinite(number) for number in numbers(found))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for suite in ("text", "modalities", "out_of_distribution"):
        assert set(found[suite]) == MODELS
    assert stress_models(inputs, tmp_path / "two", **sections, work=tmp_path / "2") == found
    assert hash_path(tmp_path / "one") == hash_path(tmp_path / "two")


def test_a_killed_run_goes_on_suite_by_suite_and_ends_with_the_same_bytes(
    inputs, sections, tmp_path, monkeypatch
):
    figures = {}
    params = sections["params"]
    once = {
        name: media.model_copy(update={"corruptions": media.corruptions[:1], "severities": [2]})
        for name, media in (("image", params.image), ("audio", params.audio))
    }
    few = changed(sections, **once)

    def stress(name):
        folder = tmp_path / name
        figures[name] = stress_models(inputs, folder / "plots", **few, work=folder / "work")

    def result(name):
        return figures[name], hash_path(tmp_path / name / "plots")

    parts = check_resuming(monkeypatch, stress, result)
    suites = [f"{suite}.json" for suite in sections["params"].suites]
    points = [name for name in parts if name not in suites]
    assert len(parts) == len(suites) + len(points)
    assert {name.split("-")[0] for name in points} == {"image", "audio"}


def test_params_pick_suites_and_rows(inputs, sections, tmp_path):
    found = stress_models(
        inputs,
        tmp_path,
        **changed(sections, suites=["paired", "transfer"], max_rows=5),
        work=tmp_path / "work",
    )
    assert set(found) == {"rows", "task", "paired", "transfer"}
    assert found["rows"] == found["paired"]["finetuned_and_adversarial"]["rows"] == 5
    assert pd.read_csv(tmp_path / TEXT_PLOT).empty


@pytest.mark.parametrize("modalities", [["text"], ["image"], ["tabular"]])
def test_a_single_modality_is_enough(inputs, sections, tmp_path, modalities):
    base = sections["base"].model_copy(update={"modalities": modalities})
    found = stress_models(inputs, tmp_path, **(sections | {"base": base}), work=tmp_path / "work")
    assert all(math.isfinite(number) for number in numbers(found))
    assert bool(found["text"]["finetuned"]) == (modalities == ["text"])


def test_models_of_different_tasks_are_refused(inputs, sections, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(inputs.models["adversarial"], folder)
    config = FuselineConfig.from_pretrained(folder)
    config.tasks[0]["facts"]["labels"] = config.tasks[0]["facts"]["labels"][::-1]
    config.save_pretrained(folder)
    mixed = replace(inputs, models=inputs.models | {"adversarial": folder})
    with pytest.raises(ContractError, match="expected models of the same tasks"):
        stress_models(mixed, tmp_path / "plots", **sections, work=tmp_path / "work")


def test_the_sample_hangs_on_ids_and_not_on_their_order():
    ids = [f"row-{row}" for row in range(50)]
    chosen = {ids[row] for row in sample(ids, 10)}
    backwards = ids[::-1]
    assert {backwards[row] for row in sample(backwards, 10)} == chosen
    assert sample(ids, 60).tolist() == list(range(50))
    more = sample([*ids, "new"], 10)
    assert len(chosen - {[*ids, "new"][row] for row in more}) <= 1


def test_clean_texts_tokenise_to_the_ids_of_the_pipeline(context):
    again = context.tokenised(context.texts)
    for one, other in zip(again, context.test.input_ids, strict=True):
        np.testing.assert_array_equal(one, other)
