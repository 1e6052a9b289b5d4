"""Fine-tuning under attack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerState

from fuseline.contracts import SPLITS
from fuseline.data.dataset import MultimodalData
from fuseline.data.modalities.image.stored_pictures import StoredPictures
from fuseline.errors import ContractError
from fuseline.learning.attacks import Attack
from fuseline.learning.attacks.pgd import PGD
from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.model.card import write_model_card
from fuseline.learning.model.passes import with_labels_of
from fuseline.learning.objectives.adversarial.methods import METHODS
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.labelled import build_tasks, with_labels
from fuseline.learning.training.batches import TrainingRows
from fuseline.learning.training.development import (
    EVALUATION_BATCH,
    Development,
    load_rows,
    splits_of,
    training_metrics,
)
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.history import History
from fuseline.learning.training.loop import Selection, train
from fuseline.learning.training.lora import adapters
from fuseline.learning.training.recommending import ListDevelopment
from fuseline.learning.training.words import occurring_words
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.attack import PIXEL_SPACE
from fuseline.params.base import BaseParams
from fuseline.params.finetune import FreezingParams
from fuseline.pipeline.precision import autocast, make_deterministic

VALIDATION_STEPS = 5
BALANCED = "balanced_accuracy"
COLLAPSE_FROM = 0.2


def adversarial_finetune(
    finetuned: Path,
    examples: Path,
    tokens: Path,
    features: Path,
    model_folder: Path,
    *,
    interactions: Path | None = None,
    params: AdversarialFinetuneParams,
    base: BaseParams,
    work: Path,
) -> tuple[dict[str, Any], History]:
    """Train a fine-tuned model on its clean loss and its loss under attack, the same parameters
    frozen as before. Its linear probes go: a line through standardised features is the first thing
    that an attack breaks.

    The epoch is picked by the mean of the shares of development rows that are right clean and
    under PGD, so that neither is bought with the other.

    Returns:
        Metrics (clean and robust, passes counted) and the figures of every epoch.

    Raises:
        ContractError: a picture that cannot be decoded; or robust collapse: no development row
            stands against PGD after an epoch, and after an earlier one more stood than one answer
            for all rows would have right (Wong et al. 2020, arXiv 2001.03994).
    """
    make_deterministic(base.seed, base.num_threads)
    processor = FuselineProcessor.from_pretrained(finetuned)
    model = FuselineForTasks.from_pretrained(finetuned, probed=False)
    rows, cells = load_rows(tokens, features, examples, processor, base)
    entries = model.config.tasks
    data, tasks = with_labels(rows, cells, entries), build_tasks(entries)
    inner, attacked = (
        Supervised(
            tasks,
            [entry["weight"] for entry in entries],
            params.modality_dropout,
            params.label_smoothing,
            unimodal_weight,
        )
        for unimodal_weight in (params.unimodal_weight, 0.0)
    )
    selection = Selection("clean_and_robust", True, params.training.max_fall)
    # Clean figures want no pictures, which take long to decode.
    pictured = with_pictures(data, examples, model, params)
    splits = splits_of(tasks, data, cells, interactions, base, pictured)
    development = _RobustDevelopment(splits.development, splits.dev, params, base)
    freezing = FreezingParams.model_validate(model.config.freezing)
    with adapters(model, freezing, base.seed):
        apply_freezing(model, freezing)
        with occurring_words(model, data):
            history = train(
                model,
                METHODS[params.method](inner, attacked, inner.divergence, params),
                splits.train,
                development,
                params=params.training,
                selection=selection,
                seed=base.seed,
                precision=base.precision,
                work=work,
                callbacks=[RefuseCollapse(development.one_answer)],
                draws=splits.draws,
            )
    chosen = splits.choose(model)
    model.config.training_attack = {"method": params.method} | params.attack.model_dump()
    model.save_pretrained(model_folder)
    processor.save_pretrained(model_folder)
    metrics = training_metrics("adversarial_finetune", history, selection) | chosen
    write_model_card(model_folder, model.config, examples, metrics, params)
    return metrics, history


def with_pictures(
    data: MultimodalData,
    examples: Path,
    model: FuselineForTasks,
    params: AdversarialFinetuneParams,
) -> MultimodalData:
    """The rows that are trained and validated on, with their pictures if pixels are attacked. Of a
    model that takes none, the space is left out like others whose modality takes no part. Items
    that are recommended are all trained on, whatever their split."""
    if PIXEL_SPACE not in params.attack.epsilon or model.config.image_encoder is None:
        return data
    splits = SPLITS if TASKS[model.config.tasks[0]["kind"]].rows_are_events else SPLITS[:2]
    rows = data.take(np.flatnonzero(np.isin(data.splits, splits)))
    side = model.config.image_encoder["image_size"]
    return replace(rows, pixels=StoredPictures(examples, rows.example_ids, side))


class RefuseCollapse(TrainerCallback):
    """Single-step training can lose all robustness within an epoch, and its own attack would not
    notice (Wong et al. 2020, arXiv 2001.03994).

    A model that has learnt nothing and gives one answer to all rows has none to lose: what stands
    of them then goes from all that the answer fits to none with the last digits of its logits.

    Args:
        one_answer: largest share of development rows that one answer gets right.
    """

    def __init__(self, one_answer: float) -> None:
        self.learnt_from = max(COLLAPSE_FROM, one_answer)

    def on_evaluate(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        robust = [
            entry["eval_robust_accuracy"]
            for entry in state.log_history
            if "eval_robust_accuracy" in entry
        ]
        if robust[-1] == 0.0 and max(robust) > self.learnt_from:
            raise ContractError(
                "adversarial_finetune: robust collapse: development accuracy under PGD fell from"
                f" {max(robust):.3f} to 0. Use a method of several steps, a smaller epsilon or a"
                " lower learning rate."
            )


class _RobustDevelopment:
    """Development metrics, clean and under a PGD of more steps than training takes."""

    def __init__(
        self,
        clean: Development | ListDevelopment,
        data: TrainingRows,
        params: AdversarialFinetuneParams,
        base: BaseParams,
    ) -> None:
        self.clean = clean
        self.task = clean.tasks[0]
        self.data = data.take(self.task.own_rows(data))
        # Pictures keep as much at each layer of their encoder as training does.
        self.batch_size = EVALUATION_BATCH if data.pixels is None else params.training.batch_size
        self.base = base
        self.one_answer = self.task.one_answer_right(self.data.labels_of(self.task.key))
        steps = max(VALIDATION_STEPS, params.attack.num_steps)
        self.ball = params.attack.model_copy(update={"num_steps": steps, "step_size": 2.0 / steps})

    def __call__(self, model: Any) -> dict[str, float]:
        figures = self.clean(model)
        standing = self._standing(model)
        # Where rare labels are to be learnt as well, their rows count for more.
        counted = self.task.counting(self.data.labels_of(self.task.key))
        clean = figures[BALANCED] if BALANCED in figures else figures["right"]
        return figures | {
            "robust_accuracy": float(standing.mean()),
            "clean_and_robust": (clean + float((counted * standing).mean())) / 2,
        }

    def _standing(self, model: Any) -> np.ndarray:
        """(N,) bool: rows that are right under attack."""
        attack = PGD(self.ball)
        order = np.argsort(self.data.lengths, kind="stable")
        standing = np.zeros(len(order), dtype=bool)
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            standing[rows] = self._right(model, attack, self.data.batch(rows))
        return standing

    def _right(self, model: Any, attack: Attack, batch: dict[str, torch.Tensor]) -> np.ndarray:
        batch = with_labels_of(batch, [self.task.key])
        perturbable = Perturbable(model, batch, attack.spaces)

        def losses(deltas: dict[str, torch.Tensor]) -> torch.Tensor:
            logits = model(**perturbable.inputs(deltas)).logits
            return self.task.losses(logits, batch)

        with autocast(self.base.precision):
            deltas = attack.perturb(losses, perturbable.start(), perturbable.masks())
            with torch.no_grad():
                logits = model(**perturbable.inputs(deltas)).logits
        return self.task.right(logits, batch).numpy()
