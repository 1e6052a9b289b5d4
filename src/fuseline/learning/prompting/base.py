"""What a prompt method takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.learning.prompting.vectors import (
    ClassVectors,
    RowVectors,
    encode_prompts,
    encode_rows,
)
from fuseline.learning.prompting.words import LabelWords
from fuseline.params.base import BaseParams
from fuseline.params.prompt import PromptParams


@dataclass(frozen=True)
class Material:
    """What all methods of a run share.

    Attributes:
        model: pre-trained, in evaluation mode. A method that trains it works on a copy.
        task: entry of `config.tasks`, the classification to learn.
        tokenizer: of the processor saved with it.
        data: labelled rows that any draw of shots holds; none of them is a test row.
        test: labelled rows of the test split.
        tokenizer_folder, features: what a model without pre-training is built from.
    """

    model: Any
    tokenizer: Any
    task: dict[str, Any]
    data: MultimodalData
    test: MultimodalData
    tokenizer_folder: Path
    features: Path
    params: PromptParams
    base: BaseParams

    @cached_property
    def words(self) -> LabelWords:
        return LabelWords(self.data.label_names, self.params.label_words)

    @cached_property
    def row_vectors(self) -> RowVectors:
        return encode_rows(self.model, self.data, self.base.precision)

    @cached_property
    def test_vectors(self) -> RowVectors:
        return encode_rows(self.model, self.test, self.base.precision)

    @cached_property
    def prompts(self) -> ClassVectors:
        templates = self.params.class_prompts.templates
        return encode_prompts(self.model, self.tokenizer, self.words.phrases(), templates)


class PromptMethod(Protocol):
    """A way to tell labels apart from few labelled rows, or from none.

    Attributes:
        variants: names of the scorings that it gives.
        needs_words: whether it knows labels by their words.
    """

    variants: ClassVar[tuple[str, ...]]
    needs_words: ClassVar[bool]

    def __init__(self, material: Material) -> None: ...

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        """Whether a model of these modalities can be asked this way."""
        ...

    @staticmethod
    def shots(params: PromptParams) -> list[int]:
        """Those of `params.shots` that it can work with."""
        ...

    def scores(self, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        """Scores (N, C) of the test rows by variant, the highest wins; a variant that the
        modalities rule out is left out.

        Args:
            rows: indices into the material's `data`, the shots; empty for zero-shot.
            seed: of all that is drawn; torch's default generator bears it already.
        """
        ...


def above_zero(params: PromptParams) -> list[int]:
    """The shots of a method that must see rows."""
    return [shots for shots in params.shots if shots]
