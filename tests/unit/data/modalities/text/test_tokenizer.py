import json

import pytest

from fuseline.contracts import TOKENS, read_table
from fuseline.data.modalities.text.tokenizer import (
    encoder_folder,
    load_tokenizer,
    tokenize_examples,
)
from fuseline.errors import ConfigError
from fuseline.params.tokenize import CharacterParams, ScratchTextParams, TokenizeParams
from tests.support.examples_tables import write_examples

TEXTS = ["a red dot", "blue blue square", None, "unseen word zebra", "a " * 40]
SPLITS = ["train", "train", "train", "test", "train"]


def params(encoder="scratch", longest=8, vocab=64):
    scratch = ScratchTextParams(vocab_size=vocab, hidden_size=8, num_layers=1, num_heads=1)
    characters = CharacterParams(vocab_size=vocab, hidden_size=32, longest_run=3)
    return TokenizeParams(
        encoder=encoder, max_length_tokens=longest, characters=characters, scratch=scratch
    )


@pytest.fixture
def examples(tmp_path):
    rows = [{"text": text, "split": split} for text, split in zip(TEXTS, SPLITS, strict=True)]
    return write_examples(tmp_path / "examples", rows)


def tokenized(examples, name="a", **changes):
    folder = examples.parent
    metrics = tokenize_examples(
        examples, folder / f"tokens-{name}", folder / f"tokenizer-{name}", params(**changes)
    )
    table = read_table(folder / f"tokens-{name}", TOKENS, "tokens")
    return metrics, table, folder / f"tokenizer-{name}"


def test_rows_shards_and_lengths(examples):
    metrics, table, _ = tokenized(examples)
    assert table.column("example_id").to_pylist() == [f"row-{row}" for row in range(5)]
    assert {p.name for p in (examples.parent / "tokens-a").glob("*.parquet")} == {
        "00000.parquet",
        "00001.parquet",
    }
    assert metrics["rows"] == 5
    assert metrics["truncated_rows"] == 1
    assert metrics["max_length_tokens"] == 8


def test_a_truncated_text_keeps_its_separator_and_an_absent_one_is_empty(examples):
    _, table, folder = tokenized(examples)
    tokenizer = load_tokenizer(folder)
    ids = table.column("input_ids").to_pylist()
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    assert all(row[0] == cls and row[-1] == sep for row in ids)
    assert ids[2] == [cls, sep]
    assert table.column("has_text").to_pylist() == [True, True, False, True, True]


def test_the_vocabulary_sees_the_training_split_only(examples):
    _, _, folder = tokenized(examples)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.token_to_id("blue") is not None
    assert tokenizer.token_to_id("zebra") is None
    assert tokenizer.token_to_id("z") is None


def test_rows_that_come_later_leave_the_vocabulary_until_the_table_doubles(tmp_path):
    rows = [{"text": text} for text in ("a red dot", "a blue dot", "two dots", "one line")]
    more = [*rows, {"text": "a purple thing"}, {"text": "purple things"}]
    doubled = [*more, {"text": "purple"}, {"text": "purple"}]
    folders = []
    for name, content in {"few": rows, "more": more, "doubled": doubled}.items():
        examples = write_examples(tmp_path / name / "examples", content)
        folders.append(tokenized(examples, vocab=64)[2] / "tokenizer.json")
    assert folders[0].read_bytes() == folders[1].read_bytes()
    assert b"purple" not in folders[1].read_bytes()
    assert b"purple" in folders[2].read_bytes()


def test_frequent_words_come_first_and_the_size_is_kept(examples):
    metrics, _, folder = tokenized(examples, vocab=64)
    assert metrics["vocab_size"] <= 64
    tokenizer = load_tokenizer(folder)
    assert tokenizer.token_to_id("blue") < tokenizer.token_to_id("dot")


def test_a_second_run_writes_the_same_bytes(examples):
    first, _, folder = tokenized(examples, "a")
    second, _, again = tokenized(examples, "b")
    assert first == second
    for path in [*folder.iterdir(), *(examples.parent / "tokens-a").iterdir()]:
        twin = examples.parent / path.parent.name.replace("-a", "-b") / path.name
        assert path.read_bytes() == twin.read_bytes()
    assert again.exists()


def test_the_folder_says_what_encoder_the_ids_are_for(examples):
    _, _, folder = tokenized(examples, encoder="minilm", longest=16)
    facts = json.loads((folder / "encoder.json").read_text())
    assert facts["encoder"] == "minilm"
    assert facts["max_length_tokens"] == 16
    assert len(facts["weights"]) == 64


def test_an_unknown_encoder_is_named():
    with pytest.raises(ConfigError, match=r"tokenize\.encoder: expected 'auto', 'minilm', 'ch"):
        encoder_folder("minilmm")


def test_what_is_cut_and_unknown_is_counted_of_the_texts(examples):
    """Five rows, of which one has no text."""
    metrics, _, _ = tokenized(examples)
    assert (metrics["texts"], metrics["truncated_rows"], metrics["truncated_share"]) == (4, 1, 0.25)
    assert (metrics["length_p95_tokens"], metrics["encoder_positions"]) == (42, 0)
    assert metrics["unknown_share"] > 0
    enough, _, _ = tokenized(examples, "b", longest=metrics["length_p95_tokens"])
    assert enough["truncated_rows"] == 0


def test_a_set_without_any_text_has_none_cut(tmp_path):
    examples = write_examples(tmp_path / "examples", [{"text": None}] * 4)
    metrics, _, _ = tokenized(examples)
    assert (metrics["texts"], metrics["truncated_share"], metrics["length_p95_tokens"]) == (0, 0, 0)


def test_a_pretrained_encoder_says_how_much_it_takes(examples):
    metrics, _, _ = tokenized(examples, encoder="minilm")
    assert metrics["encoder_positions"] == 512


ENGLISH = ["a cat with a wide smile", "the flag of a small island", "two people at a table"]
RUSSIAN = ["улыбающийся кот", "флаг острова", "два человека за столом", "красный круг"]


@pytest.mark.parametrize(
    ("texts", "chosen", "knows"),
    [(ENGLISH, "minilm", True), (RUSSIAN, "characters", False), ([None] * 3, "minilm", True)],
)
def test_auto_takes_characters_where_minilm_does_not_know_the_language(
    tmp_path, texts, chosen, knows
):
    examples = write_examples(tmp_path / "examples", [{"text": text} for text in texts])
    metrics, _, folder = tokenized(examples, encoder="auto", longest=16)
    assert (metrics["encoder"], metrics["knows_language"]) == (chosen, knows)
    assert json.loads((folder / "encoder.json").read_text())["encoder"] == chosen


def test_auto_writes_what_the_encoder_writes_that_it_chose(tmp_path):
    examples = write_examples(tmp_path / "examples", [{"text": text} for text in ENGLISH])
    first, table, folder = tokenized(examples, "a", encoder="auto", longest=16)
    second, other, named = tokenized(examples, "b", encoder="minilm", longest=16)
    assert first == second
    assert table == other
    for path in folder.iterdir():
        assert path.read_bytes() == (named / path.name).read_bytes()


def test_only_the_training_texts_choose(tmp_path):
    rows = [{"text": text, "split": "train"} for text in ENGLISH]
    rows += [{"text": text, "split": "test"} for text in RUSSIAN * 3]
    examples = write_examples(tmp_path / "examples", rows)
    metrics, _, _ = tokenized(examples, encoder="auto", longest=16)
    assert (metrics["encoder"], metrics["unread_share"]) == ("minilm", pytest.approx(0.0, abs=0.1))


def test_an_encoder_that_is_named_stays_whatever_the_language(tmp_path):
    examples = write_examples(tmp_path / "examples", [{"text": text} for text in RUSSIAN])
    metrics, _, _ = tokenized(examples, encoder="minilm", longest=16)
    assert (metrics["encoder"], metrics["knows_language"]) == ("minilm", False)
    assert metrics["unread_share"] > 0.8


def test_an_encoder_without_a_checkpoint_knows_what_it_was_made_of(examples):
    metrics, _, _ = tokenized(examples, encoder="characters")
    assert (metrics["knows_language"], metrics["unread_share"]) == (True, 0.0)


def test_characters_of_a_word_are_told_from_those_that_begin_one(tmp_path):
    examples = write_examples(tmp_path / "examples", [{"text": "да дам"}] * 3)
    _, table, folder = tokenized(examples, encoder="characters")
    tokenizer = load_tokenizer(folder)
    pieces = [tokenizer.id_to_token(token) for token in table.column("input_ids")[0].as_py()]
    assert pieces == ["[CLS]", "д", "##а", "д", "##а", "##м", "[SEP]"]
    assert tokenizer.decoder.decode(pieces[1:-1]) == "да дам"
