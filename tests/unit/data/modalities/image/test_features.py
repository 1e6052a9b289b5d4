import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from fuseline.contracts import features_schema, read_manifest, read_table
from fuseline.data.modalities.image.encoder import _compute_alone, ahead, encode_pixels
from fuseline.data.modalities.image.features import extract_image_features
from fuseline.data.modalities.image.networks import build_image_encoder
from fuseline.data.modalities.image.pixels import decode_pixels, stack_pixels
from fuseline.errors import ConfigError
from fuseline.params.extract_features import ImageFeatureParams
from tests.support.examples_tables import png, write_examples


def params(encoder="patches", grid=2, top_layers=0):
    return ImageFeatureParams(
        encoder=encoder, image_size=32, grid=grid, top_layers=top_layers, batch_size=2
    )


@pytest.fixture
def examples(tmp_path):
    media = [png("red"), None, png((0, 0, 255, 0), mode="RGBA"), png(90, mode="L"), png("green")]
    return write_examples(tmp_path / "examples", [{"image": content} for content in media])


def test_features_keep_positions_and_absent_pictures_are_null(examples, tmp_path):
    metrics = extract_image_features(examples, tmp_path / "f", params(), "fp32")
    manifest = read_manifest(tmp_path / "f", "features")
    assert manifest["shape"] == [4, 192]
    assert metrics["rows"] == 5
    assert metrics["missing"] == 1
    table = read_table(tmp_path / "f", features_schema(4, 192), "features")
    column = table.column("features")
    assert column.is_null().to_pylist() == [False, True, False, False, False]
    red = np.array(column[0].as_py()).reshape(4, 3, 64)
    assert (red[:, 0] == 1).all()
    assert (red[:, 1:] == -1).all()


def test_a_second_run_writes_the_same_bytes(examples, tmp_path):
    for name in ("a", "b"):
        extract_image_features(examples, tmp_path / name, params(), "fp32")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_transparent_pixels_are_white():
    assert (decode_pixels(png((0, 0, 255, 0), mode="RGBA"), 8) == 255).all()


def test_a_large_jpeg_is_decoded_small_and_looks_the_same():
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    picture = small.resize((1600, 1200), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95)
    whole = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    found = decode_pixels(out.getvalue(), 32)
    assert np.abs(found.astype(int) - whole.astype(int)).mean() < 3


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_neighbours_in_a_batch_change_no_bit(precision):
    network = build_image_encoder("efficientnet_lite0", 2, weights=True)
    random = np.random.default_rng(0)
    pixels = list(random.integers(0, 256, (7, 3, 64, 64), dtype=np.uint8))
    together = list(encode_pixels(network, pixels, 4, precision))
    turned = list(encode_pixels(network, pixels[::-1], 4, precision))[::-1]
    alone = [next(encode_pixels(network, [one], 4, precision)) for one in pixels]
    assert len(together) == 7
    for row in range(7):
        assert together[row].tobytes() == turned[row].tobytes() == alone[row].tobytes()


def test_every_batch_has_the_same_size_and_only_real_rows_come_out():
    sizes = []

    def network(pixels):
        sizes.append(tuple(pixels.shape))
        return pixels.mean((2, 3)).unsqueeze(1)

    pixels = [np.full((3, 8, 8), level, np.uint8) for level in range(7)]
    found = list(encode_pixels(network, pixels, 4, "fp32"))
    assert sizes == [(4, 3, 8, 8)] * 2
    assert [value.tolist() for value in found] == [[[level] * 3] for level in range(7)]


def test_the_number_of_threads_changes_no_bit():
    network = build_image_encoder("efficientnet_lite0", 2, weights=True)
    random = np.random.default_rng(0)
    pixels = list(random.integers(0, 256, (7, 3, 64, 64), dtype=np.uint8))
    threads = torch.get_num_threads()
    found = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        found.append(np.stack(list(encode_pixels(network, pixels, 2, "fp32"))))
        assert torch.get_num_threads() == number
    torch.set_num_threads(threads)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_a_worker_computes_alone_whatever_number_others_set():
    """A thread that never asked takes the process's number at its first product, and rounds
    otherwise."""
    torch.set_num_threads(2)
    with ThreadPoolExecutor(1, initializer=_compute_alone) as pool:
        pool.submit(int).result()
        torch.set_num_threads(2)
        assert pool.submit(torch.get_num_threads).result() == 1


def test_work_ahead_keeps_the_order_and_reads_no_further():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = ahead(lambda item: 2 * item, items(), 5)
    assert [next(results) for _ in range(3)] == [0, 2, 4]
    assert len(taken) <= 9
    assert list(results) == [2 * item for item in range(3, 100)]


def test_the_efficientnet_gives_a_grid_and_batching_changes_little():
    encoder = build_image_encoder("efficientnet_lite0", 2, weights=True)
    pixels = stack_pixels([decode_pixels(png(color), 64) for color in ("red", "green", "blue")])
    with torch.inference_mode():
        together = encoder(pixels)
        alone = torch.cat([encoder(pixels[row : row + 1]) for row in range(3)])
    assert together.shape == (3, 4, 1280)
    assert torch.allclose(together, alone, atol=1e-3)
    assert (together >= 0).all()
    assert (together <= 6).all()
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_a_folder_with_a_transformers_checkpoint_serves(tmp_path):
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    encoder = build_image_encoder(str(tmp_path), 2, weights=True)
    with torch.inference_mode():
        features = encoder(torch.zeros(1, 3, 32, 32))
    assert features.shape == (1, 4, 16)
    rebuilt = build_image_encoder("transformers", 2, weights=False, config=encoder.config)
    rebuilt.load_state_dict(encoder.state_dict())
    with torch.inference_mode():
        assert torch.allclose(rebuilt(torch.zeros(1, 3, 32, 32)), features)


def test_a_network_without_a_named_width_serves_and_its_normalisation_is_read(tmp_path):
    from transformers import MobileNetV2Config, MobileNetV2Model

    config = MobileNetV2Config(depth_multiplier=0.1, image_size=32)
    MobileNetV2Model(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0]}'
    )
    encoder = build_image_encoder(str(tmp_path), 1, weights=True)
    assert encoder.mean.flatten().tolist() == [127.5] * 3
    assert encoder.std.flatten().tolist() == [63.75, 127.5, 255.0]
    with torch.inference_mode():
        assert encoder(torch.zeros(1, 3, 32, 32)).shape == (1, 1, encoder.dim)


def test_an_unknown_encoder_is_named():
    with pytest.raises(ConfigError, match=r"extract_features\.image\.encoder: expected"):
        build_image_encoder("efficientnet", 2, weights=True)
