import numpy as np
import pyarrow as pa
import pytest

from fuseline.contracts import EXAMPLES, TOKENS, TableWriter, features_schema
from fuseline.data.dataset import NO_LABEL, load_data
from fuseline.data.padding import padded_widths
from fuseline.errors import ContractError

LABELS = ["cat", None, "ant", "cat"]


def write(folder, schema, kind, rows, **facts):
    writer = TableWriter(folder, schema, kind)
    writer.write("00000.parquet", pa.Table.from_pylist(rows, schema))
    writer.finish(**facts)


@pytest.fixture
def tables(tmp_path):
    ids = [f"row-{row}" for row in range(4)]
    common = [
        {"example_id": i, "split": "train" if n < 3 else "test", "group": f"g{n // 2}"}
        for n, i in enumerate(ids)
    ]
    tokens = [
        row | {"lang": None, "input_ids": list(range(2, 5 + n)), "has_text": n != 2}
        for n, row in enumerate(common)
    ]
    features = [
        row | {"features": None if n == 1 else [float(n)] * 6} for n, row in enumerate(common)
    ]
    examples = [
        row
        | {
            "source_row": n,
            "text": "t",
            "label": LABELS[n],
            "lang": None,
            "image": None,
            "audio": None,
            "sanitised": [],
            "findings": [],
        }
        for n, row in enumerate(common)
    ]
    write(tmp_path / "tokens", TOKENS, "tokens", tokens)
    schema = features_schema(2, 3)
    write(tmp_path / "features" / "image", schema, "features", features, shape=[2, 3])
    write(tmp_path / "examples", EXAMPLES, "examples", examples)
    return tmp_path


def load(tables, **changes):
    values = {
        "modalities": ["text", "image"],
        "pad_token_id": 0,
    }
    return load_data(tables / "tokens", tables / "features", **(values | changes))


def test_arrays_follow_the_tables(tables):
    data = load(tables)
    assert (data.labels == NO_LABEL).all(), "nothing is asked of these rows yet"
    assert data.feature_mask["image"].tolist() == [True, False, True, True]
    assert data.features["image"][3].tolist() == [[3.0] * 3] * 2
    assert data.features["image"][1].sum() == 0
    assert data.text_mask.tolist() == [True, True, False, True]
    assert data.select("test").example_ids == ["row-3"]


def test_batches_are_padded_to_the_width_of_the_longest_text(tables):
    batch = load(tables).batch([0, 3])
    assert batch["input_ids"].shape == (2, 6)
    assert batch["attention_mask"].sum(1).tolist() == [3, 6]
    assert batch["input_ids"][0].tolist() == [2, 3, 4, 0, 0, 0]
    assert batch["image_features"].shape == (2, 2, 3)


def test_widths_are_few_and_hold_their_texts():
    lengths = np.arange(1, 513)
    widths = padded_widths(lengths)
    assert (widths >= lengths).all()
    assert (widths - lengths <= np.minimum(lengths / 4, 7)).all()
    assert widths[:8].tolist() == [*range(1, 9)]
    assert len(np.unique(widths)) < 90
    assert (padded_widths(widths) == widths).all()


def test_a_modality_left_out_is_absent(tables):
    assert not load(tables, modalities=["image"]).text_mask.any()
    assert load(tables, modalities=["text"]).features == {}


def test_a_modality_that_no_row_has_is_absent_everywhere(tables):
    rows = [
        {"example_id": f"row-{n}", "split": "train", "group": "g", "features": None}
        for n in range(4)
    ]
    schema = features_schema(1, 1)
    write(tables / "features" / "video", schema, "features", rows, shape=[1, 1])
    data = load(tables, modalities=["text", "image", "video"])
    assert data.features["video"].shape == (4, 1, 1)
    assert not data.present("video").any()
    assert data.present("image").tolist() == [True, False, True, True]
    assert not data.present("audio").any(), "not asked for"
    assert data.batch([0, 1])["video_features"].shape == (2, 1, 1)


def test_tables_of_different_runs_are_refused(tables):
    rows = [
        {"example_id": f"other-{n}", "split": "train", "group": "g", "features": [0.0] * 6}
        for n in range(4)
    ]
    for path in (tables / "features" / "image").iterdir():
        path.unlink()
    schema = features_schema(2, 3)
    write(tables / "features" / "image", schema, "features", rows, shape=[2, 3])
    with pytest.raises(ContractError, match="not those of the tokens table, in the same order"):
        load(tables)


def test_memory_holds_half_precision(tables):
    assert load(tables).features["image"].dtype == np.float16
