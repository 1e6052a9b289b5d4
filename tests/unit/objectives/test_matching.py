import torch

from fuseline.objectives.matching import draw_negative, mismatched


def batch(groups):
    """Rows that differ in text and picture, whatever their groups."""
    rows = torch.arange(len(groups))
    return {
        "groups": groups,
        "input_ids": rows.unsqueeze(1),
        "image_features": rows[:, None, None].float(),
    }


def test_equal_texts_and_equal_pictures_are_no_negatives():
    rows = batch(torch.arange(4))
    rows["input_ids"] = torch.tensor([[5, 6], [5, 6], [7, 8], [9, 9]])
    rows["image_features"] = torch.tensor([1.0, 2.0, 3.0, 3.0])[:, None, None]
    allowed = mismatched(rows)
    assert not allowed[0, 1]
    assert not allowed[2, 3]
    assert allowed[0, 2]
    assert allowed[1, 3]


def test_negatives_come_from_other_groups_only():
    groups = torch.tensor([0, 0, 1, 2])
    allowed = mismatched(batch(groups))
    for seed in range(50):
        torch.manual_seed(seed)
        drawn, has_one = draw_negative(allowed)
        assert has_one.all()
        assert (groups[drawn] != groups).all()


def test_a_batch_of_one_group_has_no_negatives():
    _, has_one = draw_negative(mismatched(batch(torch.zeros(3))))
    assert not has_one.any()
