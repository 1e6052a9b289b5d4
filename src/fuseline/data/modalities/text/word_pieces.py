"""Which pieces of a vocabulary go on with a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fuseline.data.modalities.text.tokenizer import load_tokenizer

# How byte-level BPE and SentencePiece spell the space in front of a word, by what in their rules
# gives them away.
SPACES = {"ByteLevel": "Ġ", "▁": "▁"}


def continuing_pieces(tokenizer_folder: Path) -> Tensor | None:
    """(V,) bool by token id: the piece belongs to the word of the piece in front of it.

    WordPiece and `characters` mark such pieces by a prefix (`##`). Byte-level BPE and SentencePiece
    mark the others, by a leading space; there a word is what stands between spaces, its
    punctuation included. The first piece of a text begins a word whatever its mark.

    Returns:
        None where the tokenizer marks neither.
    """
    tokenizer = load_tokenizer(tokenizer_folder)
    content = json.loads(tokenizer.to_str())
    prefix, space = _prefix(content), _space(content)
    if not prefix and not space:
        return None
    vocabulary = tokenizer.get_vocab()
    continues = torch.zeros(max(vocabulary.values()) + 1, dtype=torch.bool)
    for piece, token in vocabulary.items():
        continues[token] = piece.startswith(prefix) if prefix else not piece.startswith(space)
    return continues


def _prefix(content: dict[str, Any]) -> str:
    return content["model"].get("continuing_subword_prefix") or ""


def _space(content: dict[str, Any]) -> str:
    rules = json.dumps([content["normalizer"], content["pre_tokenizer"]], ensure_ascii=False)
    return next((space for sign, space in SPACES.items() if sign in rules), "")
