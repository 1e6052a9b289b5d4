"""Ranks, ties and losses of finding one modality by another, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.errors import ContractError
from fuseline.learning.tasks import retrieval
from fuseline.learning.tasks.retrieval import Retrieval
from tests.support.tasks import cells
from tests.support.tiny_models import rows

# Rows 0 to 2 have both a text and a picture.
SIMILARITIES = np.array([[0.9, 0.5, 0.1], [0.8, 0.3, 0.2], [0.3, 0.3, 0.3]])


def task(*names: str) -> Retrieval:
    return Retrieval("retrieval", {"modalities": list(names or ("text", "image"))})


def outputs(similarities: np.ndarray) -> np.ndarray:
    """Vectors of text and picture whose products are these."""
    return np.stack([similarities, np.eye(len(similarities))], axis=1)


def three(groups: tuple[int, int, int] = (0, 1, 2)):
    data = rows(3)
    return replace(data, groups=np.array(groups), labels=np.ones(3, dtype=bool))


def test_ranks_by_hand():
    """Texts find their pictures at rank 1, 2, and 3: all three tie, against the model. Pictures
    find their texts, by columns, at rank 1, 3 (0.3 ties with 0.3, below 0.5) and 1."""
    found = task().scores(outputs(SIMILARITIES), three())
    assert found["text_to_image_recall_at_1"] == pytest.approx(1 / 3)
    assert found["text_to_image_recall_at_5"] == found["text_to_image_recall_at_10"] == 1.0
    assert found["text_to_image_median_rank"] == 2.0
    assert found["image_to_text_recall_at_1"] == pytest.approx(2 / 3)
    assert found["image_to_text_median_rank"] == 1.0
    assert found["recall_at_1"] == pytest.approx(0.5)


def test_a_match_is_any_row_of_the_group():
    """Rows 0 and 1 are one group: text 1 finds picture 0 first, and picture 1 text 0."""
    found = task().scores(outputs(SIMILARITIES), three((7, 7, 2)))
    assert found["text_to_image_recall_at_1"] == pytest.approx(2 / 3)
    assert found["image_to_text_recall_at_1"] == 1.0


@pytest.mark.parametrize("cut", [4, 5, 9, 10])
def test_recall_counts_ranks_up_to_the_cut(cut):
    """The match is at the rank `cut` of twelve."""
    count = 12
    similarities = np.where(np.arange(count) < cut - 1, 2.0, 0.0)[None].repeat(count, 0)
    similarities[-1, -1] = 1.0
    data = replace(rows(count), groups=np.arange(count))
    data = replace(
        data,
        text_mask=np.ones(count, dtype=bool),
        feature_mask={"image": np.ones(count, dtype=bool)},
    )
    ranks = retrieval._ranks(outputs(similarities)[:, 0], outputs(similarities)[:, 1], data.groups)
    assert ranks[-1] == cut
    found = task().scores(outputs(similarities), data)
    assert found["text_to_image_recall_at_5"] == (ranks <= 5).mean()
    assert found["text_to_image_recall_at_10"] == (ranks <= 10).mean()


def test_blocks_change_no_rank(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(2, 11, 4))
    groups = np.arange(11) // 2
    whole = retrieval._ranks(vectors[0], vectors[1], groups)
    monkeypatch.setattr(retrieval, "BLOCK_ROWS", 3)
    assert (retrieval._ranks(vectors[0], vectors[1], groups) == whole).all()
    assert whole.max() > 1


def test_rows_that_lack_one_of_the_two_are_neither_asked_nor_found():
    """Row 3 has no picture: its vector, nearest to every text, is no candidate."""
    vectors = np.zeros((4, 2, 4))
    vectors[:3, 0, :3] = vectors[:3, 1, :3] = np.eye(3)
    vectors[3] = 9.0
    found = task().scores(vectors, rows(4))
    assert found["recall_at_1"] == 1.0


def test_a_direction_that_no_row_has_is_no_part_of_the_mean():
    vectors = np.tile(np.eye(3)[:, None], (1, 3, 1))
    found = task("text", "image", "video").scores(vectors, three())
    assert found["recall_at_1"] == 1.0
    assert found["text_to_video_recall_at_1"] == found["video_to_image_median_rank"] == 0.0


def batch(groups: tuple[int, int, int] = (0, 1, 2)):
    return three(groups).batch([0, 1, 2])


def test_the_loss_is_symmetric_cross_entropy():
    logits = torch.from_numpy(outputs(SIMILARITIES))
    losses = task().losses(logits, batch())
    forth = -torch.from_numpy(SIMILARITIES).log_softmax(1).diagonal()
    back = -torch.from_numpy(SIMILARITIES).log_softmax(0).diagonal()
    torch.testing.assert_close(losses, (forth + back) / 2)


def test_rows_of_one_group_are_no_negatives():
    losses = task().losses(torch.from_numpy(outputs(SIMILARITIES)), batch((7, 7, 2)))
    forth = math.log(1 + math.exp(0.1 - 0.9))
    back = math.log(1 + math.exp(0.3 - 0.9))
    assert losses[0].item() == pytest.approx((forth + back) / 2)
    alone = task().losses(torch.from_numpy(outputs(SIMILARITIES)), batch((7, 7, 7)))
    assert alone.tolist() == [0.0, 0.0, 0.0]


def test_right_is_nearest_both_ways_and_no_tie():
    logits = torch.from_numpy(outputs(SIMILARITIES))
    assert task().right(logits, batch()).tolist() == [True, False, False]
    # With a tie less, row 1 is right once the picture of its own group is no rival.
    less = SIMILARITIES - np.array([[0, 0, 0], [0, 0, 0], [0, 0.1, 0]])
    logits = torch.from_numpy(outputs(less))
    assert task().right(logits, batch()).tolist() == [True, False, False]
    assert task().right(logits, batch((7, 7, 2))).tolist() == [True, True, False]


def test_a_row_that_lost_a_modality_is_not_right():
    """Modality dropout leaves it nothing to find, though it has a label."""
    lost = batch() | {"image_mask": torch.tensor([False, True, True])}
    logits = torch.from_numpy(outputs(np.eye(3) * 5))
    assert task().right(logits, lost).tolist() == [False, True, True]
    assert task().losses(logits, lost)[0] == 0


def test_the_loss_averages_over_the_pairs_that_a_row_has():
    names = ["text", "image", "audio"]
    data = rows(3, modalities=names)
    some = replace(data, labels=np.ones(3, dtype=bool), groups=np.arange(3)).batch([0, 1, 2])
    assert some["audio_mask"].tolist() == [True, True, False]
    vectors = torch.randn(3, 3, 5, generator=torch.Generator().manual_seed(0))
    third = task(*names).losses(vectors, some)[2]
    both = task("text", "image").losses(vectors[:, :2], some)[2]
    torch.testing.assert_close(third, both)


def test_one_modality_has_nothing_to_find():
    message = r"^finetune\.tasks: retrieval looks for one modality .* only text\. Add one to base"
    with pytest.raises(ContractError, match=message):
        Retrieval.learn(cells("retrieval", data=rows(24, modalities=["text"])))
    with pytest.raises(ContractError, match=r"there is only none\."):
        Retrieval.learn(cells("retrieval", data=rows(24, modalities=[])))


def test_labels_are_rows_with_two_modalities():
    assert task().labels(cells("retrieval", 5)).tolist() == [True, True, True, False, False]


def test_the_head_has_the_vectors_of_the_facts_alone():
    """Where no row has a text, the facts name none, and neither may the head."""
    from fuseline.learning.model import FuselineForTasks
    from tests.support.tasks import entry
    from tests.support.tiny_models import config

    names = ["text", "image", "audio"]
    data = rows(24, modalities=names)
    found = cells("retrieval", data=replace(data, text_mask=np.zeros(24, dtype=bool)))
    one = entry("retrieval", found)
    assert one["facts"]["modalities"] == ["audio", "image"]
    model = FuselineForTasks(config(modalities=names, tasks=[one])).eval()
    logits = model(**found.data.batch(np.arange(24))).logits
    assert logits.shape[1] == 2
    assert list(model.heads[0].contrastive_heads) == ["audio", "image"]


def test_a_row_without_any_negative_is_not_right():
    """Alone, or among its own group, it was asked nothing."""
    logits = torch.from_numpy(outputs(np.eye(3))).float()
    assert task().right(logits, batch((7, 7, 7))).tolist() == [False] * 3
    assert task().right(logits, batch((7, 7, 2))).tolist() == [True] * 3
