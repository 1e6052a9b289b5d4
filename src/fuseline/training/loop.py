"""The one training loop: Transformers' `Trainer` with objectives and verified checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from fuseline.dataset import MultimodalData
from fuseline.errors import ContractError
from fuseline.objectives.base import Objective
from fuseline.params.training import TrainingParams
from fuseline.precision import Precision, use_bf16
from fuseline.training.batches import LengthGroupedBatches, Rows
from fuseline.training.checkpoint import (
    latest_checkpoint,
    load_objective,
    mark_complete,
    save_objective,
)
from fuseline.training.groups import parameter_groups
from fuseline.training.history import collect_history

Evaluator = Callable[[Any], dict[str, float]]


@dataclass(frozen=True)
class Selection:
    """The development metric that picks the best epoch."""

    metric: str
    greater_is_better: bool


@dataclass
class Totals:
    """What an epoch of an objective adds up to."""

    correct: float = 0.0
    count: float = 0.0
    steps: int = 0
    forward_passes: int = 0
    backward_passes: int = 0


class FuselineTrainer(Trainer):
    """Adds to `Trainer`: an objective, length-grouped batches, learning rates by part, a check of
    every loss, and checkpoints that prove themselves whole.

    Args:
        objective: batch to loss.
        data: training rows.
        evaluator: model to development metrics, after every epoch.
        params: rates of the text encoder and of all else.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        data: MultimodalData,
        evaluator: Evaluator,
        params: TrainingParams,
        **kwargs: Any,
    ) -> None:
        # The evaluator holds the development rows; the library only wants to see some data set.
        rows = Rows(len(data))
        super().__init__(train_dataset=rows, eval_dataset=rows, **kwargs)
        self.remove_callback(ProgressCallback)
        self.add_callback(_Progress())
        self.objective = objective
        self.data = data
        self.evaluator = evaluator
        self.params = params
        self.totals = Totals()
        self.model_accepts_loss_kwargs = False

    def get_train_dataloader(self) -> DataLoader[Any]:
        batches = LengthGroupedBatches(
            self.data.lengths, self.args.per_device_train_batch_size, self.args.seed
        )
        self.add_callback(_EpochOrder(batches))
        return DataLoader(Rows(len(self.data)), batch_sampler=batches, collate_fn=self.data.batch)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any
    ) -> Tensor:
        del args, kwargs
        output = self.objective(model, inputs)
        if not math.isfinite(output.loss.item()):
            raise ContractError(
                f"training: the loss is {output.loss.item()} at step {self.state.global_step + 1}."
                " Lower the learning rate or the attack's epsilon; the last checkpoint is whole."
            )
        self.totals.correct += output.correct
        self.totals.count += output.count
        self.totals.steps += 1
        self.totals.forward_passes += 1 + output.passes.get("forward", 0)
        self.totals.backward_passes += 1 + output.passes.get("backward", 0)
        return output.loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        # The library's estimate walks all parameters at every step, and nothing reads it.
        del inputs
        return 0

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Development metrics; the training's random state is left as it was."""
        del args, kwargs
        was_training = self.model.training
        self.model.eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.args.seed)
            figures = self.evaluator(self.model)
        self.model.train(was_training)
        metrics = {f"eval_{name}": value for name, value in figures.items()}
        metrics |= self._training_figures()
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        del model
        if self.optimizer is None:
            decayed = set(self.get_decay_parameter_names(self.model))
            groups = parameter_groups(self.model, decayed, self.params)
            self.optimizer: Any = torch.optim.AdamW(groups, fused=True)
        return cast(torch.optim.Optimizer, self.optimizer)

    def _training_figures(self) -> dict[str, float]:
        totals, self.totals = self.totals, Totals()
        return {
            "train_accuracy": totals.correct / totals.count if totals.count else 0.0,
            "train_steps": totals.steps,
            "train_forward_passes": totals.forward_passes,
            "train_backward_passes": totals.backward_passes,
        }

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        checkpoint = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        save_objective(checkpoint, self.objective)
        mark_complete(checkpoint)


class _Progress(ProgressCallback):
    """The library's progress bar, and one line an epoch in place of its raw dictionaries."""

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, control
        figures = {
            name: value for name, value in kwargs["logs"].items() if name.startswith("eval_")
        }
        if figures and self.training_bar is not None:
            shown = "  ".join(f"{name[5:]} {value:.4f}" for name, value in figures.items())
            self.training_bar.write(f"epoch {round(state.epoch or 0)}  dev: {shown}")


class _Patience(TrainerCallback):
    """Ends a run whose metric has not improved for some epochs.

    The library's callback counts from 0 again after a resume; this one reads the count from the
    state.
    """

    def __init__(self, params: TrainingParams) -> None:
        self.params = params

    def on_save(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, kwargs
        if epochs_since_best(state, self.params) >= self.params.early_stopping_patience:
            control.should_training_stop = True


def epochs_since_best(state: TrainerState, params: TrainingParams) -> float:
    """Epochs since the best one."""
    steps_per_epoch = state.max_steps / params.num_epochs
    return float((state.global_step - (state.best_global_step or 0)) / steps_per_epoch)


class _EpochOrder(TrainerCallback):
    """Tells the batches which epoch it is, after a resume too."""

    def __init__(self, batches: LengthGroupedBatches) -> None:
        self.batches = batches

    def on_epoch_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        self.batches.set_epoch(round(state.epoch or 0))


def train(
    model: nn.Module,
    objective: Objective,
    data: MultimodalData,
    evaluator: Evaluator,
    *,
    params: TrainingParams,
    selection: Selection,
    seed: int,
    precision: Precision,
    work: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> list[dict[str, float]]:
    """Train, and leave the model with the weights of its best epoch.

    A run that was killed goes on from its last whole checkpoint and ends with the same weights.

    Args:
        model: trained in place.
        objective: batch to loss.
        data: training rows.
        evaluator: model to development metrics.
        params: epochs, rates, patience.
        selection: the metric that picks the best epoch.
        seed: of batches and dropout.
        precision: bfloat16 or float32 products.
        work: folder for checkpoints.
        callbacks: watch the run; what they know comes from the trainer's state, which a resumed
            run has too.

    Returns:
        One dict of figures per epoch, `epoch` among them.

    Raises:
        ContractError: no training rows, or a loss that is not finite.
    """
    if len(data) == 0:
        raise ContractError(
            "training: the training split has no rows to train on."
            " Raise `ingest.split.train` or add labelled rows."
        )
    trainer = FuselineTrainer(
        model=model,
        args=_arguments(params, len(data), seed, precision, work, selection),
        objective=objective,
        data=data,
        evaluator=evaluator,
        params=params,
        callbacks=[_Patience(params), *callbacks],
    )
    checkpoint = latest_checkpoint(work)
    if checkpoint and (state := _finished(checkpoint, params)):
        # Only the stage's outputs were left to write; training again would add an epoch.
        trainer.state = state
        trainer._load_best_model()
    else:
        if checkpoint:
            load_objective(checkpoint, objective)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return collect_history(trainer.state)


def _arguments(
    params: TrainingParams,
    rows: int,
    seed: int,
    precision: Precision,
    work: Path,
    selection: Selection,
) -> TrainingArguments:
    steps = params.num_epochs * -(-rows // params.batch_size)
    return TrainingArguments(
        output_dir=str(work),
        seed=seed,
        num_train_epochs=params.num_epochs,
        per_device_train_batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        lr_scheduler_type=params.lr_scheduler,
        warmup_steps=round(params.warmup_share * steps),
        weight_decay=params.weight_decay,
        max_grad_norm=params.max_grad_norm,
        bf16=use_bf16(precision),
        use_cpu=True,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{selection.metric}",
        greater_is_better=selection.greater_is_better,
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=False,
    )


def _finished(checkpoint: Path, params: TrainingParams) -> TrainerState | None:
    """The state of a run whose epochs or patience are spent, else None."""
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    impatient = epochs_since_best(state, params) >= params.early_stopping_patience
    spent = state.global_step >= state.max_steps or impatient
    return state if spent else None
