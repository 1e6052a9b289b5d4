"""A text for each row: a caption, a translation, an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sacrebleu.metrics import BLEU, CHRF
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from fuseline.data.dataset import NO_LABEL, Batch, MultimodalData
from fuseline.errors import ContractError
from fuseline.learning.model.control_tokens import ControlTokens
from fuseline.learning.model.passes import length_batches
from fuseline.learning.phrases import own_tokens
from fuseline.learning.tasks.base import Cells, Decoded, Facts, Task
from fuseline.learning.tasks.controls import CONTROLS, Control, Reference
from fuseline.learning.tasks.obedience import Values, obedience, own_values
from fuseline.learning.tasks.tokens import all_right, token_divergences, token_losses

if TYPE_CHECKING:
    # For types alone: a stage is not tied to sections that it does not read.
    from fuseline.params.evaluate import EvaluateParams, GenerationParams
    from fuseline.params.finetune import FinetuneParams


class Generation(Task):
    """The mean negative log-likelihood of a text's tokens, each given those before it.

    Logits are (B, L', V), L' tokens of the batch's longest text; outputs the likeliest token at
    each place, (B, L). The scores of outputs are cheap and flatter the model, which never has to
    go on from a mistake of its own; `decode` lets it write.
    """

    kind = "generation"
    target_kinds = ("text",)
    selection_metric = "token_accuracy"

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`vocab_size`."""
        if not cells.known:
            raise ContractError(
                f"{cells.where}: expected texts to learn from, found none. Choose another target."
            )
        return {"vocab_size": len(cells.tokenizer)}

    @classmethod
    def settings(cls, params: FinetuneParams, cells: Cells) -> Facts:
        """The decoder's shape, the token limit, and of each control what the training split
        tells; nothing of controls without any."""
        asked = params.generation
        shape = asked.model_dump(exclude={"controls", "control_dropout", "refusals"})
        if not asked.controls:
            return shape
        training = np.flatnonzero(cells.data.splits == "train")
        found = _references(cells)
        references = [one for row in training if (one := found[row]) is not None]
        controls = {
            # A model's configuration is saved with its keys sorted; tokens count in that order.
            name: CONTROLS[name].learn(references, asked, cells.where)
            for name in sorted(asked.controls)
        }
        return shape | {"controls": controls, "control_dropout": asked.control_dropout}

    @property
    def controls(self) -> dict[str, Control]:
        """What the texts can be asked to be like, by name."""
        return {name: CONTROLS[name](found) for name, found in self._learnt_controls.items()}

    @property
    def _learnt_controls(self) -> dict[str, Facts]:
        found: dict[str, Facts] = self.facts.get("controls", {})
        return found

    @property
    def _controls_key(self) -> str:
        return f"{self.name}_controls"

    @property
    def head(self) -> Facts:
        shape = {k: v for k, v in self.facts.items() if k not in ("controls", "control_dropout")}
        head = {"kind": "decoder", "key": self.key, **shape}
        if not self._learnt_controls:
            return head
        controls = {
            "key": self._controls_key,
            "values": {name: found["values"] for name, found in self._learnt_controls.items()},
            "dropout": self.facts["control_dropout"],
        }
        return head | {"controls": controls}

    def further_inputs(self, cells: Cells) -> dict[str, np.ndarray]:
        """(N, K) int64 numbers of the values of K controls that the references have."""
        if not self._learnt_controls:
            return {}
        own = own_values(self.controls, _references(cells))
        tokens = ControlTokens({name: one.values for name, one in self.controls.items()})
        return {self._controls_key: tokens.numbers(own, len(cells.values)).numpy()}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N, L) int64 token ids with the end token, `NO_LABEL` after it; a text beyond the token
        limit loses its tail, and so its end."""
        limit = self.facts["max_length_tokens"]
        texts = [_token_ids(cells.tokenizer, value)[:limit] for value in cells.values]
        width = max((len(ids) for ids in texts), default=0)
        labels = np.full((len(texts), max(1, width)), NO_LABEL, dtype=np.int64)
        for row, ids in enumerate(texts):
            labels[row, : len(ids)] = ids
        return labels

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray((labels != NO_LABEL).any(1))

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        """Mean over the row's tokens."""
        return token_losses(logits, batch[self.key][:, : logits.shape[1]], smoothing)

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Mean over the row's tokens."""
        return token_divergences(logits, target, batch[self.key][:, : logits.shape[1]])

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """Every token, each given the right ones before it: greedy decoding would write the text.

        The same as that decoding, for the first wrong token is wrong in both.
        """
        return all_right(logits, batch[self.key][:, : logits.shape[1]])

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        tokens = logits.argmax(-1)
        return functional.pad(tokens, (0, batch[self.key].shape[1] - tokens.shape[1]))

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """The share of right tokens, each given the right ones before it."""
        labels = data.labels_of(self.key)
        asked = labels != NO_LABEL
        return {"token_accuracy": float((outputs == labels)[asked].mean()) if asked.any() else 0.0}

    def decode(
        self, model: Any, index: int, cells: Cells, params: EvaluateParams, seed: int
    ) -> Decoded:
        """Texts that the model writes, and `chrf` (Popović 2015, W15-3049) and `bleu` (Papineni et
        al. 2002, P02-1040) of all rows as sacreBLEU counts them, from 0 to 100, and the share of
        texts that are `exact_match` but for white space.

        A model with controls is asked for nothing. The same figures with each row's control values
        told, named `…_when_told`, and those of `obedience` stand beside: they know something of
        the reference.

        References are whole, and as the tokenizer normalises them (letter case, accents), since
        the model can spell no others. For `bleu`, which counts words, they are spaced as decoded
        texts are.
        """
        references, controls = _references(cells), self.controls

        def write(values: Values) -> list[str]:
            return write_texts(model, index, cells, params, seed, values)

        def compare(texts: list[str]) -> dict[str, float]:
            pairs = zip(texts, references, strict=True)
            found = [(text, one.text) for text, one in pairs if one is not None]
            return text_scores(found, cells.tokenizer)

        texts = write({})
        scores = compare(texts)
        if controls:
            told = write(own_values(controls, references))
            scores |= {f"{name}_when_told": value for name, value in compare(told).items()}
            scores |= obedience(write, told, controls, references, seed)
        return Decoded(texts, ["" if one is None else one.text for one in references], scores)


def text_scores(
    pairs: list[tuple[str, str]], tokenizer: PreTrainedTokenizerFast
) -> dict[str, float]:
    """`chrf`, `bleu` and `exact_match` of texts that the tokenizer decoded beside their
    references; zeros without any."""
    if not pairs:
        return {"chrf": 0.0, "bleu": 0.0, "exact_match": 0.0}
    texts, references = [text for text, _ in pairs], [reference for _, reference in pairs]
    spaced = [_spaced(tokenizer, reference) for reference in references]
    same = ["".join(text.split()) == "".join(reference.split()) for text, reference in pairs]
    return {
        "chrf": float(CHRF().corpus_score(texts, [references]).score),
        "bleu": float(BLEU().corpus_score(texts, [spaced]).score),
        "exact_match": float(np.mean(same)),
    }


def write_texts(
    model: Any,
    index: int,
    cells: Cells,
    params: EvaluateParams,
    seed: int,
    controls: Values | None = None,
) -> list[str]:
    """What a model's task number `index` writes for each row, asked for a value of each control;
    draws hang on `seed` alone."""
    size = max(1, params.batch_size // params.generation.num_beams)
    found = [""] * len(cells.data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for rows in length_batches(cells.data, np.arange(len(cells.data)), size):
            asked = {name: [each[row] for row in rows] for name, each in (controls or {}).items()}
            tokens = model.generate(
                cells.data.batch(rows), index, controls=asked, **options(params.generation)
            )
            for row, ids in zip(rows, tokens.tolist(), strict=True):
                found[row] = _text(cells.tokenizer, ids)
    return found


def options(params: GenerationParams) -> dict[str, Any]:
    """As Transformers' `generate` spells them."""
    if params.sample:
        # By default Transformers keeps the 50 likeliest tokens alone.
        drawn = {"temperature": params.temperature, "top_p": params.top_p, "top_k": 0}
        return {"do_sample": True, "num_beams": 1, **drawn}
    return {
        "do_sample": False,
        "num_beams": params.num_beams,
        "length_penalty": params.length_penalty,
    }


def _token_ids(tokenizer: PreTrainedTokenizerFast, text: str | None) -> list[int]:
    """With the end token; none without a text."""
    if text is None:
        return []
    ids: list[int] = tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"]
    return [*ids, tokenizer.sep_token_id]


def _text(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    silent = (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.mask_token_id)
    return str(tokenizer.decode(own_tokens(ids, tokenizer.sep_token_id, silent)))


def _spaced(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """As decoding would space it ("don't" may become "don ' t"); a text with an unknown token is
    left as it is, since decoding would lose the word."""
    ids = _token_ids(tokenizer, text)
    return text if tokenizer.unk_token_id in ids else _text(tokenizer, ids)


def _references(cells: Cells) -> list[Reference | None]:
    """Of N rows, as the tokenizer normalises them; None where a row has none."""
    langs = cells.langs or [None] * len(cells.values)
    return [
        None if value is None else Reference(_normalised(cells.tokenizer, value), lang)
        for value, lang in zip(cells.values, langs, strict=True)
    ]


def _normalised(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    normalizer = tokenizer.backend_tokenizer.normalizer
    return text if normalizer is None else str(normalizer.normalize_str(text))
