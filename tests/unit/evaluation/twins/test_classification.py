from __future__ import annotations

import numpy as np
import pytest

from fuseline.errors import ContractError
from fuseline.evaluation.twins.classification import (
    Block,
    feature_blocks,
    predict_twin,
    twin_metrics,
)

BOTH = ["text", "image"]


def separable(make_data, num_rows: int = 150):
    """Rows whose class shows in the mean of one image column and in one text column."""
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 3, num_rows)
    pictures = generator.normal(size=(num_rows, 4, 6))
    pictures[:, :, 0] += 3.0 * (labels[:, None] == 0)
    texts = generator.normal(size=(num_rows, 5)).astype(np.float32)
    texts[:, 1] += 6.0 * labels
    data = make_data(num_rows, 3, labels=labels, features={"image": pictures.astype(np.float16)})
    return data, texts


def test_learns_what_its_features_hold(make_data):
    data, texts = separable(make_data)
    found = twin_metrics(data, feature_blocks(data, texts), BOTH)
    assert found["twin"]["accuracy"] > 0.85
    assert found["twin_text_only"]["accuracy"] > 0.85
    assert 0.4 < found["twin_image_only"]["accuracy"] < 0.9
    assert all(set(scores) == {"accuracy", "macro_f1"} for scores in found.values())


@pytest.mark.parametrize("seed", range(6))
def test_fits_on_the_training_split_alone(make_data, seed):
    """Poisoned test rows change neither the scaling, nor the penalty, nor the weights.

    The rows are noisy, so that penalties differ in what they predict and a choice that looked
    at test labels would go another way.
    """
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, 150)
    texts = (labels[:, None] + 2.0 * generator.normal(size=(150, 30))).astype(np.float32)
    data = make_data(150, 3, labels=labels)
    before = predict_twin(data, [Block(texts, data.text_mask)])
    test = np.flatnonzero(data.splits == "test")
    texts[test[::2]] = 1e4
    flipped = labels.copy()
    flipped[test] = before[test] if seed % 2 else 2 - labels[test]
    after = predict_twin(make_data(150, 3, labels=flipped), [Block(texts, data.text_mask)])
    kept = np.setdiff1d(np.arange(150), test[::2])
    assert (after[kept] == before[kept]).all()


def test_a_poisoned_training_row_does_change_it(make_data):
    data, texts = separable(make_data)
    before = predict_twin(data, [Block(texts, data.text_mask)])
    poisoned = texts.copy()
    poisoned[np.flatnonzero(data.splits == "train")[:20]] = 1e4
    assert (predict_twin(data, [Block(poisoned, data.text_mask)]) != before).any()


def test_absent_rows_lie_at_the_mean_whatever_their_values(make_data):
    data, texts = separable(make_data)
    present = np.arange(150) % 5 > 0
    garbage = np.where(present[:, None], texts, 1e6).astype(np.float32)
    first = predict_twin(data, [Block(texts, present)])
    assert (predict_twin(data, [Block(garbage, present)]) == first).all()


def test_a_modality_that_is_not_configured_predicts_the_commonest_class(make_data):
    labels = np.array([1] * 90 + [0] * 30 + [2] * 30)
    data = make_data(150, 3, labels=labels, features={}, feature_mask={})
    texts = np.zeros((150, 2), dtype=np.float32)
    found = twin_metrics(data, feature_blocks(data, texts), BOTH)
    share = (labels[data.splits == "test"] == 1).mean()
    assert found["twin_image_only"]["accuracy"] == pytest.approx(share)
    assert found["twin"]["accuracy"] == pytest.approx(share)


def test_features_are_averaged_over_positions_in_float32(make_data):
    big = np.full((24, 4, 6), 60000.0, dtype=np.float16)  # their sum overflows float16
    data = make_data(features={"image": big})
    assert (feature_blocks(data, None)["image"].values == big[0, 0, 0]).all()


def test_each_modality_has_a_twin_of_its_own(make_data):
    """Of a sound its course counts: both classes have the mean 0, and one of them swings."""
    labels = np.arange(150) % 2
    audio = np.zeros((150, 4, 2), dtype=np.float16)
    audio[labels == 1, :, 0] = [2.0, -2.0, 2.0, -2.0]
    data = make_data(150, 2, labels=labels)
    data.features["audio"], data.feature_mask["audio"] = audio, np.ones(150, dtype=bool)
    found = twin_metrics(data, feature_blocks(data, None), [*BOTH, "audio"])
    assert set(found) == {"twin", "twin_text_only", "twin_image_only", "twin_audio_only"}
    assert found["twin_audio_only"]["accuracy"] == 1.0
    assert found["twin"]["accuracy"] > 0.9
    assert found["twin_image_only"]["accuracy"] < 0.8


def test_one_label_is_nothing_to_learn(make_data):
    data = make_data(labels=np.zeros(24, dtype=np.int64))
    with pytest.raises(ContractError, match=r"fewer than two labels.*Add training rows of another"):
        twin_metrics(data, feature_blocks(data, None), BOTH)
