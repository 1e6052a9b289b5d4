from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.scoring.ablation import (
    keep,
    modality_ablation,
    other_rows,
    presence_scores,
    shuffle,
)
from fuseline.learning.model.passes import length_batches, predict_logits
from fuseline.learning.tasks.scores import scores


def read_both(
    input_ids: Tensor,
    text_mask: Tensor,
    image_features: Tensor | None = None,
    image_mask: Tensor | None = None,
    **_: Tensor,
) -> SimpleNamespace:
    """Class 1 where the second token and the picture's first value agree, as far as present."""
    word = torch.where(text_mask, input_ids[:, 1] - 10, 0)
    picture = torch.zeros(len(word))
    if image_features is not None:
        picture = torch.where(image_mask, image_features[:, 0, 0], picture)
    score = word + picture
    return SimpleNamespace(logits=torch.stack([-score, score], dim=-1).float())


def answer(data: MultimodalData) -> np.ndarray:
    return predict_logits(read_both, data, 64).argmax(-1)


def score(predictions: np.ndarray, data: MultimodalData) -> dict[str, float]:
    return scores(data.labels, predictions, len(data.label_names))


def ablated(data: MultimodalData, modalities: list[str]) -> dict[str, Any]:
    return modality_ablation(answer, score, data, modalities, seed=0).figures


@pytest.mark.parametrize("num_rows", [2, 3, 50])
def test_other_rows_are_others_and_each_is_taken_once(num_rows):
    other = other_rows(num_rows, seed=3)
    assert (other != np.arange(num_rows)).all()
    assert sorted(other) == list(range(num_rows))


def test_a_single_row_stays():
    assert other_rows(1, seed=0).tolist() == [0]


def test_only_one_modality_is_left(make_data):
    data = make_data()
    text = keep(data, ["text"])
    assert text.text_mask.all()
    assert not text.feature_mask["image"].any()
    image = keep(data, ["image"])
    assert not image.text_mask.any()
    assert image.feature_mask["image"].all()
    assert data.text_mask.all(), "the original rows must stay as they are"


def test_shuffling_moves_a_modality_as_a_whole(make_data):
    present = np.arange(24) % 3 > 0
    data = make_data(feature_mask={"image": present})
    moved = shuffle(data, ["image"], seed=1)
    other = other_rows(24, seed=1)
    assert (moved.features["image"] == data.features["image"][other]).all()
    assert (moved.feature_mask["image"] == present[other]).all()
    assert moved.input_ids is data.input_ids
    assert (moved.labels == data.labels).all()


def test_each_ablation_is_scored_against_the_rows_own_labels(make_data):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 200)
    ids = [np.array([2, 11 if label else 9, 3]) for label in labels]
    pictures = np.zeros((200, 4, 6), dtype=np.float16)  # the picture says nothing
    data = make_data(200, 2, labels=labels, input_ids=ids, features={"image": pictures})
    found = ablated(data, ["text", "image"])
    assert found["text_only"] == {"accuracy": 1.0, "macro_f1": 1.0}
    assert found["image_only"]["accuracy"] == pytest.approx((labels == 0).mean())
    assert found["shuffled"]["accuracy"] == 1.0
    assert found["shuffled"]["by_modality"]["image"]["accuracy"] == 1.0
    assert 0.3 < found["shuffled"]["by_modality"]["text"]["accuracy"] < 0.7


@pytest.mark.parametrize("modalities", [["text"], ["image"]])
def test_keys_stay_with_a_single_modality(make_data, modalities):
    changes = {} if "image" in modalities else {"features": {}, "feature_mask": {}}
    if "text" not in modalities:
        changes["text_mask"] = np.zeros(24, dtype=bool)
    found = ablated(make_data(**changes), modalities)
    assert set(found) == {"text_only", "image_only", "shuffled"}
    assert set(found["shuffled"]) == {"accuracy", "macro_f1", "by_modality"}
    clean = predict_logits(read_both, make_data(24, 2, **changes), 8).argmax(-1)
    alone = found[f"{modalities[0]}_only"]["accuracy"]
    assert alone == pytest.approx((clean == make_data().labels).mean())


def test_a_single_modality_is_shuffled_itself(make_data):
    """Were it left in place, `shuffled` would claim that mismatched rows are no worse."""
    labels = np.random.default_rng(0).integers(0, 2, 200)
    ids = [np.array([2, 11 if label else 9, 3]) for label in labels]
    data = make_data(200, 2, labels=labels, input_ids=ids, features={}, feature_mask={})
    found = ablated(data, ["text"])
    assert found["text_only"]["accuracy"] == 1.0
    assert 0.3 < found["shuffled"]["accuracy"] < 0.7


@pytest.fixture
def three(make_data):
    """Rows with text, image and audio, of which a part lacks one or all."""
    every = np.arange(24)
    return make_data(
        features={
            "image": np.zeros((24, 4, 6), dtype=np.float16),
            "audio": np.zeros((24, 3, 2), dtype=np.float16),
        },
        text_mask=every % 4 != 0,
        feature_mask={"image": every % 3 != 0, "audio": every >= 12},
    )


def test_three_modalities_have_keys_for_each_and_for_all_but_each(three):
    modalities = ["text", "image", "audio"]
    found = ablated(three, modalities)
    assert set(found) == {
        *(f"{name}_only" for name in modalities),
        *(f"without_{name}" for name in modalities),
        "shuffled",
    }
    assert set(found["shuffled"]["by_modality"]) == set(modalities)
    pair = ablated(three, ["text", "audio"])
    assert set(pair) == {"text_only", "image_only", "audio_only", "shuffled"}


@pytest.mark.parametrize(
    ("modalities", "passes"),
    [(["text"], 5), (["text", "image"], 5), (["text", "image", "audio"], 10)],
)
def test_what_is_left_without_a_modality_is_asked_for_once(three, modalities, passes):
    """Each alone, all but each, all shuffled, and each; of two, one without the other is that."""
    asked = []

    def counted(data):
        asked.append(data)
        return answer(data)

    found = modality_ablation(counted, score, three, modalities, seed=0)
    assert len(asked) == passes
    assert set(found.without) == (set(modalities) if len(modalities) > 1 else set())
    for name, predictions in found.without.items():
        assert (predictions == answer(keep(three, set(modalities) - {name}))).all()


def test_all_but_one_keeps_the_others(three):
    kept = keep(three, {"image", "audio"})
    assert not kept.text_mask.any()
    for name in ("image", "audio"):
        assert (kept.feature_mask[name] == three.feature_mask[name]).all()


def test_presence_counts_each_row_once_and_scores_its_pattern(three):
    modalities = ["text", "image", "audio"]
    right = np.arange(24) >= 12
    predictions = np.where(right, three.labels, (three.labels + 1) % 3)
    found = presence_scores(three, predictions, modalities)
    assert set(found) == {
        "audio+image+text", "audio+image", "audio+text", "image+text", "audio", "image", "text",
        "none",
    }  # fmt: skip
    assert sum(figures["rows"] for figures in found.values()) == 24
    assert found["none"]["rows"] == 1  # row 0 has nothing
    for pattern, figures in found.items():
        expected = 1.0 if "audio" in pattern else 0.0
        assert figures["accuracy"] == (expected if figures["rows"] else 0.0), pattern
    assert found["audio+image+text"]["rows"] == 6


def test_presence_asks_only_for_what_takes_part(three):
    found = presence_scores(three, three.labels, ["text"])
    assert {name: figures["rows"] for name, figures in found.items()} == {"text": 18, "none": 6}
    assert found["text"]["accuracy"] == 1.0


def test_logits_come_back_in_the_order_of_the_rows(make_data):
    data = make_data(30)
    whole = predict_logits(read_both, data, 30)
    single = np.concatenate(
        [predict_logits(read_both, data.take(np.array([row])), 1) for row in range(30)]
    )
    assert (whole == single).all()
    assert (predict_logits(read_both, data, 4) == single).all()


def test_batches_hold_each_row_once_and_pad_to_one_width(make_data):
    data = make_data(40)
    batches = list(length_batches(data, np.arange(3, 40), 8))
    assert sorted(np.concatenate(batches)) == list(range(3, 40))
    for rows in batches:
        assert len(rows) <= 8
        assert len(set(-(-data.lengths[rows] // 8))) == 1
