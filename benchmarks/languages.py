"""Texts in languages that the built-in text encoder does not know: what reads them better?

Names of emoji in one language. With `--models text` or `--models text image` the whole model is
trained once on what MiniLM gives and once on what `characters` gives; without, only their linear
twins of the names alone are fitted, beside one of hashed character n-grams.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from benchmarks.cuts import PARAMS_FILE, SEED, Cut, measured
from benchmarks.salts import table
from fuseline.config import parse_section, read_yaml
from fuseline.contracts import EXAMPLES, read_table
from fuseline.data.dataset import MultimodalData, load_data
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.text.encoder import embed_texts, special_token_ids
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.data.sources.base import RawRow
from fuseline.data.sources.emoji import EmojiSource
from fuseline.evaluation.twins.classification import Block, predict_twin
from fuseline.learning.tasks.scores import scores
from fuseline.params.whole import SECTIONS, set_keys

LANGUAGES = ("en", "fr", "de", "tr", "ru", "ar", "zh", "ko")
ROWS = (200, 800)
SALTS = range(3)
# Of the rows that a set has, so many are for training; the others choose the penalty. All that the
# language has besides are test rows.
TRAIN_SHARE = 0.8
N_GRAMS, BUCKETS = (1, 4), 2048
BATCH = 256
# How MiniLM reads the names; macro-F1 of twins of what it gives, of n-grams hashed by scikit-learn,
# of both, and of what `characters` gives.
COLUMNS = ("unread", "short", "minilm", "n-grams", "both", "characters")
MODELS = ("model, minilm", "twin", "model, characters", "twin")
# Of models: half of the rows are for testing, as one split of a small set tells little.
SPLIT = {"ingest.split.train": 0.4, "ingest.split.dev": 0.1, "ingest.split.test": 0.5}


def main(
    languages: Sequence[str] = LANGUAGES,
    rows: Sequence[int] = ROWS,
    salts: Sequence[int] = SALTS,
    *,
    models: Sequence[str] = (),
    changes: dict[str, Any] | None = None,
) -> None:
    """Run each language and size with each salt; print a line each, then means as Markdown.

    Args:
        languages: as `ingest.emoji.languages` has them.
        rows: sizes of the sets.
        salts: of the splits.
        models: modalities of models to train; none for twins alone.
        changes: params other than the committed ones.
    """
    figures: dict[str, list[list[float]]] = {}
    for language in languages:
        for number in rows:
            for salt in salts:
                with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
                    place = (Path(folder), language, number, salt, changes or {})
                    found = trained(*place, models) if models else twins(*place)
                figures.setdefault(f"{language}, {number} rows", []).append(found)
                told = {"language": language, "rows": number, "salt": salt, "figures": found}
                print(json.dumps(told), flush=True)
    print(table(figures, MODELS if models else COLUMNS))


def trained(
    root: Path,
    language: str,
    number: int,
    salt: int,
    changes: dict[str, Any],
    modalities: Sequence[str],
) -> list[float]:
    """Macro-F1 of the model and of its twin with each encoder, as in `MODELS`."""
    left_out = {} if "image" in modalities else {"ingest.manifest.columns.image": None}
    cut, found = Cut(number, language, tuple(modalities)), list[float]()
    for encoder in ("minilm", "characters"):
        asked = {**SPLIT, **left_out, **changes, "tokenize.encoder": encoder}
        model, _, twin, _ = measured(root / encoder, cut, salt, asked)
        found += [model, twin]
    return found


def twins(
    root: Path, language: str, number: int, salt: int, changes: dict[str, Any]
) -> list[float]:
    """How MiniLM reads a language, and macro-F1 of the twins, as in `COLUMNS`."""
    rows = named(language)
    content = read_yaml(PARAMS_FILE)
    columns = ("id", "text", "label", "group", "split")
    manifest = write_names(root, rows, splits_of(rows, number, salt), columns)
    set_keys(
        content,
        {f"ingest.manifest.columns.{name}": name for name in columns}
        | {
            "ingest.manifest.columns.image": None,
            "ingest.source": "manifest",
            "ingest.manifest.path": str(manifest),
            "base.modalities": ["text"],
        }
        | changes,
    )
    params = parse_section(content, "ingest", SECTIONS["ingest"])
    ingest_examples(params, root / "examples", root / "quarantine", raw=root)
    reading, data, minilm = encoded(root, content, "minilm")
    _, _, characters = encoded(root, content, "characters")
    hashed = hashed_texts(root / "examples")
    chosen = ([minilm], [hashed], [minilm, hashed], [characters])
    return [*reading, *(twin(data, blocks) for blocks in chosen)]


@cache
def named(language: str) -> list[RawRow]:
    """Rows of a language that have a name, shuffled."""
    content = read_yaml(PARAMS_FILE)
    # Pictures are drawn, and not looked at.
    set_keys(content, {"ingest.emoji.languages": [language], "ingest.emoji.image_size": 16})
    source = EmojiSource(parse_section(content, "ingest", SECTIONS["ingest"]))
    rows = [row for row in source.rows() if not row.problems and row.text]
    random.Random(SEED).shuffle(rows)
    return rows


def splits_of(rows: Sequence[RawRow], number: int, salt: int) -> list[str]:
    """A split for each row, whole groups in one; about `number` rows are not for testing."""
    sizes = Counter(str(row.group) for row in rows)
    groups = sorted(sizes)
    random.Random(f"{SEED} {salt}").shuffle(groups)
    splits, before = {}, 0
    for group in groups:
        seen = before / number
        splits[group] = "train" if seen < TRAIN_SHARE else "dev" if seen < 1 else "test"
        before += sizes[group]
    return [splits[str(row.group)] for row in rows]


def write_names(
    root: Path, rows: Sequence[RawRow], splits: Sequence[str], columns: Sequence[str]
) -> Path:
    """Write the names as a manifest."""
    path = root / "names.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row, split in zip(rows, splits, strict=True):
            writer.writerow([row.example_id, row.text, row.label, row.group, split])
    return path


def encoded(
    root: Path, content: dict[str, Any], encoder: str
) -> tuple[list[float], MultimodalData, Block]:
    """How an encoder reads the names, labelled rows, and what it gives of them."""
    set_keys(content, {"tokenize.encoder": encoder})
    params = parse_section(content, "tokenize", SECTIONS["tokenize"])
    tokens, tokenizer = root / f"{encoder}-tokens", root / encoder
    told = tokenize_examples(root / "examples", tokens, tokenizer, params)
    pad = special_token_ids(tokenizer)["pad"]
    data = load_data(tokens, root / "features", ["text"], pad_token_id=pad)
    labels = read_table(root / "examples", EXAMPLES, "examples").column("label").to_pylist()
    names, numbers = np.unique(np.array(labels), return_inverse=True)
    vectors = embed_texts(tokenizer, data.input_ids, BATCH, "fp32")
    labelled = replace(data, labels=numbers.astype(np.int64), label_names=names.tolist())
    return [told["unread_share"], told["short_share"]], labelled, Block(vectors, data.text_mask)


def hashed_texts(examples: Path) -> Block:
    """Character n-grams within words, as scikit-learn hashes them."""
    texts = read_table(examples, EXAMPLES, "examples").column("text").to_pylist()
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=N_GRAMS, n_features=BUCKETS)
    values = hashing.transform(texts).toarray().astype(np.float32)
    return Block(values, np.ones(len(texts), dtype=bool))


def twin(data: MultimodalData, blocks: list[Block]) -> float:
    """Macro-F1 on the test split."""
    test = data.splits == "test"
    predicted = predict_twin(data, blocks)[test]
    return float(scores(data.labels[test], predicted, len(data.label_names))["macro_f1"])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", default=list(LANGUAGES), help="all by default")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="sizes of sets")
    parser.add_argument("--salts", type=int, default=len(SALTS), help="number of splits")
    parser.add_argument(
        "--models", nargs="+", default=[], choices=["text", "image"], help="train models of these"
    )
    return parser.parse_args()


if __name__ == "__main__":
    given = parsed()
    main(given.languages, given.rows, range(given.salts), models=given.models)
