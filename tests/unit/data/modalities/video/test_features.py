import numpy as np
import pytest

from fuseline.contracts import features_schema, read_manifest, read_table
from fuseline.data.modalities.video.features import extract_video_features
from fuseline.errors import ContractError
from fuseline.params.extract_features import VideoFeatureParams
from tests.support.examples_tables import mp4, write_examples


def params(encoder="patches", frames=3, batch=2):
    return VideoFeatureParams(encoder=encoder, image_size=32, num_frames=frames, batch_size=batch)


def extracted(tmp_path, rows, given, name="f"):
    examples = write_examples(tmp_path / "examples", rows)
    metrics = extract_video_features(examples, tmp_path / name, given, "fp32")
    shape = read_manifest(tmp_path / name, "features")["shape"]
    table = read_table(tmp_path / name, features_schema(*shape), "features")
    values = [
        value and np.array(value).reshape(shape) for value in table.column("features").to_pylist()
    ]
    return metrics, values


def test_each_frame_is_a_position_in_order_of_time(tmp_path):
    grey = [np.full((32, 32, 3), level, np.uint8) for level in (0,) * 5 + (128,) * 5 + (255,) * 5]
    rows = [{"video": mp4(grey)}, {}, {"video": mp4(grey[::-1])}]
    metrics, values = extracted(tmp_path, rows, params())
    assert metrics["missing"] == 1
    assert values[1] is None
    np.testing.assert_allclose(values[0].mean(1), [-1, 0, 1], atol=0.1)
    np.testing.assert_allclose(values[2].mean(1), [1, 0, -1], atol=0.1)
    manifest = read_manifest(tmp_path / "f", "features")
    assert {key: manifest[key] for key in ("encoder", "image_size", "num_frames", "shape")} == {
        "encoder": "patches",
        "image_size": 32,
        "num_frames": 3,
        "shape": [3, 192],
    }


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_frames_of_several_videos_share_batches_and_stay_apart(tmp_path, batch):
    rows = [{"video": mp4([np.full((32, 32, 3), level, np.uint8)] * 4)} for level in (0, 128, 255)]
    _, values = extracted(tmp_path, rows, params(batch=batch), f"batch {batch}")
    assert [round(float(value.mean())) for value in values] == [-1, 0, 1]


def test_a_video_that_cannot_be_decoded_is_named(tmp_path):
    with pytest.raises(ContractError, match=r"row 'row-1': its video cannot be decoded"):
        extracted(tmp_path, [{"video": mp4()}, {"video": mp4()[:200]}], params())
