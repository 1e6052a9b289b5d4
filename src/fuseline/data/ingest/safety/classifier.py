"""A screen for harmful texts by a Transformers text classifier from a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError

KEY = "ingest.safety.harmful.screen"
# Names of labels that stand for harm; a name that denies it (`non-toxic`, `not_hate`) does not.
HARMFUL_LABEL = re.compile(
    r"(?<!non)(?<!not)(?<!non[-_ ])(?<!not[-_ ])(?<!no[-_ ])"
    r"(toxic|harm(?!less)|hate|offens|abus|obscen|threat|insult|attack|unsafe|nsfw|explicit|violen"
    r"|profan)",
    re.IGNORECASE,
)
MAX_TOKENS = 512
OVERLAP_TOKENS = 32


class ClassifierScreen:
    """Judges a text harmful where the classifier gives its harmful labels the threshold together.

    Harmful labels are known by their names in `id2label`; where no name tells, the last label is
    taken. Classifiers with independent labels count by their highest harmful one. A long text is
    judged in windows, by its worst.

    Args:
        folder: configuration, tokenizer and weights in safetensors; nothing else is loaded. DVC
            watches the folder only where it lies in `data/raw`.
        threshold: least probability.

    Raises:
        ConfigError: the folder holds no such classifier.
    """

    def __init__(self, folder: Path, threshold: float) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **local)
            self._model: Any = AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, **local
            ).eval()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{KEY}: expected a folder with a Transformers text classifier and its tokenizer,"
                f" weights in safetensors; found {folder}: {error}"
            ) from None
        self._threshold = threshold
        self._harmful = harmful_labels(self._model.config.id2label)
        self._max_tokens = min(self._tokenizer.model_max_length, MAX_TOKENS)

    def is_harmful(self, text: str) -> bool:
        """Whether the probability of harm reaches the threshold."""
        return self.probability(text) >= self._threshold

    def probability(self, text: str) -> float:
        """Probability of harm, of the worst window of the text."""
        import torch

        windows = self._tokenizer(
            text,
            truncation=True,
            max_length=self._max_tokens,
            stride=min(OVERLAP_TOKENS, self._max_tokens // 4),
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        windows.pop("overflow_to_sample_mapping", None)
        with torch.inference_mode():
            logits = self._model(**windows).logits
        if self._independent:
            return float(logits.sigmoid()[:, self._harmful].max())
        return float(logits.softmax(-1)[:, self._harmful].sum(-1).max())

    @property
    def _independent(self) -> bool:
        config = self._model.config
        return bool(config.num_labels == 1 or config.problem_type == "multi_label_classification")


def harmful_labels(id2label: dict[int, str]) -> list[int]:
    """Indices of the labels that stand for harm; the last label where no name tells."""
    named = [index for index, name in sorted(id2label.items()) if HARMFUL_LABEL.search(name)]
    return named or [max(id2label)]
