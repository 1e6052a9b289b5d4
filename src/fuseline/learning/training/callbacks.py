"""What watches the training loop: the order of batches, when to save, what to show."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback, TrainerState
from transformers.trainer_callback import ProgressCallback

from fuseline.learning.training.batches import Batches

# A kill costs less than one part of this many of a run's steps, whatever the number of its epochs.
NUM_CHECKPOINTS = 12
MOST_SECONDS = 600.0


class Progress(ProgressCallback):
    """The library's progress bar, and one line an epoch in place of its raw dictionaries."""

    def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, control
        figures = {
            name: value for name, value in kwargs["logs"].items() if name.startswith("eval_")
        }
        if figures and self.training_bar is not None:
            shown = "  ".join(f"{name[5:]} {value:.4f}" for name, value in figures.items())
            self.training_bar.write(f"epoch {round(state.epoch or 0)}  dev: {shown}")


class EpochOrder(TrainerCallback):
    """Tells the batches which epoch it is, after a resume too."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def on_epoch_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        self.batches.set_epoch(state.global_step // len(self.batches))


class EvenSaves(TrainerCallback):
    """Asks for a checkpoint after every twelfth of all steps, within epochs too, and in long runs
    whenever the last one is some minutes old.

    One that falls on the last step of an epoch waits for the development figures: a run that goes
    on from there would not compute them.
    """

    def __init__(self) -> None:
        self.saved = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del kwargs
        ends_epoch = state.global_step % (state.max_steps // args.num_train_epochs) == 0
        if self._is_due(state) and not ends_epoch:
            control.should_save = True

    def on_epoch_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, kwargs
        if self._is_due(state):
            control.should_save = True

    def on_save(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
        del args, state, control, kwargs
        self.saved = time.monotonic()

    def _is_due(self, state: TrainerState) -> bool:
        age = time.monotonic() - self.saved
        return is_save_step(state.global_step, state.max_steps) or age > MOST_SECONDS


def is_save_step(step: int, max_steps: int) -> bool:
    """Whether a further twelfth of all steps is done since the step before; true of the last."""
    return step * NUM_CHECKPOINTS // max_steps > (step - 1) * NUM_CHECKPOINTS // max_steps
