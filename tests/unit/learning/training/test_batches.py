import numpy as np

from fuseline.learning.training.batches import LengthGroupedBatches


def batches(epoch=0, seed=0, count=203):
    lengths = np.random.default_rng(5).integers(3, 40, count)
    sampler = LengthGroupedBatches(lengths, 16, seed)
    sampler.set_epoch(epoch)
    return lengths, list(sampler), len(sampler)


def test_every_row_comes_once():
    _, cut, length = batches()
    assert sorted(row for batch in cut for row in batch) == list(range(203))
    assert len(cut) == length


def test_rows_of_a_batch_are_of_similar_length():
    lengths, cut, _ = batches()
    padded = sum(max(lengths[batch]) * len(batch) for batch in cut)
    assert padded < 1.15 * lengths.sum()


def test_epochs_and_seeds_differ_and_repeat():
    assert batches(epoch=1)[1] == batches(epoch=1)[1]
    assert batches(epoch=1)[1] != batches(epoch=2)[1]
    assert batches(seed=1)[1] != batches(seed=2)[1]
