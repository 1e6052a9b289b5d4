"""The processor prepares raw rows as the stages did."""

from io import BytesIO

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from fuseline.config import parse_section, read_yaml
from fuseline.contracts import EXAMPLES, TEXT_JOINT, read_table
from fuseline.data.dataset import load_data
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.learning.model import FuselineConfig, FuselineProcessor
from fuseline.learning.model.processing import create_processor
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.ingest import IngestParams
from fuseline.params.tokenize import TokenizeParams
from tests.support.repository import PARAMS_FILE

MODALITIES = ["text", "image", "audio", "tabular"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Examples, tokens and features of a few rows that hold everything but a video."""
    root, content = tmp_path_factory.mktemp("processing"), read_yaml(PARAMS_FILE)
    ingest = parse_section(content, "ingest", IngestParams)
    changes = {"num_rows": 40, "image_size": 16, "modalities": MODALITIES}
    ingest = ingest.model_copy(
        update={"source": "synthetic", "synthetic": ingest.synthetic.model_copy(update=changes)}
    )
    ingest_examples(ingest, root / "examples", root / "quarantine", raw=root / "raw")
    tokenize = parse_section(content, "tokenize", TokenizeParams)
    tokenize = tokenize.model_copy(update={"encoder": "scratch"})
    tokenize_examples(root / "examples", root / "tokens", root / "tokenizer", tokenize)
    params = parse_section(content, "extract_features", ExtractFeaturesParams)
    changes = {"encoder": "patches", "image_size": 16, "grid": 2}
    image = params.image.model_copy(update=changes)
    params = params.model_copy(update={"image": image})
    for name, extract in EXTRACTORS.items():
        extract(root / "examples", root / "features" / name, getattr(params, name), "fp32")
    return root


@pytest.fixture
def processor(tables):
    return create_processor(tables / "tokenizer", tables / "features", [*MODALITIES, "video"])


def raw(examples):
    """What a user has of some rows."""
    return {
        "text": [row["text"] for row in examples],
        "images": [Image.open(BytesIO(row["image"]["bytes"])) for row in examples],
        "audio": [soundfile.read(BytesIO(row["audio"]["bytes"])) for row in examples],
        "tabular": [dict(row["tabular"]) for row in examples],
    }


def test_raw_rows_become_what_the_tables_hold(tables, processor, tmp_path):
    processor.save_pretrained(tmp_path)
    again = FuselineProcessor.from_pretrained(tmp_path)
    examples = read_table(tables / "examples", EXAMPLES, "examples").to_pylist()[:5]
    stored = load_data(tables / "tokens", tables / "features", MODALITIES, pad_token_id=0)
    expected, found = stored.batch(range(5)), again(**raw(examples))
    for name in ("audio_features", "tabular_features"):
        assert torch.equal(found[name].half(), expected[name].half()), name
    width = found["input_ids"].shape[1]
    assert torch.equal(found["input_ids"], expected["input_ids"][:, :width])
    for name in MODALITIES:
        assert torch.equal(found[f"{name}_mask"], expected[f"{name}_mask"])
    assert found["pixel_values"].shape == (5, 3, 16, 16)


def test_a_row_lacks_what_is_none_in_its_place(tables, processor):
    examples = read_table(tables / "examples", EXAMPLES, "examples").to_pylist()[:2]
    whole = processor(**raw(examples))
    partial = {name: [values[0], None] for name, values in raw(examples).items()}
    found = processor(**partial)
    for name in MODALITIES:
        assert found[f"{name}_mask"].tolist() == [True, False]
    for name in ("pixel_values", "audio_features", "tabular_features"):
        assert torch.equal(found[name][0], whole[name][0])
    assert "audio_mask" not in processor("a"), "left out: absent in every row"


@pytest.mark.parametrize(
    ("texts", "separators", "present"),
    [
        ([["a title", "a body"]], [2], [True]),
        ([("one", "two", "three"), "one"], [3, 1], [True, True]),
        ([["a title", None], [None, "a body"]], [1, 1], [True, True]),
        ([[None, ""], None], [1, 1], [False, False]),
        (["one", "two"], [1, 1], [True, True]),
        ("one", [1], [True]),
        ([["word " * 200, "a body"]], [1], [True]),
    ],
)
def test_several_texts_of_a_row_are_parted_by_separators(processor, texts, separators, present):
    batch, tokenizer = processor(texts), processor.tokenizer
    found = (batch["input_ids"] == tokenizer.sep_token_id).sum(1)
    assert found.tolist() == separators
    assert batch["text_mask"].tolist() == present
    last = batch["attention_mask"].sum(1) - 1
    ends = batch["input_ids"].gather(1, last.unsqueeze(1))
    assert (ends == tokenizer.sep_token_id).all()
    assert batch["input_ids"].shape[1] <= processor.max_length_tokens


def test_several_texts_and_their_joined_form_are_one(processor):
    joined = processor([TEXT_JOINT.join(["a title", "a body"])])
    assert torch.equal(joined["input_ids"], processor([["a title", "a body"]])["input_ids"])


RED, BLUE = (Image.new("RGB", (20, 10), colour) for colour in ("red", "blue"))


@pytest.mark.parametrize(
    ("images", "there"),
    [
        ([[RED, BLUE]], [[1, 1]]),
        ([[RED, None], [None, BLUE]], [[1, 0], [0, 1]]),
        ([[RED, BLUE], RED, None], [[1, 1], [1, 0], [0, 0]]),
        ([[None, None], [RED]], [[0, 0], [1, 0]]),
        ([(RED, BLUE, RED), [BLUE]], [[1, 1, 1], [1, 0, 0]]),
    ],
)
def test_several_pictures_of_a_row_stand_by_place(processor, images, there):
    batch = processor(images=images)
    assert batch["pixel_values"].shape == (len(there), len(there[0]), 3, 16, 16)
    found = ~batch["pixel_values"].isnan().flatten(2).any(2)
    assert found.long().tolist() == there
    assert batch["image_mask"].tolist() == [any(row) for row in there]


@pytest.mark.parametrize("images", [[RED, None], [[RED], [None]], [[RED], None]])
def test_one_picture_a_row_has_no_places(processor, images):
    batch = processor(images=images)
    assert batch["pixel_values"].shape == (2, 3, 16, 16)
    assert batch["image_mask"].tolist() == [True, False]


def test_numbers_of_rows_must_agree(processor):
    with pytest.raises(ValueError, match="one of each per row, found 2 texts, 1 images"):
        processor(["a", "b"], [Image.new("RGB", (4, 4))])
    with pytest.raises(ValueError, match="give some of texts, images, sounds, table rows"):
        processor()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": [Image.new("RGB", (4, 4))]}, "trained without images"),
        ({"audio": [(np.zeros(800), 8000)]}, "trained without log-mel spectra"),
        ({"tabular": [{"a": "1"}]}, "trained without table columns"),
    ],
)
def test_what_the_model_does_not_know_is_refused(tables, given, message):
    processor = create_processor(tables / "tokenizer", tables / "features", ["text", "video"])
    with pytest.raises(ValueError, match=message):
        processor(**given)


def test_transparent_pictures_stand_on_white(tokenizer_folder):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_folder / "tokenizer.json"), pad_token="[PAD]"
    )
    processor = FuselineProcessor(tokenizer, image_size=16, max_length_tokens=8)
    batch = processor(["red dot"], Image.new("RGBA", (20, 10), (255, 0, 0, 0)))
    assert batch["pixel_values"].min() == 255


def test_what_was_saved_loads_without_a_warning(processor, tmp_path, caplog):
    """Transformers looks beside the tokenizer for a configuration, whose type it has to know."""
    config = FuselineConfig(text_config={"model_type": "bert"}, features={})
    config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    caplog.clear()
    loaded = FuselineProcessor.from_pretrained(tmp_path)
    assert [record.getMessage() for record in caplog.records] == []
    text = "a small badge"
    assert loaded.tokenizer(text)["input_ids"] == processor.tokenizer(text)["input_ids"]
