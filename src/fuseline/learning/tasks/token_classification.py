"""A tag for each word: entities and the like."""

from __future__ import annotations

import numpy as np
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import NO_LABEL, Batch, MultimodalData
from fuseline.data.modalities.text.words import first_tokens
from fuseline.errors import ContractError
from fuseline.learning.tasks.base import Cells, Facts, Task
from fuseline.learning.tasks.tokens import all_right, token_divergences, token_losses

# The tag of what is no entity.
OUTSIDE = "O"


class TokenClassification(Task):
    """One of C tags for each word of the text, in a scheme of beginnings and insides such as BIO.

    A word's tag belongs to its first token; further pieces of the word, special tokens and words
    beyond the token limit have none. Logits are (B, T, C), outputs the tags (B, L) of the L tokens
    of the longest row. Scores are those of whole entities, by seqeval.
    """

    kind = "token_classification"
    target_kinds = ("tags",)
    selection_metric = "entity_f1"

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`labels`, the tags in order."""
        if not cells.data.text_mask.any():
            raise ContractError(
                "finetune.tasks: token_classification tags the words of texts, but no row has one."
                " Add text to base.modalities."
            )
        names = sorted({tag for value in cells.known for tag in value.split()})
        if len(names) < 2:
            raise ContractError(
                f"{cells.where}: expected at least two tags to tell apart, found {len(names)}."
                " Choose another target."
            )
        return {"labels": names}

    @property
    def head(self) -> Facts:
        return {"kind": "tokens", "size": len(self.label_names)}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N, L) int64, `NO_LABEL` but at first tokens of words."""
        width = int(cells.data.lengths.max(initial=1))
        labels = np.full((len(cells.values), width), NO_LABEL, dtype=np.int64)
        numbers = {name: index for index, name in enumerate(self.label_names)}
        for row, (value, text) in enumerate(zip(cells.values, cells.texts, strict=True)):
            if value is None or text is None:
                continue
            tags = value.split()
            for place, word in enumerate(self._words(cells, row, text)):
                if word is not None:
                    labels[row, place] = self._number(tags[word], numbers, cells, row)
        return labels

    def _words(self, cells: Cells, row: int, text: str) -> list[int | None]:
        """By token the word that begins in it."""
        stored = cells.data.input_ids[row]
        encoded = cells.tokenizer(
            text, truncation=True, max_length=len(stored), return_offsets_mapping=True
        )
        if encoded["input_ids"] != stored.tolist():
            raise ContractError(
                f"{cells.where}: row '{cells.data.example_ids[row]}': its tokens are not those of"
                " its text. Run `dvc repro` to make both from the same examples."
            )
        return first_tokens(text, encoded["offset_mapping"])

    def _number(self, tag: str, numbers: dict[str, int], cells: Cells, row: int) -> int:
        if tag not in numbers:
            raise ContractError(
                f"{cells.where}: row '{cells.data.example_ids[row]}' has tag '{tag}', which the"
                " model does not know. Fine-tune again with `dvc repro`."
            )
        return numbers[tag]

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray((labels != NO_LABEL).any(1))

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        """Mean over the row's words."""
        return token_losses(logits, _fitted(batch[self.key], logits.shape[1]), smoothing)

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Mean over the row's words."""
        return token_divergences(logits, target, _fitted(batch[self.key], logits.shape[1]))

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """Every word's tag."""
        return all_right(logits, _fitted(batch[self.key], logits.shape[1]))

    def one_answer_right(self, labels: np.ndarray) -> float:
        """One answer is one tag for every word, for texts differ in length."""
        tags = range(len(self.label_names))
        fits = [((labels == tag) | (labels == NO_LABEL)).all(axis=1).mean() for tag in tags]
        return float(max(fits))

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        """`NO_LABEL` beyond the batch's tokens, which counts as a wrong tag that is no entity."""
        return _fitted(logits.argmax(-1), batch[self.key].shape[1])

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """Precision, recall and F1 of entities, and the share of words with the right tag; zeros
        without words."""
        actual, found = self._tags(outputs, data)
        labels = data.labels_of(self.key)
        asked = labels != NO_LABEL
        if not asked.any():
            names = ("entity_f1", "entity_precision", "entity_recall", "word_accuracy")
            return dict.fromkeys(names, 0.0)
        return {
            "entity_f1": float(f1_score(actual, found, zero_division=0)),
            "entity_precision": float(precision_score(actual, found, zero_division=0)),
            "entity_recall": float(recall_score(actual, found, zero_division=0)),
            "word_accuracy": float((outputs == labels)[asked].mean()),
        }

    def report(self, outputs: np.ndarray, data: MultimodalData) -> str:
        """seqeval's report by entity type; the scores where there is no entity, which it cannot."""
        tags = self._tags(outputs, data)
        if not any(get_entities(side) for side in tags):
            return super().report(outputs, data)
        return str(classification_report(*tags, zero_division=0))

    def spelt(self, outputs: np.ndarray, data: MultimodalData) -> tuple[list[str], list[str]]:
        actual, found = self._tags(outputs, data)
        return [" ".join(tags) for tags in actual], [" ".join(tags) for tags in found]

    def _tags(
        self, outputs: np.ndarray, data: MultimodalData
    ) -> tuple[list[list[str]], list[list[str]]]:
        labels, names = data.labels_of(self.key), np.array([*self.label_names, OUTSIDE])
        # Where a row was given a text shorter than its labels, the model said nothing.
        outputs = np.where(outputs == NO_LABEL, len(self.label_names), outputs)
        asked = labels != NO_LABEL
        rows = range(len(labels))
        return (
            [names[labels[row][asked[row]]].tolist() for row in rows],
            [names[outputs[row][asked[row]]].tolist() for row in rows],
        )


def _fitted(values: Tensor, width: int) -> Tensor:
    """(B, L) cut or filled up with `NO_LABEL` to a width."""
    missing = width - values.shape[1]
    return (
        functional.pad(values, (0, missing), value=NO_LABEL) if missing > 0 else values[:, :width]
    )
