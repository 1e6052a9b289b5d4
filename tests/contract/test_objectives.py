"""Every pre-training objective keeps the same promises, whatever its settings."""

from itertools import combinations

import pytest
import torch

from fuseline.learning.objectives.base import Stateful
from fuseline.learning.objectives.matching import contrastive_scale, mismatched
from fuseline.learning.objectives.pretraining import OBJECTIVES, Mixture, build_objectives
from tests.support.tiny_models import (
    CONTINUES_WORD,
    EVERY,
    objective_params,
    pretrainer,
    rows,
    tell_apart,
)

SETS = [["text", "image"], EVERY, ["text", "audio"], ["image", "audio"], ["tabular"], ["text"]]
# Objectives by name, and their settings beside the defaults.
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {name: (name, {}) for name in OBJECTIVES} | {
    "mlm-whole_word": ("mlm", {"mlm_masking": "whole_word"}),
    "mlm-span": ("mlm", {"mlm_masking": "span"}),
    "itm-hard": ("itm", {"itm_negatives": "hard"}),
    "contrastive-queue": ("contrastive", {"contrastive_queue_size": 16}),
}
CASES = [
    (variant, modalities)
    for variant, (name, _) in VARIANTS.items()
    for modalities in SETS
    if OBJECTIVES[name].takes_part(modalities)
]


def build(variant):
    name, settings = VARIANTS[variant]
    return OBJECTIVES[name](objective_params(**settings), CONTINUES_WORD)


def run(variant, batch, seed=0, model=None):
    objective = build(variant)
    torch.manual_seed(seed)
    return objective(model or pretrainer(), batch)


@pytest.mark.parametrize(("name", "modalities"), CASES)
def test_loss_is_a_finite_scalar_and_guesses_are_counted(name, modalities):
    model = pretrainer(modalities=modalities)
    output = run(name, rows(24, modalities=modalities).batch(range(24)), model=model)
    if (name, modalities) == ("masked_features", ["tabular"]):
        # The only cell of a row is never hidden: nothing would be left to tell it from.
        assert output.count == 0
        return
    assert output.loss.shape == ()
    assert torch.isfinite(output.loss)
    assert output.count > 0
    assert 0 <= output.correct <= output.count


@pytest.mark.parametrize(("name", "modalities"), CASES)
def test_the_loss_reaches_the_backbone(name, modalities):
    if (name, modalities) == ("masked_features", ["tabular"]):
        pytest.skip("nothing to restore a single position from")
    model = pretrainer(modalities=modalities)
    batch = rows(24, modalities=modalities).batch(range(24))
    run(name, batch, model=model).loss.backward()
    gradients = [p.grad for p in model.fuseline.parameters() if p.grad is not None]
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_random_state_gives_the_same_loss(name):
    batch = rows().batch(range(12))
    assert run(name, batch, seed=5).loss == run(name, batch, seed=5).loss


@pytest.mark.parametrize("name", VARIANTS)
def test_an_objective_that_goes_on_from_its_state_gives_the_same_losses(name):
    """What it remembers is all in its state: else a resumed run would end elsewhere."""
    model, data = pretrainer().train(), rows(36)
    first, second = build(name), build(name)
    first(model, data.batch(range(12)))
    if isinstance(first, Stateful):
        second.load_state_dict(first.state_dict())
    for start in (12, 24, 0):
        losses = []
        for objective in (first, second):
            torch.manual_seed(start)
            losses.append(objective(model, data.batch(range(start, start + 12))).loss)
        assert torch.equal(*losses)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_batch_with_nothing_to_guess_trains_on_nothing_but_runs(name):
    batch = rows(modalities=EVERY).batch([0, 1])
    nothing = {f"{modality}_mask": torch.zeros(2).bool() for modality in EVERY}
    if name == "nsp":
        nothing["input_ids"] = torch.full_like(batch["input_ids"], 3)
        nothing["translation_tokens"] = torch.full_like(batch["translation_tokens"], 3)
    output = run(name, batch | nothing, model=pretrainer(modalities=EVERY))
    assert output.count == 0
    assert output.loss == 0
    output.loss.backward()


@pytest.mark.parametrize("name", VARIANTS)
def test_labels_are_never_read(name):
    batch = rows().batch(range(12))
    assert run(name, batch).loss == run(name, batch | {"labels": batch["labels"] * 0}).loss


@pytest.mark.parametrize("name", VARIANTS)
def test_an_objective_can_be_learnt(name):
    """A few steps on one batch with fixed draws lower its loss."""
    model, batch = pretrainer(), rows().batch(range(12))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = run(name, batch, model=model).loss.item()
    for _ in range(15):
        loss = run(name, batch, model=model).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < first


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith("mlm")])
def test_mlm_leaves_special_tokens_and_asks_at_least_one_token_of_each_text(name):
    model, batch = pretrainer(), rows().batch(range(12))
    chosen = build(name)._choose(model, batch).chosen
    special = torch.isin(batch["input_ids"], torch.tensor(model.config.special_token_ids))
    assert not (chosen & special).any()
    assert (chosen.any(1) == batch["text_mask"]).all()


def test_no_objective_left_is_an_error():
    params = objective_params(weights={"itm": 1.0, "contrastive": 1.0})
    with pytest.raises(ValueError, match=r"pretrain\.objectives\.weights: no objective"):
        build_objectives(params, ["text"], None)


def test_an_objective_says_itself_what_it_needs():
    def kept(*modalities):
        return set(build_objectives(objective_params(), modalities, None))

    assert kept("text", "audio") == set(OBJECTIVES)
    assert kept("text") == {"mlm", "nsp"}
    assert kept("image", "audio") == {"contrastive", "joint_contrastive", "masked_features"}
    assert kept("tabular") == {"masked_features"}


def test_contrast_averages_over_every_pair():
    """With three modalities the loss is the mean of the losses of the three pairs alone."""
    names = ["text", "image", "audio"]
    model, batch = pretrainer(modalities=names), rows(24, modalities=names).batch(range(24))
    pairs = []
    for lacking in names:
        pair = batch | {f"{lacking}_mask": torch.zeros(24).bool()}
        # Identities stay those of the whole rows, whatever the pair.
        pairs.append(run("contrastive", pair, model=model))
    whole = run("contrastive", batch, model=model)
    assert whole.count == sum(pair.count for pair in pairs)
    assert torch.allclose(whole.loss, torch.stack([pair.loss for pair in pairs]).mean())


def test_contrast_does_not_count_equal_sounds_as_negatives():
    """Of two rows with one sound neither is the other's negative: nothing is left to tell apart."""
    names = ["text", "audio"]
    model, batch = pretrainer(modalities=names), rows(modalities=names).batch([0, 3])
    assert run("contrastive", batch, model=model).loss > 0.1
    batch["audio_features"][1] = batch["audio_features"][0]
    equal = run("contrastive", batch, model=model)
    assert (equal.loss, equal.count) == (0.0, 2)


@pytest.mark.parametrize(("name", "reached"), [("contrastive", False), ("joint_contrastive", True)])
def test_only_the_joint_contrast_trains_fusion(name, reached):
    model = pretrainer()
    run(name, rows().batch(range(12)), model=model).loss.backward()
    gradients = [parameter.grad for parameter in model.fuseline.fusion.parameters()]
    assert any(gradient is not None and gradient.any() for gradient in gradients) == reached


def test_joint_contrast_is_the_mean_over_pairs_of_views():
    """Written out row by row, the views by forward passes in which other modalities are hidden. A
    row with one medium is whole by that, and would be compared with itself: it takes no part."""
    names = ["text", "image", "audio"]
    model, batch = pretrainer(modalities=names), rows(24, modalities=names).batch(range(24))
    tell_apart(model)
    present = {name: batch[f"{name}_mask"] for name in names}
    several = torch.stack(list(present.values())).sum(0) > 1
    assert 0 < several.sum() < 24
    hidden = {
        name: {f"{other}_mask": torch.zeros(24).bool() for other in names if other != name}
        for name in names
    }
    views = [(model.joint_vectors(model(**batch).pooled), several)] + [
        (model.joint_vectors(model(**(batch | hidden[name])).pooled), present[name] & several)
        for name in names
    ]
    allowed, scale = mismatched(batch), contrastive_scale(model)
    means, count = [], 0
    for (one, in_one), (other, in_other) in combinations(views, 2):
        both = (in_one & in_other).nonzero().flatten()
        losses = []
        for row in both:
            rivals = torch.cat([row.reshape(1), both[allowed[row][both]]])
            for anchors, targets in ((one, other), (other, one)):
                logits = scale * targets[rivals] @ anchors[row]
                losses.append(-logits.log_softmax(0)[0])
        means.append(torch.stack(losses).mean())
        count += len(both)
    output = run("joint_contrastive", batch, model=model)
    assert output.count == count
    assert torch.allclose(output.loss, torch.stack(means).mean(), atol=1e-5)


@pytest.mark.parametrize("same", ["group", "picture"])
def test_joint_contrast_leaves_true_matches_out(same):
    """Of two rows that match neither is the other's negative: nothing is left to tell apart."""
    batch = rows().batch([0, 10])
    assert run("joint_contrastive", batch).loss > 0.1
    if same == "group":
        batch["groups"][1] = batch["groups"][0]
    else:
        batch["image_features"][1] = batch["image_features"][0]
    assert run("joint_contrastive", batch).loss == 0


@pytest.mark.parametrize("name", ["image", "audio", "tabular"])
def test_matching_swaps_one_medium_at_a_time(name, monkeypatch):
    """Every medium gets its turn, and the others stay with their rows."""
    model, batch = pretrainer(modalities=EVERY), rows(24, modalities=EVERY).batch(range(24))
    swapped = set()
    for seed in range(12):
        seen = {}
        monkeypatch.setattr(type(model), "forward", _recording(seen, type(model).forward))
        run("itm", batch, seed=seed, model=model)
        monkeypatch.undo()
        keys = [k for k in seen if k.endswith("_features") and not torch.equal(seen[k], batch[k])]
        assert len(keys) <= 1
        swapped |= set(keys)
    assert f"{name}_features" in swapped
    assert "video_features" not in swapped, "no row has a video"


def _recording(seen, forward):
    def record(self, **inputs):
        seen.update(inputs)
        return forward(self, **inputs)

    return record


def test_the_last_visible_position_of_a_row_is_not_hidden():
    objective = build("masked_features")
    objective.share = 1.0
    batch = rows(24, modalities=EVERY).batch(range(24))
    cells = {name: batch[f"{name}_features"] for name in EVERY if name != "text"}
    hidden = objective._choose(batch, cells)
    whole = {name: chosen.all(1) for name, chosen in hidden.items()}
    shown = batch["text_mask"].clone()
    for name in hidden:
        shown |= batch[f"{name}_mask"] & ~whole[name]
    something = torch.stack([batch[f"{name}_mask"] for name in EVERY]).any(0)
    assert torch.equal(shown, something)
    assert hidden["tabular"][batch["text_mask"] & batch["tabular_mask"]].all()


def test_hidden_positions_do_not_show_through_the_convolutions():
    model, batch = pretrainer(modalities=EVERY), rows(modalities=EVERY).batch(range(6))
    hidden = torch.zeros(6, 6, dtype=torch.bool)
    hidden[:, 2] = True
    other = batch | {"audio_features": batch["audio_features"].clone()}
    other["audio_features"][:, 2] += 5.0
    first = model(**batch, masked_positions={"audio": hidden})
    second = model(**other, masked_positions={"audio": hidden})
    assert torch.equal(first.states["audio"], second.states["audio"])
    assert not torch.equal(model(**batch).states["audio"], model(**other).states["audio"])


def test_translations_of_a_group_are_pairs():
    """Rows 0 and 1 share a group and differ in language: each is the other's second segment."""
    from fuseline.learning.objectives.nsp import _pairs

    data = rows(12)
    batch = data.batch([0, 5])
    first, second = _pairs(pretrainer(), batch)
    assert data.translations[0] == 1
    assert first[0].tolist() == data.input_ids[0][1:-1].tolist()
    assert second[0].tolist() == data.input_ids[1][1:-1].tolist()
    assert second[1].tolist() == data.input_ids[4][1:-1].tolist()


def test_without_translations_a_text_is_halved():
    from fuseline.learning.objectives.nsp import _pairs

    batch = rows(12).batch([0])
    del batch["translation_tokens"]
    first, second = _pairs(pretrainer(), batch)
    whole = [*first[0], *second[0]]
    assert whole == rows(12).input_ids[0][1:-1].tolist()
    assert len(first[0])


def test_the_mixture_draws_by_weight():
    drawn = []

    def objective(name):
        return lambda *_: drawn.append(name)

    torch.manual_seed(0)
    mixture = Mixture({n: objective(n) for n in "ab"}, {"a": 3.0, "b": 1.0})
    for _ in range(400):
        mixture(None, {})
    assert 0.68 < drawn.count("a") / len(drawn) < 0.82
