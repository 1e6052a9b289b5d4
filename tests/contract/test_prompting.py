"""What every prompt method promises."""

import numpy as np
import pytest
import torch

from fuseline.learning.prompting import METHODS
from fuseline.learning.prompting.head import Head
from tests.support.prompt_material import material, params
from tests.support.tiny_models import pretrainer

every_method = pytest.mark.parametrize("name", METHODS)
MODALITIES = [("text", "image"), ("text",), ("image",), ("image", "audio")]


@pytest.fixture(autouse=True)
def no_artefacts(monkeypatch):
    """A model without pre-training is one of another seed: these tests have no tokenizer folder."""

    def fresh(held):
        return pretrainer(seed=1, modalities=held.base.modalities)

    monkeypatch.setattr(METHODS["head_without_pretraining"], "_backbone", staticmethod(fresh))


def shots_of(held, count):
    labels = held.data.labels
    chosen = [np.flatnonzero(labels == label)[:count] for label in range(3)]
    return np.concatenate(chosen)


def run(name, held, count, seed=5):
    method = METHODS[name](held)
    torch.manual_seed(seed)
    return method.scores(shots_of(held, count), seed)


@every_method
@pytest.mark.parametrize("modalities", MODALITIES, ids="-".join)
def test_it_scores_every_test_row_or_says_that_it_cannot(name, modalities, tmp_path):
    method = METHODS[name]
    if not method.takes_part(modalities):
        assert "text" not in modalities
        return
    held = material(tmp_path, modalities)
    for count in method.shots(held.params):
        found = run(name, held, count)
        impossible = set() if len(modalities) > 1 else {"contrastive_media"}
        assert set(found) == set(method.variants) - impossible
        for scores in found.values():
            assert scores.shape == (len(held.test), 3)
            assert np.isfinite(scores).all()


@every_method
def test_a_seed_fixes_what_it_gives_whatever_ran_before(name, tmp_path):
    held = material(tmp_path)
    method = METHODS[name](held)
    rows = shots_of(held, 2)
    torch.manual_seed(5)
    first = method.scores(rows, 5)
    torch.manual_seed(9)
    method.scores(shots_of(held, 1), 9)
    torch.manual_seed(5)
    again = method.scores(rows, 5)
    for variant in method.variants:
        assert np.array_equal(first[variant], again[variant])


@every_method
def test_it_leaves_the_shared_model_as_it_was(name, tmp_path):
    held = material(tmp_path)
    before = {key: value.clone() for key, value in held.model.state_dict().items()}
    run(name, held, 2)
    after = held.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not held.model.training


@every_method
def test_it_learns_from_nothing_but_the_shots(name, tmp_path):
    """Other labels of the test rows and of the rows that were not drawn change no score."""
    held, other = material(tmp_path), material(tmp_path)
    undrawn = np.setdiff1d(np.arange(len(other.data)), shots_of(other, 2))
    rows = shots_of(held, 2)
    other.data.labels[undrawn] = 0
    other.test.labels[:] = 0
    first, second = (METHODS[name](one) for one in (held, other))
    found = []
    for method in (first, second):
        torch.manual_seed(5)
        found.append(method.scores(rows, 5))
    for variant in found[0]:
        assert np.array_equal(found[0][variant], found[1][variant])


def test_without_pretraining_only_the_most_shots_are_run_and_only_if_asked():
    method = METHODS["head_without_pretraining"]
    assert method.shots(params()) == [2]
    assert method.shots(params(compare_without_pretraining=False)) == []
    assert Head.shots(params()) == [1, 2]
