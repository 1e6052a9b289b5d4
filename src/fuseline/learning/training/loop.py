"""The one training loop: Transformers' `Trainer` with objectives and verified checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import ProgressCallback

from fuseline.errors import ContractError
from fuseline.learning.objectives.base import Objective
from fuseline.learning.training.batches import Batches, Rows, TrainingRows, batches_of
from fuseline.learning.training.callbacks import EpochOrder, EvenSaves, Progress
from fuseline.learning.training.checkpoint import (
    latest_checkpoint,
    load_objective,
    load_random_state,
    objective_state,
    random_state,
    read_parts,
    trained_state,
    write_checkpoint,
)
from fuseline.learning.training.groups import parameter_groups
from fuseline.learning.training.history import WENT_BACK, collect_history
from fuseline.learning.training.totals import Totals
from fuseline.params.training import TrainingParams
from fuseline.pipeline.precision import Precision, plain_attention, use_bf16

# Checkpoints of short runs follow one another within seconds, and to wait for the disk each time
# would cost a tenth of the run, to save a minute of it from a power cut.
DURABLE_SECONDS = 60.0

Evaluator = Callable[[Any], dict[str, float]]


@dataclass(frozen=True)
class Selection:
    """The development metric that picks the best epoch.

    Attributes:
        max_fall: how far below its best a share may lie before training goes back; None: however
            far.
    """

    metric: str
    greater_is_better: bool
    max_fall: float | None = None

    def has_fallen(self, score: float, best: float) -> bool:
        """Whether training should go back to the best epoch."""
        if self.max_fall is None or not self.greater_is_better:
            return False
        return best - score > self.max_fall


class FuselineTrainer(Trainer):
    """Adds to `Trainer`: an objective, length-grouped batches, learning rates by part, a check of
    every loss, and checkpoints that prove themselves whole.

    Args:
        objective: batch to loss.
        data: training rows.
        evaluator: model to development metrics, after every epoch.
        params: rates of the text encoder and of all else.
        selection: what picks the best epoch, and when to go back to it.
        batches: how the rows are cut.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        data: TrainingRows,
        evaluator: Evaluator,
        params: TrainingParams,
        selection: Selection,
        batches: Batches,
        **kwargs: Any,
    ) -> None:
        # The evaluator holds the development rows; the library only wants to see some data set.
        rows = Rows(len(data))
        super().__init__(train_dataset=rows, eval_dataset=rows, **kwargs)
        self.remove_callback(ProgressCallback)
        self.add_callback(Progress())
        self.add_callback(EvenSaves())
        self.objective = objective
        self.data = data
        self.evaluator = evaluator
        self.params = params
        self.selection = selection
        self.batches = batches
        self.totals = Totals()
        self.best: dict[str, Tensor] = {}
        self.resumed: dict[str, Any] = {}
        self.durable_since = time.monotonic()
        self.model_accepts_loss_kwargs = False

    def get_train_dataloader(self) -> DataLoader[Any]:
        self.add_callback(EpochOrder(self.batches))
        rows = Rows(len(self.data))
        return DataLoader(rows, batch_sampler=self.batches, collate_fn=self.data.batch)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], *args: Any, **kwargs: Any
    ) -> Tensor:
        del args, kwargs
        with plain_attention():
            output = self.objective(model, inputs)
        if not math.isfinite(output.loss.item()):
            raise ContractError(
                f"training: the loss is {output.loss.item()} at step {self.state.global_step + 1}."
                " Lower the learning rate or the attack's epsilon; the last checkpoint is whole."
            )
        self.totals.add(output)
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
        metrics |= self.totals.figures()
        self.totals = Totals()
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

    def load_best(self) -> None:
        """Give the model the weights of the best epoch so far."""
        self.model.load_state_dict(self.best, strict=False)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Remember the best epoch's weights, and go back to them from one that fell far below; end
        a run that has not improved for some epochs.

        The library would keep a whole checkpoint for the best epoch, and its own patience counts
        from 0 again after a resume; this one reads the count from the state.
        """
        is_best: bool = super()._determine_best_metric(metrics, trial)
        if is_best:
            self.state.best_global_step = self.state.global_step
            for name, value in trained_state(self.model).items():
                self.best.setdefault(name, torch.empty_like(value)).copy_(value)
        score = metrics[f"eval_{self.selection.metric}"]
        if epochs_since_best(self.state, self.params) >= self.params.early_stopping_patience:
            self.control.should_training_stop = self.control.should_save = True
        elif self.state.global_step < self.state.max_steps and self.selection.has_fallen(
            score, self.state.best_metric
        ):
            self._go_back()
        return is_best

    def _go_back(self) -> None:
        """Go on from the best epoch's weights, at half the rates; the history tells.

        Where and how fast weights were heading goes too: it led to the fall.
        """
        self.load_best()
        self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] /= 2
        self.lr_scheduler.base_lrs = [rate / 2 for rate in self.lr_scheduler.base_lrs]
        self.log({WENT_BACK: 1.0})

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """All that the rest of the run depends on, in the middle of an epoch too."""
        del model, trial
        parts = {
            "weights": trained_state(self.model),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict(),
            "objective": objective_state(self.objective),
            "random": random_state(),
            "totals": asdict(self.totals),
            "loss_since_log": self._tr_loss,
            "last_logged_step": self._globalstep_last_logged,
        }
        durable = time.monotonic() - self.durable_since >= DURABLE_SECONDS
        write_checkpoint(Path(self.args.output_dir), parts, self.state, durable=durable)
        if durable:
            self.durable_since = time.monotonic()

    def _load_from_checkpoint(self, checkpoint: str, model: nn.Module | None = None) -> None:
        del model
        self.resumed = read_parts(Path(checkpoint))
        self.model.load_state_dict(self.resumed["weights"], strict=False)
        self.best = self.resumed["best"]
        self.totals = Totals(**self.resumed["totals"])
        load_objective(self.objective, self.resumed["objective"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint:
            self.optimizer.load_state_dict(self.resumed["optimizer"])
            self.lr_scheduler.load_state_dict(self.resumed["lr_scheduler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """The library calls this right before the first step after a resume, when it has set the
        running loss to 0."""
        if checkpoint:
            load_random_state(self.resumed["random"])
            self._tr_loss = self.resumed["loss_since_log"]
            self._globalstep_last_logged = self.resumed["last_logged_step"]
            self.resumed = {}


def epochs_since_best(state: TrainerState, params: TrainingParams) -> float:
    """Epochs since the best one."""
    steps_per_epoch = state.max_steps / params.num_epochs
    return float((state.global_step - (state.best_global_step or 0)) / steps_per_epoch)


def train(
    model: nn.Module,
    objective: Objective,
    data: TrainingRows,
    evaluator: Evaluator,
    *,
    params: TrainingParams,
    selection: Selection,
    seed: int,
    precision: Precision,
    work: Path,
    callbacks: Sequence[TrainerCallback] = (),
    draws: np.ndarray | None = None,
) -> list[dict[str, float]]:
    """Train, and leave the model with the weights of its best epoch.

    A run that was killed goes on from its last whole checkpoint and ends with the same weights.

    Args:
        model: trained in place.
        objective: batch to loss.
        data: training rows.
        evaluator: model to development metrics.
        params: epochs, rates, patience.
        selection: the metric that picks the best epoch, and that may make training go back to it.
        seed: of batches and dropout.
        precision: bfloat16 or float32 products.
        work: folder for checkpoints.
        callbacks: watch the run; what they know comes from the trainer's state, which a resumed
            run has too.
        draws: (N,) how often training rows come in an epoch, in proportion; None where each comes
            once.

    Returns:
        One dict of figures per epoch, `epoch` among them, and `WENT_BACK` where the next one began
        with the best epoch's weights.

    Raises:
        ContractError: no training rows, or a loss that is not finite.
    """
    if len(data) == 0:
        raise ContractError(
            "training: the training split has no rows to train on. Add rows to it; what `ingest`"
            " said of its splits tells why there are none."
        )
    batches = batches_of(data, params.batch_size, seed, draws)
    trainer = FuselineTrainer(
        model=model,
        args=_arguments(params, len(batches), seed, precision, work, selection),
        objective=objective,
        data=data,
        evaluator=evaluator,
        params=params,
        selection=selection,
        batches=batches,
        callbacks=list(callbacks),
    )
    checkpoint = latest_checkpoint(work)
    if checkpoint and (state := _finished(checkpoint, params)):
        # Only the stage's outputs were left to write; training again would add an epoch.
        trainer.state = state
        trainer._load_from_checkpoint(str(checkpoint))
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.load_best()
    return collect_history(trainer.state)


def _arguments(
    params: TrainingParams,
    batches: int,
    seed: int,
    precision: Precision,
    work: Path,
    selection: Selection,
) -> TrainingArguments:
    steps = params.num_epochs * batches
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
        save_strategy="no",  # `EvenSaves` asks for them
        logging_strategy="epoch",
        metric_for_best_model=f"eval_{selection.metric}",
        greater_is_better=selection.greater_is_better,
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=False,
    )


def _finished(checkpoint: Path, params: TrainingParams) -> TrainerState | None:
    """The state of a run whose epochs or patience are spent, else None."""
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
    impatient = epochs_since_best(state, params) >= params.early_stopping_patience
    spent = state.global_step >= state.max_steps or impatient
    return state if spent else None
