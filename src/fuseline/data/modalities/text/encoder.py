"""The text encoder that a tokenizer folder names: its weights, and frozen sentence vectors."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    BertConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from fuseline.data.dataset import pad
from fuseline.data.modalities.checkpoints import weights_hash
from fuseline.data.modalities.text.characters import CharacterConfig
from fuseline.data.modalities.text.tokenizer import (
    CHARACTERS,
    ENCODER_FILE,
    encoder_folder,
    load_tokenizer,
)
from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.precision import Precision, autocast


def load_text_encoder(tokenizer_folder: Path) -> PreTrainedModel:
    """The encoder with its pre-trained weights, or a new one where it has none; float32, no
    pooler.

    Raises:
        ConfigError: its package or folder is gone.
        ContractError: its weights have changed since the texts were tokenized.
    """
    facts = read_encoder_facts(tokenizer_folder)
    source = encoder_folder(facts["encoder"])
    if source is not None and weights_hash(source) != facts["weights"]:
        raise ContractError(
            f"{source}: its weights are not those that the tokens were made for."
            " Run `dvc repro --force tokenize`."
        )
    if source is None:
        return build_text_encoder(_own_config(tokenizer_folder))
    return AutoModel.from_pretrained(
        source,
        use_safetensors=True,
        dtype=torch.float32,
        **_without_pooler(AutoConfig.from_pretrained(source)),
    )


def build_text_encoder(config: PretrainedConfig) -> PreTrainedModel:
    """An encoder of a configuration, its weights drawn at random, without a pooler."""
    return AutoModel.from_config(config, **_without_pooler(config))


def _without_pooler(config: PretrainedConfig) -> dict[str, bool]:
    """The argument that leaves the pooler out, for the architectures that have one."""
    arguments = inspect.signature(MODEL_MAPPING[type(config)]).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in arguments else {}


def text_config(tokenizer_folder: Path) -> PretrainedConfig:
    """The configuration of that encoder."""
    source = encoder_folder(read_encoder_facts(tokenizer_folder)["encoder"])
    return _own_config(tokenizer_folder) if source is None else AutoConfig.from_pretrained(source)


def embed_texts(
    tokenizer_folder: Path, input_ids: list[np.ndarray], batch_size: int, precision: Precision
) -> np.ndarray:
    """Mean-pooled states of the frozen encoder (N, D) float32; token counts for `scratch`.

    Rows are sorted by length before they are batched, so that little is padded.
    """
    tokenizer = load_tokenizer(tokenizer_folder)
    if read_encoder_facts(tokenizer_folder)["encoder"] == "scratch":
        return _token_counts(input_ids, tokenizer.get_vocab_size())
    encoder = load_text_encoder(tokenizer_folder).eval()
    pad_id = special_token_ids(tokenizer_folder)["pad"]
    vectors = np.zeros((len(input_ids), encoder.config.hidden_size), dtype=np.float32)
    order = np.argsort([len(ids) for ids in input_ids], kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        ids, mask = pad([input_ids[row] for row in rows], pad_id)
        with torch.inference_mode(), autocast(precision):
            states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        vectors[rows] = ((states * weights).sum(1) / weights.sum(1)).numpy()
    return vectors


SPELLINGS = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}


def special_spellings(tokenizer_folder: Path) -> dict[str, str]:
    """How the tokenizer spells its special tokens, BERT's way or RoBERTa's.

    Raises:
        ConfigError: it has neither spelling of one of them.
    """
    tokenizer = load_tokenizer(tokenizer_folder)
    found = {}
    for name, spellings in SPELLINGS.items():
        known = [token for token in spellings if tokenizer.token_to_id(token) is not None]
        if not known:
            raise ConfigError(
                f"tokenize.encoder: its tokenizer has none of {', '.join(spellings)}; choose an"
                " encoder with a BERT-like or RoBERTa-like tokenizer."
            )
        found[name] = known[0]
    return found


def special_token_ids(tokenizer_folder: Path) -> dict[str, int]:
    """Ids of the padding, start, separator and mask tokens."""
    tokenizer = load_tokenizer(tokenizer_folder)
    return {
        name: int(tokenizer.token_to_id(token) or 0)
        for name, token in special_spellings(tokenizer_folder).items()
        if name != "unk"
    }


def read_encoder_facts(tokenizer_folder: Path) -> dict[str, Any]:
    """What the tokenize stage recorded of the encoder."""
    content: dict[str, Any] = json.loads(
        (tokenizer_folder / ENCODER_FILE).read_text(encoding="utf-8")
    )
    return content


def _own_config(tokenizer_folder: Path) -> PretrainedConfig:
    """Of an encoder that has no checkpoint."""
    facts = read_encoder_facts(tokenizer_folder)
    vocab_size = load_tokenizer(tokenizer_folder).get_vocab_size()
    if facts["encoder"] == CHARACTERS:
        return CharacterConfig(vocab_size, facts["hidden_size"], facts["longest_run"])
    return BertConfig(
        vocab_size=vocab_size,
        hidden_size=facts["hidden_size"],
        num_hidden_layers=facts["num_layers"],
        num_attention_heads=facts["num_heads"],
        intermediate_size=4 * facts["hidden_size"],
        max_position_embeddings=max(512, facts["max_length_tokens"]),
    )


def _token_counts(input_ids: list[np.ndarray], vocab_size: int) -> np.ndarray:
    counts = np.zeros((len(input_ids), vocab_size), dtype=np.float32)
    for row, ids in enumerate(input_ids):
        np.add.at(counts[row], ids, 1.0)
    return counts
