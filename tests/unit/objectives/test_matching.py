import torch

from fuseline.objectives.matching import different_group, draw_negative


def test_negatives_come_from_other_groups_only():
    groups = torch.tensor([0, 0, 1, 2])
    allowed = different_group(groups)
    for seed in range(50):
        torch.manual_seed(seed)
        drawn, has_one = draw_negative(allowed)
        assert has_one.all()
        assert (groups[drawn] != groups).all()


def test_a_batch_of_one_group_has_no_negatives():
    _, has_one = draw_negative(different_group(torch.zeros(3)))
    assert not has_one.any()
