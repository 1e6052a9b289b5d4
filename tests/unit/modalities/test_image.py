import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from fuseline.contracts import EXAMPLES, TableWriter, features_schema, read_manifest, read_table
from fuseline.errors import ConfigError
from fuseline.modalities.image import decode_pixels, extract_image_features, stack_pixels
from fuseline.modalities.image_encoder import build_image_encoder
from fuseline.params.extract_features import ImageFeatureParams


def png(color, size=(20, 12), mode="RGB"):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, "PNG")
    return out.getvalue()


def params(encoder="patches", grid=2):
    return ImageFeatureParams(encoder=encoder, image_size=32, grid=grid, batch_size=2)


@pytest.fixture
def examples(tmp_path):
    media = [png("red"), None, png((0, 0, 255, 0), mode="RGBA"), png(90, mode="L"), png("green")]
    rows = [
        {
            "example_id": f"row-{row}",
            "source_row": row,
            "split": "train",
            "group": f"g{row}",
            "text": "x",
            "label": "x",
            "lang": None,
            "image": content and {"bytes": content, "path": f"{row}.png"},
            "audio": None,
            "sanitised": [],
        }
        for row, content in enumerate(media)
    ]
    writer = TableWriter(tmp_path / "examples", EXAMPLES, "examples")
    writer.write("00000.parquet", pa.Table.from_pylist(rows[:3], EXAMPLES))
    writer.write("00001.parquet", pa.Table.from_pylist(rows[3:], EXAMPLES))
    writer.finish()
    return tmp_path / "examples"


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


def test_an_unknown_encoder_is_named():
    with pytest.raises(ConfigError, match=r"extract_features\.image\.encoder: expected"):
        build_image_encoder("efficientnet", 2, weights=True)
