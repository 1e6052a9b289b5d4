"""Linear twins of regression, ranking and multilabel."""

import numpy as np
import pytest

from fuseline.evaluation.twins.classification import Block, feature_blocks
from fuseline.evaluation.twins.tasks import FITS, task_twins
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.multilabel import Multilabel
from fuseline.learning.tasks.ranking import Ranking
from fuseline.learning.tasks.regression import Regression

COUNT = 240
FACTS = {"mean": 0.0, "deviation": 1.0, "low": 0.0, "high": 1.0, "labels": ["a", "b"]}
BOTH = ["text", "image"]


def made(kind: str):
    """A task; labels that the text's vectors tell and the picture's do not."""
    random = np.random.default_rng(3)
    texts = random.normal(size=(COUNT, 4)).astype(np.float32)
    labels = {
        "regression": 3.0 * texts[:, 0] + 0.1 * random.normal(size=COUNT),
        "ranking": (texts[:, 0] > 0).astype(np.float32),
        "multilabel": (texts[:, :2] > 0).astype(np.float32),
    }[kind]
    return TASKS[kind]("it", FACTS), labels, texts


def twins(make_data, kind: str, labels: np.ndarray, texts: np.ndarray, **changes):
    data = make_data(COUNT, labels=labels, groups=np.arange(COUNT) // 24, **changes)
    return task_twins(TASKS[kind]("it", FACTS), data, feature_blocks(data, texts), BOTH)


@pytest.mark.parametrize("kind", FITS)
def test_it_learns_what_its_features_hold(make_data, kind):
    task, labels, texts = made(kind)
    found = twins(make_data, kind, labels, texts)
    assert set(found) == {"twin", "twin_text_only", "twin_image_only"}
    whole, text, image = (
        found[name][task.selection_metric] for name in ("twin", "twin_text_only", "twin_image_only")
    )
    if task.greater_is_better:
        assert min(whole, text) > 0.85
        assert image < 0.7
    else:
        assert max(whole, text) < 0.3
        assert image > 2.0


def test_large_numbers_are_not_rounded(make_data):
    """Seconds since 1970: float32 knows every 128th of them."""
    _, labels, texts = made("regression")
    small = twins(make_data, "regression", labels, texts)
    large = twins(make_data, "regression", labels + 1.7e9, texts)
    assert large["twin"]["rmse"] == pytest.approx(small["twin"]["rmse"], rel=1e-3)


@pytest.mark.parametrize("kind", sorted(set(TASKS) - set(FITS)))
def test_other_tasks_have_none(make_data, kind):
    assert task_twins(TASKS[kind]("it", FACTS), make_data(), {}, BOTH) == {}


@pytest.mark.parametrize("kind", FITS)
def test_rows_without_a_label_play_no_part(make_data, kind):
    """Not in the fit, not in the scores; their features may be anything."""
    _, labels, texts = made(kind)
    missing = np.arange(COUNT) % 7 == 0
    labels = labels.astype(np.float64)
    labels[missing] = np.nan
    present = ~missing
    first = twins(make_data, kind, labels, texts)
    data = make_data(COUNT, labels=labels, groups=np.arange(COUNT) // 24)
    kept = data.take(np.flatnonzero(present))
    blocks = {"text": Block(texts[present], kept.text_mask)}
    second = task_twins(TASKS[kind]("it", FACTS), kept, blocks, ["text"])
    # Standardising sees the features of all training rows, labelled or not.
    for name, value in first["twin_text_only"].items():
        assert value == pytest.approx(second["twin_text_only"][name], abs=0.02)


@pytest.mark.parametrize("kind", FITS)
def test_test_rows_choose_nothing(make_data, kind):
    """With noise, penalties differ in what they predict: other test labels change only the
    figures, which a twin that fits on them would hide."""
    _, labels, _ = made(kind)
    random = np.random.default_rng(4)
    texts = random.normal(size=(COUNT, 30)).astype(np.float32)
    task = TASKS[kind]("it", FACTS)
    data = make_data(COUNT, labels=labels, groups=np.arange(COUNT) // 24)
    test = data.splits == "test"
    seen = []

    class Watched(type(task)):
        def scores(self, outputs, rows):
            seen.append(outputs)
            return super().scores(outputs, rows)

    blocks = {"text": Block(texts, data.text_mask)}
    task_twins(Watched("it", FACTS), data, blocks, ["text"])
    first, seen[:] = list(seen), []
    flipped = labels.copy()
    flipped[test] = 1 - flipped[test]
    task_twins(Watched("it", FACTS), make_data(COUNT, labels=flipped, groups=data.groups), blocks, [
        "text"
    ])  # fmt: skip
    assert len(first) == len(seen) > 0
    assert all(np.array_equal(a, b) for a, b in zip(first, seen, strict=True))


def test_the_penalty_is_the_one_that_is_best_on_the_development_split(make_data):
    _, labels, texts = made("regression")
    found = {}

    class Watched(Regression):
        def scores(self, outputs, rows):
            result = super().scores(outputs, rows)
            found.setdefault(rows.splits[0], []).append(result)
            return result

    # Of flat development labels the heaviest penalty is best, and of the test rows the worst.
    labels[make_data(COUNT).splits == "dev"] = 0.0
    data = make_data(COUNT, labels=labels)
    blocks = {"text": Block(texts, data.text_mask)}
    chosen = task_twins(Watched("it", FACTS), data, blocks, [])["twin"]
    errors = [scores["rmse"] for scores in found["dev"]]
    assert int(np.argmin(errors)) == 0
    assert chosen == found["test"][0]
    assert chosen["rmse"] == max(scores["rmse"] for scores in found["test"])


def test_a_modality_without_features_predicts_the_mean(make_data):
    _, labels, texts = made("regression")
    found = twins(make_data, "regression", labels, texts, features={}, feature_mask={})
    assert abs(found["twin_image_only"]["r2"]) < 0.1


@pytest.mark.parametrize("column", [0.0, 1.0])
def test_a_name_that_all_or_no_training_rows_bear(make_data, column):
    _, labels, texts = made("multilabel")
    data = make_data(COUNT)
    labels[data.splits == "train", 1] = column
    found = twins(make_data, "multilabel", labels, texts)
    assert all(np.isfinite(list(scores.values())).all() for scores in found.values())


def test_a_single_name(make_data):
    _, labels, texts = made("multilabel")
    data = make_data(COUNT, labels=labels[:, :1])
    found = task_twins(Multilabel("it", {"labels": ["a"]}), data, feature_blocks(data, texts), [])
    assert found["twin"]["macro_f1"] > 0.9


def test_no_development_labels_still_give_a_twin(make_data):
    _, labels, texts = made("ranking")
    data = make_data(COUNT)
    labels[data.splits == "dev"] = np.nan
    found = twins(make_data, "ranking", labels, texts)
    assert found["twin_text_only"]["auc"] > 0.9
    assert isinstance(TASKS["ranking"]("it", FACTS), Ranking)
