"""An encoder in two parts does what the whole one does."""

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from fuseline.contracts import features_schema, iter_shards, read_manifest
from fuseline.data.modalities.image.features import extract_image_features
from fuseline.data.modalities.image.networks import (
    build_image_encoder,
    build_image_parts,
    missing_layers,
    whole_features,
)
from fuseline.data.modalities.image.top import TransformersTop, tokens_to_maps
from fuseline.errors import ConfigError, ContractError
from fuseline.params.extract_features import ImageFeatureParams
from tests.support.examples_tables import png, write_examples

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "image_size": 32,
    "patch_size": 8,
}
# Network, and tokens beside the 4 x 4 patches.
ROWS_OF_LAYERS = {
    "ViT": 1,
    "DeiT": 2,
    "Dinov2": 1,
    "Dinov2WithRegisters": 5,
    "CLIPVision": 1,
    "SiglipVision": 0,
}


def build_image_top(*arguments, **options):
    return build_image_parts(*arguments, **options)[1]


def pictures(side, count=3):
    return torch.randint(
        0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(1)
    ).float()


def saved(name, folder):
    """A checkpoint with weights that tell its layers and normalisations apart."""
    torch.manual_seed(0)
    network = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**SIZES))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    network.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(("top_layers", "shape"), [(1, (4, 192)), (5, (16, 112)), (16, (1024, 32))])
def test_an_efficientnet_in_two_parts_gives_its_features(top_layers, shape):
    pixels = pictures(64)
    below = build_image_encoder("efficientnet_lite0", 2, weights=True, top_layers=top_layers)
    top = build_image_top("efficientnet_lite0", 2, top_layers, weights=True)
    with torch.no_grad():
        whole = build_image_encoder("efficientnet_lite0", 2, weights=True)(pixels)
        states = below(pixels)
        assert states.shape == (3, *shape)
        assert below.dim == shape[1]
        torch.testing.assert_close(top(states), whole, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(top(states.flip(1)), whole, atol=0.1), "no place matters"
    assert not any(parameter.requires_grad for parameter in below.parameters())
    assert all(parameter.requires_grad for parameter in top.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in top.modules())


@pytest.mark.parametrize("top_layers", [1, 3])
@pytest.mark.parametrize("name", ROWS_OF_LAYERS)
def test_a_transformers_network_in_two_parts_gives_its_features(name, top_layers, tmp_path):
    folder, pixels = saved(name, tmp_path), pictures(32)
    whole = build_image_encoder(folder, 2, weights=True)
    below = build_image_encoder(folder, 2, weights=True, top_layers=top_layers)
    top = build_image_top(folder, 2, top_layers, weights=True).eval()
    facts = {"weights": False, "config": whole.config}
    below_again = build_image_encoder("transformers", 2, top_layers=top_layers, **facts)
    below_again.load_state_dict(below.state_dict())
    top_again = build_image_top("transformers", 2, top_layers, **facts).eval()
    top_again.load_state_dict(top.state_dict())
    with torch.no_grad():
        expected, states = whole(pixels), below(pixels)
        assert states.shape == (3, 16 + ROWS_OF_LAYERS[name], 16)
        torch.testing.assert_close(top(states), expected)
        assert torch.equal(top_again(below_again(pixels)), top(states))
    names = [name for name, _ in below.named_parameters()]
    assert not [name for name in names if f"layers.{3 - top_layers}." in name]


def test_a_network_is_built_without_numbers_while_a_model_is_loaded(tmp_path):
    config = build_image_encoder(saved("CLIPVision", tmp_path), 2, weights=True).config
    with torch.device("meta"):
        top = build_image_top("transformers", 2, 1, weights=False, config=config)
    assert next(top.parameters()).is_meta


def test_without_a_class_token_every_patch_counts(tmp_path):
    encoder = build_image_encoder(saved("SiglipVision", tmp_path), 4, weights=True)
    pixels = pictures(32)
    with torch.no_grad():
        assert torch.equal(encoder(pixels), encoder.network(
            pixel_values=(pixels - encoder.mean) / encoder.std
        ).last_hidden_state)  # fmt: skip


@pytest.mark.parametrize("name", ["patches", "mobilenet", "swin", "convnext"])
def test_networks_without_a_row_of_layers_are_refused(name, tmp_path):
    if name == "mobilenet":
        config = transformers.MobileNetV2Config(depth_multiplier=0.1, image_size=32)
        transformers.MobileNetV2Model(config).save_pretrained(tmp_path)
    if name == "swin":
        config = transformers.SwinConfig(
            image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
        )
        transformers.SwinModel(config).save_pretrained(tmp_path)
    if name == "convnext":
        config = transformers.ConvNextConfig(
            image_size=32, num_stages=2, hidden_sizes=[8, 16], depths=[1, 1], patch_size=4
        )
        transformers.ConvNextModel(config).save_pretrained(tmp_path)
        assert config.num_hidden_layers == 2, "as many as stages"
    encoder = "patches" if name == "patches" else str(tmp_path)
    with pytest.raises(ConfigError, match=r"extract_features\.image\.top_layers: .* Use 0\."):
        build_image_encoder(encoder, 2, weights=True, top_layers=1)


def test_parts_that_do_not_give_what_the_whole_does_are_refused(tmp_path, monkeypatch):
    """As where a network does more between its layers than its modules show."""
    folder = saved("ViT", tmp_path)
    monkeypatch.setattr(TransformersTop, "maps", lambda _self, states: tokens_to_maps(states))
    with pytest.raises(ConfigError, match=r"top_layers: the layers .* cannot be taken off"):
        build_image_encoder(folder, 2, weights=True, top_layers=1)


def test_more_layers_than_there_are_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"top_layers: the encoder has 16 layers, found 17"):
        build_image_top("efficientnet_lite0", 2, 17, weights=True)
    with pytest.raises(ConfigError, match=r"top_layers: the encoder has 3 layers, found 4"):
        build_image_top(saved("ViT", tmp_path), 2, 4, weights=True)


def test_a_table_of_states_gives_the_features_of_a_table_without_top_layers(tmp_path):
    media = [png("red"), None, png("green"), png(90, mode="L")]
    examples = write_examples(tmp_path / "examples", [{"image": content} for content in media])
    features, found = {}, {}
    for top_layers in (0, 2):
        folder = tmp_path / str(top_layers)
        params = ImageFeatureParams(
            encoder="efficientnet_lite0",
            image_size=64,
            grid=1,
            top_layers=top_layers,
            batch_size=2,
        )
        extract_image_features(examples, folder, params, "fp32")
        manifest = read_manifest(folder, "features")
        assert (manifest["top_layers"], manifest["grid"]) == (top_layers, 1)
        shards = iter_shards(folder, features_schema(*manifest["shape"]), "features")
        lists = [row for _, table in shards for row in table["features"].to_pylist() if row]
        features[top_layers] = np.array(lists, "f2").reshape(3, *manifest["shape"])
        there = np.array([True, False, True])
        found[top_layers] = whole_features(
            missing_layers(manifest), features[top_layers], there, "fp32"
        )
    assert features[2].shape == (3, 4, 192)
    assert found[0] is features[0]
    assert found[2].shape == (3, 1, 1280)
    assert not found[2][1].any(), "absent"
    expected = found[0].astype("f4") * there[:, None, None]
    np.testing.assert_allclose(found[2].astype("f4"), expected, atol=0.02)
    with pytest.raises(ContractError, match=r"data/features/image: made by other weights"):
        missing_layers(manifest | {"revision": "0" * 64})


def test_equal_pictures_have_equal_features_wherever_they_stand():
    """Leakage counts them."""
    encoder = build_image_encoder("efficientnet_lite0", 2, weights=True)
    manifest = {
        "encoder": "efficientnet_lite0", "grid": 2, "top_layers": 2, "revision": encoder.revision,
    }  # fmt: skip
    values = np.random.default_rng(0).normal(size=(65, 4, 192)).astype(np.float16)
    values[64] = values[3]
    found = whole_features(missing_layers(manifest), values, np.ones(65, dtype=bool), "fp32")
    assert found[64].tobytes() == found[3].tobytes()
    assert found[64].tobytes() != found[4].tobytes()


def test_hidden_cells_spread_over_the_states_below_them():
    top = build_image_top("efficientnet_lite0", 2, 5, weights=False)
    cells = torch.tensor([[True, False, False, False], [False, False, True, True]])
    below = top.spread(cells, 17)
    assert not below[:, 0].any(), "a class token lies nowhere"
    square = below[:, 1:].view(2, 4, 4)
    expected = torch.zeros(2, 4, 4, dtype=torch.bool)
    expected[0, :2, :2] = True
    expected[1, 2:] = True
    assert torch.equal(square, expected)
    states = torch.arange(17.0).view(1, 17, 1)
    assert top.cells(states).flatten().tolist() == [3.5, 5.5, 11.5, 13.5]


@pytest.mark.parametrize(("side", "grid"), [(7, 4), (7, 8), (14, 4), (16, 4), (2, 2)])
def test_no_state_that_shows_tells_of_a_hidden_cell(side, grid):
    """Where the grid does not divide the side, cells share states."""
    top = build_image_top("efficientnet_lite0", grid, 1, weights=False)
    hidden = torch.rand(20, grid**2, generator=torch.Generator().manual_seed(0)) < 0.2
    below = top.spread(hidden, side**2)
    assert (below.sum(1) > 0).eq(hidden.sum(1) > 0).all()
    assert not below.all()
    states = torch.randn(20, side**2, 3)
    changed = torch.where(below.unsqueeze(-1), states, torch.randn(20, side**2, 3))
    assert torch.equal(top.cells(states)[hidden], top.cells(changed)[hidden])
    least = torch.eye(grid**2, dtype=torch.bool)
    corners = top.spread(least, side**2)[[0, -1]]
    assert corners[0, 0]
    assert corners[1, -1]
    assert corners.sum(1).tolist() == [(-(-side // grid)) ** 2] * 2, "no more than its window"
