"""What prompt methods need, small enough for a test."""

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from fuseline.config import read_yaml
from fuseline.learning.prompting.base import Material
from fuseline.params.base import BaseParams
from fuseline.params.prompt import PromptParams
from fuseline.params.whole import set_keys
from tests.support.repository import REPOSITORY
from tests.support.tiny_models import VOCAB, classification, pretrainer, rows

WORDS = ["ant", "bee", "cat", "this", "is", "about", "a", "picture", "of", ".", "and"]
BASE = BaseParams(seed=3, modalities=["text", "image"], num_threads=1, precision="fp32")


def tokenizer() -> PreTrainedTokenizerFast:
    """Words of the labels and templates as one piece, `ant` and `hill` as an example of two."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##hill"]
    vocab = {piece: index for index, piece in enumerate(pieces)}
    vocab |= {f"word{index}": index for index in range(len(vocab), VOCAB)}
    fast = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    fast.normalizer = normalizers.BertNormalizer(lowercase=True)
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def params(**changes: Any) -> PromptParams:
    """Those of `params.yaml` with little work, and changes by dotted key with `__` as the dot."""
    content = read_yaml(REPOSITORY / "params.yaml")["prompt"]
    content |= {"shots": [0, 1, 2], "num_seeds": 2}
    content["training"] |= {"num_steps": 3, "batch_size": 4}
    content["soft_prompt"] |= {"num_steps": 3}
    content["residual"] |= {"num_steps": 5}
    set_keys(content, {key.replace("__", "."): value for key, value in changes.items()})
    return PromptParams.model_validate(content)


def material(folder: Path, modalities: tuple[str, ...] = ("text", "image"), **changes: Any):
    """A tiny model and its rows; `folder` stands for artefacts that no test here reads."""
    data = rows(48, modalities=modalities)
    base = BASE.model_copy(update={"modalities": list(modalities)})
    model = pretrainer(modalities=modalities).requires_grad_(False)
    return Material(
        model=model,
        tokenizer=tokenizer(),
        task=classification(),
        data=data.select("train"),
        test=data.take(np.flatnonzero(data.splits == "test")),
        tokenizer_folder=folder,
        features=folder,
        params=params(**changes),
        base=base,
    )
