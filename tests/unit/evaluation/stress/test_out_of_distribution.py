"""Scores that tell rows of another set, against closed forms and scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.scoring.ablation import keep
from fuseline.evaluation.stress.other_set import read_elsewhere
from fuseline.evaluation.stress.out_of_distribution import (
    detection,
    energy,
    max_softmax,
    out_of_distribution_suite,
)


def elsewhere(context, **changes):
    section = context.params.out_of_distribution.model_copy(update=changes)
    params = context.params.model_copy(update={"out_of_distribution": section})
    return replace(context, params=params)


def test_scores_are_those_of_the_papers():
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 8.0]], dtype=np.float32))
    np.testing.assert_allclose(max_softmax(logits), [5 / 8, 0.5], rtol=1e-6)
    np.testing.assert_allclose(energy(logits), np.log([8.0, 16.0]), rtol=1e-6)
    assert np.isfinite(energy(np.full((1, 3), 5000.0, dtype=np.float32))).all()


def test_detection_of_what_is_told_apart_whole_and_not_at_all():
    high, low = np.arange(10.0, 20.0), np.arange(10.0)
    assert detection(high, low) == {"auroc": 1.0, "fpr_at_95_tpr": 0.0}
    assert detection(low, high) == {"auroc": 0.0, "fpr_at_95_tpr": 1.0}
    assert detection(np.ones(5), np.ones(7)) == {"auroc": 0.5, "fpr_at_95_tpr": 1.0}


@pytest.mark.parametrize("seed", range(5))
def test_the_false_positive_rate_is_the_curve_s_where_it_first_reaches_95(seed):
    random = np.random.default_rng(seed)
    own, others = random.normal(1, 1, 130), random.normal(0, 1, 70)
    labels = np.repeat([1, 0], [130, 70])
    found = roc_curve(labels, np.concatenate([own, others]), drop_intermediate=False)
    expected = found[0][np.argmax(found[1] >= 0.95)]
    assert detection(own, others)["fpr_at_95_tpr"] == pytest.approx(expected)


def test_rendered_rows_have_what_can_be_computed_for_them(context):
    data = read_elsewhere(context)
    assert len(data) == 12
    assert set(data.features) == {"image", "audio"}
    assert data.text_mask.all()
    for name, values in data.features.items():
        assert values.shape[1:] == context.test.features[name].shape[1:]
        assert data.feature_mask[name].all()
        assert np.abs(values).sum() > 0


def test_the_examples_of_a_run_come_back_with_the_features_that_it_stored(context):
    """Reading this very set as the other one gives its own tokens and features, to the bit."""
    data = read_elsewhere(elsewhere(context, examples=str(context.examples), max_rows=1000))
    places = {example_id: row for row, example_id in enumerate(data.example_ids)}
    for row, example_id in enumerate(context.test.example_ids):
        there = places[example_id]
        np.testing.assert_array_equal(data.input_ids[there], context.test.input_ids[row])
        for name, values in data.features.items():
            np.testing.assert_array_equal(values[there], context.test.features[name][row])


def test_where_rows_have_places_those_of_another_set_have_their_first(context, monkeypatch):
    """Whatever else this set's rows have."""
    one = read_elsewhere(elsewhere(context, examples=str(context.examples)))
    doubled = np.concatenate([context.test.features["image"]] * 2, axis=1)
    features = context.test.features | {"image": doubled}
    monkeypatch.setattr("fuseline.evaluation.stress.other_set.image_places", lambda _: 2)
    several = replace(context, test=replace(context.test, features=features))
    data = read_elsewhere(elsewhere(several, examples=str(context.examples)))
    first, second = np.split(data.features["image"], 2, axis=1)
    assert np.array_equal(first, one.features["image"])
    assert np.isnan(second).all(2).all(1).tolist() == data.feature_mask["image"].tolist()


def test_of_many_rows_a_sample_is_taken(context):
    assert len(read_elsewhere(elsewhere(context, examples=str(context.examples), max_rows=7))) == 7


@pytest.fixture
def seen(context, monkeypatch):
    """The modalities of every set of rows that a model is asked about."""
    found = []

    def note(model, data, batch_size):
        found.append({name for name in context.modalities if data.present(name).any()})
        return np.random.default_rng(0).normal(size=(len(data), 4)).astype(np.float32)

    monkeypatch.setattr("fuseline.evaluation.stress.out_of_distribution.predict_logits", note)
    return found


def test_neither_side_has_a_modality_that_the_other_lacks(context, seen):
    out_of_distribution_suite(context)
    assert seen == [{"text", "image", "audio"}] * 4


def test_a_modality_that_no_test_row_has_is_taken_from_the_others_too(context, seen):
    out_of_distribution_suite(replace(context, test=keep(context.test, ["text"])))
    assert seen == [{"text"}] * 4


def test_a_folder_that_is_not_there_is_named(context):
    with pytest.raises(ConfigError, match=r"stress\.out_of_distribution\.examples: .*'nowhere'"):
        read_elsewhere(elsewhere(context, examples="nowhere"))


def test_a_folder_without_a_table_is_named(context, tmp_path):
    with pytest.raises(ContractError, match=r"manifest\.json: not found"):
        read_elsewhere(elsewhere(context, examples=str(tmp_path)))


def test_features_of_other_params_are_refused(context):
    image = context.extract_features.image.model_copy(update={"grid": 1})
    changed = context.extract_features.model_copy(update={"image": image})
    with pytest.raises(ContractError, match=r"data/features/image: expected features of shape"):
        read_elsewhere(replace(context, extract_features=changed))
