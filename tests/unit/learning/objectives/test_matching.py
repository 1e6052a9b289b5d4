import torch
from torch.nn import functional

from fuseline.learning.objectives.matching import draw_negative, lasting_identities, mismatched
from tests.support.tiny_models import EVERY, rows


def batch(groups):
    """Rows that differ in text and picture, whatever their groups."""
    rows = torch.arange(len(groups))
    there = torch.ones(len(groups), dtype=torch.bool)
    return {
        "groups": groups,
        "input_ids": rows.unsqueeze(1),
        "text_mask": there,
        "image_features": rows[:, None, None].float(),
        "image_mask": there,
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


def test_a_third_modality_is_an_identity_too():
    rows = batch(torch.arange(3))
    rows["audio_features"] = torch.tensor([4.0, 5.0, 4.0])[:, None, None]
    rows["audio_mask"] = torch.ones(3, dtype=torch.bool)
    allowed = mismatched(rows)
    assert not allowed[0, 2]
    assert allowed[0, 1]


def test_rows_do_not_share_what_they_lack():
    """Absent features are all zeros, and an absent text is the special tokens alone."""
    rows = batch(torch.arange(4))
    for name in ("image_features", "input_ids"):
        rows[name] = torch.zeros_like(rows[name])
    rows["image_mask"] = torch.tensor([False, False, True, True])
    rows["text_mask"] = torch.zeros(4, dtype=torch.bool)
    allowed = mismatched(rows)
    assert allowed[0, 1]
    assert allowed[0, 2]
    assert not allowed[2, 3]


def test_a_text_that_many_rows_share_is_no_negative_among_them():
    rows = batch(torch.arange(9))
    rows["input_ids"] = torch.tensor([[7], [8], [9]] * 3)
    seven = torch.arange(9) % 3 == 0
    allowed = mismatched(rows)
    assert not allowed[seven][:, seven].any()
    assert allowed[seven][:, ~seven].all()


def test_lasting_identities_match_as_those_of_the_batch_do():
    now = rows(40, modalities=EVERY).batch(range(40))
    for key in ("input_ids", "attention_mask"):
        now[key][[7, 30]] = now[key][0].clone()
    now["image_features"][9] = now["image_features"][0]
    now["audio_features"][12, 0, 0] = 0.0
    now["audio_features"][3] = now["audio_features"][12]
    now["audio_features"][3, 0, 0] = -0.0
    lasting = lasting_identities(now)
    assert torch.equal(lasting.mismatched(lasting), mismatched(now))
    assert not mismatched(now)[3, 12]


def test_contents_keep_their_numbers_in_wider_batches_and_other_processes():
    now = rows(12).batch(range(12))
    wider = now | {
        "input_ids": functional.pad(now["input_ids"], (0, 8)),
        "attention_mask": functional.pad(now["attention_mask"], (0, 8)),
    }
    contents = lasting_identities(now).contents
    for name, numbers in lasting_identities(wider).contents.items():
        assert torch.equal(numbers, contents[name])
    few = lasting_identities(rows(12).batch([5, 2])).contents
    assert all(torch.equal(numbers, contents[name][[5, 2]]) for name, numbers in few.items())
    text = {
        "groups": torch.tensor([0]),
        "input_ids": torch.tensor([[2, 7, 3, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 0]]),
        "text_mask": torch.tensor([True]),
    }
    assert lasting_identities(text).contents["text"].tolist() == [191259909932672759]


def test_negatives_come_from_other_groups_only():
    groups = torch.tensor([0, 0, 1, 2])
    allowed = mismatched(batch(groups))
    for seed in range(50):
        torch.manual_seed(seed)
        drawn, has_one = draw_negative(allowed)
        assert has_one.all()
        assert (groups[drawn] != groups).all()


def test_negatives_are_drawn_by_the_softmax_of_the_allowed():
    allowed = torch.tensor([[False, True, True, True]]).expand(8000, -1)
    logits = torch.tensor([[9.0, 0.0, 1.0, 2.0]]).expand(8000, -1)
    torch.manual_seed(0)
    drawn, has_one = draw_negative(allowed, logits)
    assert has_one.all()
    shares = torch.bincount(drawn, minlength=4) / 8000
    assert shares[0] == 0
    assert torch.allclose(shares[1:], torch.tensor([0.0900, 0.2447, 0.6652]), atol=0.02)


def test_a_match_that_outweighs_all_leaves_the_others_their_chances():
    allowed = torch.tensor([[False, True, True], [False, False, False]])
    logits = torch.tensor([[200.0, -200.0, -200.0], [1.0, 1.0, 1.0]])
    seen = set()
    for seed in range(20):
        torch.manual_seed(seed)
        drawn, has_one = draw_negative(allowed, logits)
        assert has_one.tolist() == [True, False]
        seen.add(int(drawn[0]))
    assert seen == {1, 2}


def test_a_batch_of_one_group_has_no_negatives():
    _, has_one = draw_negative(mismatched(batch(torch.zeros(3))))
    assert not has_one.any()
