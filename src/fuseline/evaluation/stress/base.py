"""What every suite gets, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.contracts import EXAMPLES, read_table
from fuseline.data.dataset import MultimodalData
from fuseline.learning.model import FuselineProcessor
from fuseline.learning.model.passes import Model
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.base import Cells
from fuseline.learning.tasks.prediction import Predicted, predict
from fuseline.learning.tasks.scores import scores
from fuseline.params.base import BaseParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.stress import StressParams
from fuseline.pipeline.parts import Parts


@dataclass(frozen=True)
class Context:
    """Models side by side, and the rows that they are measured on.

    Attributes:
        models: by name, in evaluation mode; all were fine-tuned for the same tasks.
        task: the first of them.
        test: N rows of the test split that have a label of it, clean.
        examples: the examples table, for the texts and media of those rows.
        processor: prepares raw inputs as the pipeline did; the models share it.
        params: section `stress`.
        base: section `base`.
        extract_features: section of that name, for media that are encoded anew.
        seed: of whatever is drawn.
        parts: finished work, of the points of a suite too.
    """

    models: dict[str, Model]
    task: Task
    test: MultimodalData
    examples: Path
    processor: FuselineProcessor
    params: StressParams
    base: BaseParams
    extract_features: ExtractFeaturesParams
    seed: int
    parts: Parts = field(default_factory=lambda: Parts(None))

    @property
    def modalities(self) -> list[str]:
        """Those that take part."""
        return [str(name) for name in self.base.modalities]

    def with_texts(self, texts: Sequence[str | None]) -> MultimodalData:
        """The rows with other texts, tokenised as the pipeline did.

        Where every word has a label of its own, labels follow their words.

        Args:
            texts: N, None where a row has none.
        """
        changed = replace(self.test, input_ids=self.tokenised(texts))
        if "tags" not in self.task.target_kinds:
            return changed
        cells = Cells(self._tags, texts, changed, self.processor.tokenizer, str(self.examples))
        return replace(changed, labels=self.task.labels(cells))

    def tokenised(self, texts: Sequence[str | None]) -> list[np.ndarray]:
        """Token ids of texts, special ones alone where there is none."""
        return [np.array(ids, dtype=np.int64) for ids in self.processor.token_ids(texts)]

    @cached_property
    def _tags(self) -> list[str | None]:
        """N cells of the task's target."""
        rows = self._column("targets")
        return [dict(row or ()).get(self.task.name) for row in rows]

    def _column(self, name: str) -> list[Any]:
        """N cells of a column of the examples table."""
        table = read_table(self.examples, EXAMPLES, "examples", ["example_id", name])
        columns = (table.column(one).to_pylist() for one in ("example_id", name))
        by_id = dict(zip(*columns, strict=True))
        return [by_id[example_id] for example_id in self.test.example_ids]

    @cached_property
    def texts(self) -> list[str | None]:
        """N texts, None where a row has none."""
        return self._column("text")

    @cached_property
    def clean(self) -> dict[str, Predicted]:
        """What each model makes of the rows as they are."""
        return {name: self.predicted(name, self.test) for name in self.models}

    def predicted(self, name: str, data: MultimodalData) -> Predicted:
        """What one model makes of rows that have labels."""
        return predict(self.models[name], [self.task], data, self.params.batch_size)[0]

    def score(self, name: str, data: MultimodalData) -> dict[str, float]:
        """Figures of one model on such rows, see `figures`; zeros without any row."""
        if not len(data):
            return dict.fromkeys(self.figures(self.clean[name]), 0.0)
        return self.figures(self.predicted(name, data))

    def figures(self, found: Predicted) -> dict[str, float]:
        """`accuracy` and `macro_f1` of a classification; of another task `right`, the share of
        rows that it counts as right."""
        if self.task.kind == "classification":
            predicted = found.outputs.argmax(-1)
            return scores(found.data.labels, predicted, len(self.task.label_names))
        # Noise may leave every labelled word beyond the token limit.
        return {"right": float(found.right.sum() / max(len(found.right), 1))}


# Figures with fixed keys and finite numbers: by model, where they are of one model.
Suite = Callable[[Context], dict[str, Any]]
