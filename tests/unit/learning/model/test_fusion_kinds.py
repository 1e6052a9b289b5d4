"""What is special to each kind of fusion; what all share stands in the contract's tests."""

import pytest
import torch

from fuseline.learning.model.fusion import FUSIONS, Sequence
from fuseline.learning.model.fusion.block import Block
from tests.support.tiny_models import EVERY, config

WIDTH = 16
LENGTHS = {"text": 5, "image": 4, "audio": 6, "video": 2, "tabular": 3}
TRIO = ["text", "image", "audio"]


def fusion(kind, modalities=tuple(TRIO), seed=0, **changes):
    """Plainly initialised, so that no path starts out nearly closed."""
    torch.manual_seed(seed)
    shape = config(kind, modalities)
    shape.fusion |= changes
    return FUSIONS[kind](shape, list(modalities)).eval()


def sequences(modalities=tuple(TRIO), seed=1):
    """Two rows; the second one's last position of every modality is padding."""
    torch.manual_seed(seed)
    made = {}
    for name in modalities:
        mask = torch.ones(2, LENGTHS[name], dtype=torch.bool)
        mask[1, -1] = False
        made[name] = Sequence(torch.randn(2, LENGTHS[name], WIDTH), mask)
    return made


def changed(clean, name):
    """The same with other states of one modality."""
    return clean | {name: Sequence(clean[name].states.flip(-1), clean[name].mask)}


def silence(*layers):
    for layer in layers:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("training", [False, True])
def test_a_seed_decides_all(kind, training):
    first, second = (fusion(kind, seed=3).train(training)(sequences()) for _ in range(2))
    assert torch.equal(first.pooled, second.pooled)
    assert all(torch.equal(first.states[name], second.states[name]) for name in TRIO)


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("modalities", [EVERY, TRIO, ["image"]], ids="+".join)
def test_the_pooled_vector_moves_every_parameter(kind, modalities):
    model = fusion(kind, modalities)
    model(sequences(modalities)).pooled.square().sum().backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    # The same number added to every score changes no share of attention.
    assert {name for name in still if not name.endswith("key.bias")} == set()


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("modalities", [TRIO, ["image"]], ids="+".join)
def test_rows_that_are_all_padding_stay_finite(kind, modalities):
    model, given = fusion(kind, modalities), sequences(modalities)
    nothing = {
        name: Sequence(sequence.states, torch.zeros_like(sequence.mask))
        for name, sequence in given.items()
    }
    fused = model(nothing)
    fused.pooled.sum().backward()
    assert torch.isfinite(fused.pooled).all()
    assert all(torch.isfinite(states).all() for states in fused.states.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("modalities", [EVERY, TRIO, ["text"]], ids="+".join)
def test_gates_lie_between_0_and_1_and_each_depends_on_every_modality(modalities):
    model, clean = fusion("gated", modalities), sequences(modalities)
    gates = model.gates(model.concatenated_means(clean))
    assert gates.shape == (2, len(modalities), WIDTH)
    assert ((gates > 0) & (gates < 1)).all()
    for name in modalities:
        other = model.gates(model.concatenated_means(changed(clean, name)))
        assert (other - gates).abs().amin(dim=(0, 2)).gt(0).all()


def test_a_gate_shuts_out_its_own_modality():
    model, clean = fusion("gated"), sequences()
    silence(model.skip, model.gate)
    with torch.no_grad():
        model.gate.bias.unflatten(0, (3, WIDTH))[TRIO.index("image")] = -1e4
    pooled = model(clean).pooled
    assert torch.equal(model(changed(clean, "image")).pooled, pooled)
    for name in ("text", "audio"):
        assert not torch.allclose(model(changed(clean, name)).pooled, pooled)


def test_open_gates_add_up_what_every_modality_says():
    model, clean = fusion("gated"), sequences()
    silence(model.skip, model.gate)
    with torch.no_grad():
        model.gate.bias.fill_(1e4)
    said = [torch.tanh(model.contents[name](clean[name].mean())) for name in TRIO]
    assert torch.allclose(model(clean).pooled, sum(said), atol=1e-6)


def test_in_one_layer_of_a_bottleneck_no_modality_reaches_another():
    model, clean = fusion("bottleneck", num_layers=1), sequences()
    before, after = model(clean), model(changed(clean, "image"))
    for name in ("text", "audio"):
        assert torch.equal(after.states[name], before.states[name])
    assert not torch.allclose(after.states["image"], before.states["image"])
    silence(model.skip)
    assert not torch.allclose(model(changed(clean, "image")).pooled, model(clean).pooled)


def test_in_two_layers_modalities_meet_through_the_bottleneck_alone():
    model, clean = fusion("bottleneck", num_layers=2), sequences()
    before, after = model(clean), model(changed(clean, "image"))
    assert not torch.allclose(after.states["text"], before.states["text"])
    model.layers[0].register_forward_hook(
        lambda _layer, _given, made: (torch.zeros_like(made[0]), made[1])
    )
    before, after = model(clean), model(changed(clean, "image"))
    assert torch.equal(after.states["text"], before.states["text"])


def test_the_bottleneck_is_the_mean_of_what_modalities_make_of_it():
    layer, clean = fusion("bottleneck").layers[0], sequences()
    tokens = torch.randn(2, 3, WIDTH)
    views = []
    for name, block in layer.blocks.items():
        mask = torch.cat([torch.ones(2, 3, dtype=torch.bool), clean[name].mask], dim=1)
        views.append(block(torch.cat([tokens, clean[name].states], dim=1), mask)[:, :3])
    assert torch.allclose(layer(tokens, clean)[0], sum(views) / 3, atol=1e-6)


@pytest.mark.parametrize("count", [1, 5])
def test_the_bottleneck_is_as_wide_as_asked_and_its_tokens_part(count):
    model = fusion("bottleneck", num_bottleneck_tokens=count)
    assert model.tokens.shape == (1, count, WIDTH)
    model(sequences()).pooled.square().sum().backward()
    assert len(model.tokens.grad[0].unique(dim=0)) == count


def test_the_number_of_bottleneck_tokens_is_no_matter_of_other_kinds():
    for kind in set(FUSIONS) - {"bottleneck"}:
        few, many = (fusion(kind, num_bottleneck_tokens=count) for count in (1, 9))
        assert torch.equal(few(sequences()).pooled, many(sequences()).pooled)


def test_a_block_attends_to_the_real_positions_of_its_context_alone():
    torch.manual_seed(0)
    block, given = Block(config()).eval(), sequences()
    states, context = given["text"].states, given["image"]
    crossed = block(states, context.mask, context.states)
    assert crossed.shape == states.shape
    assert not torch.allclose(crossed, block(states, given["text"].mask))
    assert torch.equal(block(states, given["text"].mask, states), block(states, given["text"].mask))
    padding = torch.where(context.mask.unsqueeze(-1), context.states, 9.0)
    assert torch.equal(block(states, context.mask, padding), crossed)
    moved = torch.where(context.mask.unsqueeze(-1), 9.0, context.states)
    assert not torch.allclose(block(states, context.mask, moved), crossed)


def test_streams_attend_to_others_before_themselves():
    """With its second block's attention shut, a position sees the others, and none of its own."""
    model, clean = fusion("cross_attention", num_layers=1), sequences()
    before = model(clean).states["text"]
    states = clean["text"].states.clone()
    states[:, 1] += torch.randn(WIDTH)
    own = clean | {"text": Sequence(states, clean["text"].mask)}
    assert not torch.allclose(model(own).states["text"][:, 0], before[:, 0])
    silence(model.layers[0].within["text"].output)
    before = model(clean).states["text"]
    assert torch.equal(model(own).states["text"][:, 0], before[:, 0])
    for name in ("image", "audio"):
        assert not torch.allclose(model(changed(clean, name)).states["text"], before)


def test_streams_attend_to_what_the_layer_before_made():
    """Whichever stream comes first in a layer."""
    layer, clean = fusion("cross_attention", ["text", "image"]).layers[0], sequences()
    pair = {name: clean[name] for name in ("text", "image")}
    made = layer(pair)
    for name, other in (("text", "image"), ("image", "text")):
        crossed = layer.across[name](pair[name].states, pair[other].mask, pair[other].states)
        expected = layer.within[name](crossed, pair[name].mask)
        assert torch.equal(made[name].states, expected)


def test_a_single_stream_has_no_others_to_attend_to():
    model = fusion("cross_attention", ["image"])
    assert not any("across" in name for name, _ in model.named_parameters())
    block, given = model.layers[0].within["image"], sequences(["image"])
    alone = block(given["image"].states, given["image"].mask)
    assert torch.equal(model.layers[0](given)["image"].states, alone)
