"""Figures of one model on the test rows as they are, and with parts of them gone."""

from __future__ import annotations

from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.scoring.ablation import modality_ablation, presence_scores
from fuseline.evaluation.scoring.gains import modality_gains
from fuseline.learning.model.passes import Model
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.tasks.scores import classification_metrics, scores
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams


def clean_figures(
    model: Model,
    task: Task,
    test: MultimodalData,
    outputs: np.ndarray,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """Scores of a task, and what each modality contributes.

    Args:
        model: in evaluation mode.
        task: its first.
        test: N labelled rows.
        outputs: (N, ...) that the model gives for them.
        params: section `evaluate`.
        base: section `base`.
    """
    measure = _classified if task.kind == "classification" else _scored
    return measure(model, task, test, outputs, params, base)


def _classified(
    model: Model,
    task: Task,
    test: MultimodalData,
    logits: np.ndarray,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    names = [*map(str, base.modalities)]
    predicted = logits.argmax(-1)

    def answer(changed: MultimodalData) -> np.ndarray:
        found = predict(model, [task], changed, params.batch_size)[0]
        return np.asarray(found.outputs.argmax(-1))

    def score(found: np.ndarray, changed: MultimodalData) -> dict[str, float]:
        return scores(changed.labels, found, len(task.label_names))

    ablation = modality_ablation(answer, score, test, names, seed=base.seed)
    gains = modality_gains(
        test.labels,
        predicted,
        ablation.without,
        len(task.label_names),
        num_resamples=params.trust.num_resamples,
        seed=base.seed,
    )
    return {
        **classification_metrics(test.labels, predicted, task.label_names),
        **ablation.figures,
        "gains": gains,
        "presence": presence_scores(test, predicted, names),
    }


def _scored(
    model: Model,
    task: Task,
    test: MultimodalData,
    outputs: np.ndarray,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    if not task.target_kinds:
        # It asks the modalities about one another: alone, none has anything to answer.
        return task.scores(outputs, test)

    def answer(changed: MultimodalData) -> np.ndarray:
        return predict(model, [task], changed, params.batch_size)[0].outputs

    names = [*map(str, base.modalities)]
    return {
        **task.scores(outputs, test),
        **modality_ablation(answer, task.scores, test, names, seed=base.seed).figures,
    }
