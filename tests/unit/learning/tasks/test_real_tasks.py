"""Every kind of task on real rows, where they lie beside the checkout."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities
from transformers import PreTrainedTokenizerFast

from fuseline.data.dataset import NO_LABEL, MultimodalData
from fuseline.data.ingest.spellings import Spellings
from fuseline.data.ingest.targets import check_target
from fuseline.data.ingest.text import clean_text
from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.learning.tasks import TASKS, Task
from fuseline.learning.tasks.base import Cells
from fuseline.learning.tasks.generation import text_scores
from fuseline.params.ingest import TargetKind

DATA = os.environ.get("FUSELINE_TEST_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="FUSELINE_TEST_DATA is not set")
FOLDER = Path(DATA or "")
LIMIT = 48


def made_cells(
    values: list[str | None],
    given: list[str | None],
    kind: TargetKind,
    *,
    limit: int = LIMIT,
    groups: list[int] | None = None,
) -> Cells:
    """As the stages make them: cells checked, a tokenizer of the training texts, tokens cut."""
    texts = [text and clean_text(text)[0] for text in given]
    checked = [
        value
        and check_target("it", kind, value, text, separator="|", spellings=Spellings("certain"))
        for value, text in zip(values, texts, strict=True)
    ]
    count = len(texts)
    splits = np.array([("train", "train", "dev", "test")[row % 4] for row in range(count)])
    training = [text for text, split in zip(texts, splits, strict=True) if split == "train"]
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer([t for t in training if t], 2000, words=True), **names
    )
    rows = [tokenizer(text or "")["input_ids"] for text in texts]
    ids = [row if len(row) <= limit else [*row[: limit - 1], row[-1]] for row in rows]
    data = MultimodalData(
        example_ids=[str(row) for row in range(count)],
        splits=splits,
        groups=np.arange(count) if groups is None else np.array(groups),
        langs=np.zeros(count, dtype=np.int64),
        input_ids=[np.array(row) for row in ids],
        text_mask=np.array([bool(text) for text in texts]),
        features={},
        feature_mask={},
        pad_token_id=0,
        labels=np.full(count, NO_LABEL),
    )
    return Cells(checked, texts, data, tokenizer, "examples")


def learnt(kind: str, cells: Cells) -> tuple[Task, MultimodalData]:
    """A task of the cells, and the test rows with their labels."""
    task = TASKS[kind]("it", TASKS[kind].learn(cells) | {"max_length_tokens": LIMIT})
    labelled = replace(cells.data, labels=task.labels(cells))
    own = labelled.take(task.own_rows(labelled))
    return task, own


def sentences(name: str) -> list[tuple[list[str], list[str]]]:
    """Words and tags of a CoNLL file; the first of several annotations."""
    found, words, tags = [], [], []
    for line in [*(FOLDER / "wnut17" / name).read_text(encoding="utf-8").splitlines(), ""]:
        if line.strip():
            word, tag = line.split("\t")[:2]
            words.append(word)
            tags.append(tag.partition(",")[0])
        elif words:
            found.append((words, tags))
            words, tags = [], []
    return found


@pytest.fixture(scope="module")
def tagged() -> tuple[list[list[str]], Cells]:
    """Each tenth sentence of the three files."""
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    rows = [row for name in names for row in sentences(name)][::10]
    # Words that white space or cleaning would part or drop cannot stand in a text of words.
    rows = [row for row in rows if len(clean_text(" ".join(row[0]))[0].split()) == len(row[1])]
    assert len(rows) > 500
    texts = [" ".join(words) for words, _ in rows]
    cells = made_cells([" ".join(tags) for _, tags in rows], texts, "tags", limit=1000)
    return [tags for _, tags in rows], cells


def test_wnut_entities_come_back_whole(tagged):
    tags, cells = tagged
    task, data = learnt("token_classification", cells)
    assert len(task.label_names) == 13
    found, _ = task.spelt(np.zeros_like(data.labels), data)
    assert len(found) == len(tags)
    assert [spelt.split() for spelt in found] == tags
    assert get_entities([spelt.split() for spelt in found]) == get_entities(tags)
    assert len(get_entities(tags)) > 200
    assert task.scores(data.labels, data)["entity_f1"] == 1.0


def test_wnut_words_are_only_lost_at_the_end(tagged):
    tags, cells = tagged
    limit = 24
    ids = [
        row if len(row) <= limit else np.append(row[: limit - 1], row[-1])
        for row in cells.data.input_ids
    ]
    short = replace(cells, data=replace(cells.data, input_ids=ids))
    task, data = learnt("token_classification", short)
    whole = learnt("token_classification", cells)[1]
    found = [spelt.split() for spelt in task.spelt(data.labels, data)[0]]
    assert all(row[: len(few)] == few for few, row in zip(found, tags, strict=True))
    kept = sum(len(few) for few in found)
    # The separator takes the last place.
    assert kept == (whole.labels[:, : limit - 1] != NO_LABEL).sum()
    lost = 1 - kept / sum(len(row) for row in tags)
    assert 0.2 < lost < 0.5, f"{lost:.3f} of all words lie beyond {limit} tokens"


def test_wnut_nothing_but_outside_finds_no_entity(tagged):
    task, data = learnt("token_classification", tagged[1])
    outside = np.full_like(data.labels, task.label_names.index("O"))
    found = task.scores(outside, data)
    assert found["entity_f1"] == 0.0
    assert 0.85 < found["word_accuracy"] < 0.99
    assert "word_accuracy" not in task.report(outside, data)


def banking(step: int) -> list[tuple[str, str]]:
    with (FOLDER / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return rows[::step]


def test_banking77_has_its_77_labels():
    texts, labels = zip(*banking(5), strict=True)
    cells = made_cells([*labels], [*texts], "category")
    task, data = learnt("classification", cells)
    assert len(task.label_names) == 77
    right = np.eye(77)[data.labels]
    assert task.scores(right, data) == {"accuracy": 1.0, "macro_f1": 1.0}
    name, often = Counter(labels).most_common(1)[0]
    constant = np.eye(77)[np.full(len(labels), task.label_names.index(name))]
    found = task.scores(constant, data)
    assert found["accuracy"] == pytest.approx(often / len(labels))
    # F1 of the one name, 2 p / (1 + p), shared by all 77.
    share = often / len(labels)
    assert found["macro_f1"] == pytest.approx(2 * share / (1 + share) / 77)
    assert task.spelt(right, data)[0] == [*labels]


def test_banking77_texts_can_be_written():
    """A name in words is a text; what is cut at the token limit loses its end alone."""
    texts, labels = zip(*banking(25), strict=True)
    # In small letters, as the tokenizer normalises them and so a model writes them.
    captions = [label.replace("_", " ").lower() for label in labels]
    cells = made_cells(captions, [*texts], "text")
    task, data = learnt("generation", cells)
    assert data.labels.shape[1] <= LIMIT
    assert task.scores(data.labels, data) == {"token_accuracy": 1.0}
    often = Counter(captions).most_common(1)[0]
    found = text_scores([(often[0], caption) for caption in captions], cells.tokenizer)
    assert found["exact_match"] == pytest.approx(often[1] / len(captions))
    spell = cells.tokenizer
    written = [spell.decode(ids) for ids in spell([*captions], add_special_tokens=False).input_ids]
    same = text_scores(list(zip(written, captions, strict=True)), spell)
    assert same["exact_match"] == 1.0
    assert same["bleu"] == pytest.approx(100.0)


NUMBERS = {"negative": "-1", "neutral": "0", "positive": "1"}


def phrases(step: int) -> list[tuple[str, str]]:
    file = FOLDER / "phrasebank" / "all-data.csv"
    with file.open(encoding="latin-1", newline="") as lines:
        return [(row[1], row[0].strip()) for row in csv.reader(lines)][::step]


def test_phrasebank_moods_as_numbers():
    texts, moods = zip(*phrases(4), strict=True)
    cells = made_cells([NUMBERS[mood] for mood in moods], [*texts], "number")
    task, data = learnt("regression", cells)
    numbers = np.array([float(NUMBERS[mood]) for mood in moods])
    assert data.labels.tolist() == numbers.tolist()
    assert task.scores(numbers, data) == {"rmse": 0.0, "mae": 0.0, "r2": 1.0}
    mean = task.scores(np.full(len(numbers), numbers.mean()), data)
    assert mean["rmse"] == pytest.approx(numbers.std())
    assert mean["r2"] == pytest.approx(0.0)


def test_phrasebank_moods_as_ratings():
    """A user is a length of sentence: what is ranked are moods within it."""
    texts, moods = zip(*phrases(4), strict=True)
    groups = [len(text) // 20 for text in texts]
    cells = made_cells([NUMBERS[mood] for mood in moods], [*texts], "number", groups=groups)
    task, data = learnt("ranking", cells)
    assert set(data.labels.tolist()) == {0.0, 0.5, 1.0}
    found = task.scores(data.labels.astype(np.float64), data)
    assert (found["auc"], found["user_auc"]) == (1.0, 1.0)
    assert found["ndcg_at_10"] == pytest.approx(1.0)
    flat = task.scores(np.full(len(texts), 0.5), data)
    assert (flat["auc"], flat["user_auc"]) == (0.5, 0.5)
    assert 0.1 < flat["ndcg_at_10"] < 0.9
    backwards = task.scores(1.0 - data.labels, data)
    assert backwards["auc"] == 0.0


def test_phrasebank_words_as_sets_of_names():
    """Names are common words that a sentence holds; most sets are small, some are empty."""
    texts = [text for text, _ in phrases(8)]
    counts = Counter(word for text in texts for word in set(text.lower().split()))
    names = {word for word, _ in counts.most_common(40)[10:]}
    sets = [sorted(names & set(text.lower().split())) for text in texts]
    cells = made_cells([json.dumps(found) for found in sets], texts, "categories")
    task, data = learnt("multilabel", cells)
    assert len(task.label_names) == len(names)
    assert not all(sets)
    right = np.where(data.labels == 1, 1.0, -1.0)
    assert task.scores(right, data) == {
        "macro_f1": 1.0, "micro_f1": 1.0, "mean_average_precision": 1.0, "subset_accuracy": 1.0
    }  # fmt: skip
    nothing = task.scores(np.full_like(right, -1.0), data)
    assert nothing["macro_f1"] == nothing["micro_f1"] == 0.0
    assert nothing["subset_accuracy"] == pytest.approx(sum(not s for s in sets) / len(sets))
    # Ties in everything: precision is the name's share.
    assert nothing["mean_average_precision"] == pytest.approx(data.labels.mean(0).mean(), rel=1e-4)


def test_digits_are_found_by_their_recordings():
    """A recording's match is any of its digit, as a group says; vectors of the digit find it."""
    files = sorted((FOLDER / "spoken_digits" / "recordings").glob("*.wav"))[::30]
    digits = [int(file.name.partition("_")[0]) for file in files]
    cells = made_cells([None] * len(files), [f"digit {d}" for d in digits], "text", groups=digits)
    there = {"audio": np.ones(len(files), dtype=bool)}
    features = {"audio": np.ones((len(files), 1, 1), dtype=np.float16)}
    data = replace(cells.data, features=features, feature_mask=there)
    task, labelled = learnt("retrieval", replace(cells, data=data))
    assert task.facts["modalities"] == ["text", "audio"]
    assert len(labelled) == len(files) == 100
    vectors = np.eye(10)[digits]
    assert task.scores(np.stack([vectors, vectors], 1), labelled)["recall_at_1"] == 1.0
    # All alike: every candidate ties, and the 90 of other digits come first.
    flat = task.scores(np.ones((100, 2, 4)), labelled)
    assert (flat["recall_at_1"], flat["text_to_audio_median_rank"]) == (0.0, 91.0)
    random = np.random.default_rng(0).normal(size=(100, 2, 16))
    assert 0.02 < task.scores(random, labelled)["recall_at_1"] < 0.25
