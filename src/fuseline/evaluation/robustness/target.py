"""One batch under attack: losses to climb, deltas to check, and what it all costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import LABELS, Batch
from fuseline.learning.attacks import Attack
from fuseline.learning.attacks.base import Deltas, Search
from fuseline.learning.model.passes import Model, with_labels_of
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.tasks import Task
from fuseline.pipeline.precision import Precision, autocast, plain_attention

Loss = Callable[[Tensor, Batch], Tensor]
# Told the logits (B, ...) of a check, and which rows (B,) fell.
Told = Callable[[Tensor, Tensor], None]
# The same, with the places (B,) of its rows in the batch before them.
Note = Callable[[Tensor, Tensor, Tensor], None]
# An attack is checked so often, but not before so many steps.
ROUNDS, STEPS_OF_A_ROUND = 4, 5
# Key of the wrong classes (B, K) that a row comes nearest to, the nearest first.
TARGETS = "target_classes"
NUM_TARGETS = 3


@dataclass(frozen=True)
class Goal:
    """What attacks on a task climb, and what they must not leave right.

    Attributes:
        losses: of logits and batch, (B,); restarts take turns, since they fail on different rows,
            and FGM takes the task's own.
        right: (B,) bool of logits and batch.
        num_targets: wrong classes of each row that losses ask the batch for.
    """

    losses: tuple[Loss, ...]
    right: Callable[[Tensor, Batch], Tensor]
    num_targets: int = 0

    @property
    def own(self) -> Loss:
        """The task's own loss."""
        return self.losses[min(1, len(self.losses) - 1)]


def goal_of(task: Task) -> Goal:
    """The task's own loss; of a classification the margin before it, and behind it the margins to
    the wrong classes that each row comes nearest to without an attack (Croce & Hein 2020, arXiv
    2003.01690, whose ensemble has a targeted attack too)."""
    if task.kind != "classification":
        return Goal((task.losses,), task.right)
    count = min(NUM_TARGETS, len(task.label_names) - 1)
    # With two classes the only wrong one is what the margin climbs to already.
    targeted = tuple(partial(targeted_margin, place) for place in range(count if count > 1 else 0))
    return Goal((margin, task.losses, *targeted), task.right, len(targeted))


def margin(logits: Tensor, batch: Batch) -> Tensor:
    """Best wrong logit minus the right one: above 0 once the row has fallen, and, unlike
    cross-entropy, with a gradient however sure the model is."""
    labels = batch[LABELS]
    right = functional.one_hot(labels, logits.shape[-1]).bool()
    best_wrong = logits.masked_fill(right, float("-inf")).amax(-1)
    return best_wrong - logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def targeted_margin(place: int, logits: Tensor, batch: Batch) -> Tensor:
    """The logit of one wrong class, the `place`-th of the batch's, minus the right one."""
    chosen = batch[TARGETS][:, place : place + 1]
    right = batch[LABELS].unsqueeze(-1)
    return (logits.gather(-1, chosen) - logits.gather(-1, right)).squeeze(-1)


@dataclass
class Spent:
    """What the attacks cost and how far they moved.

    Attributes:
        forward: rows passed through the model, checks included.
        backward: rows passed back through it.
        delta_norms: at scale 1, norms of the deltas that were checked, by space.
        zero_gradients: rows at scale 1 whose loss had no gradient at the clean input.
    """

    forward: int = 0
    backward: int = 0
    delta_norms: dict[str, list[Tensor]] = field(default_factory=dict)
    zero_gradients: int = 0

    def state(self) -> dict[str, np.ndarray]:
        """What was counted so far."""
        counts = np.array([self.forward, self.backward, self.zero_gradients])
        norms = {
            f"norms.{space}": torch.cat(found).numpy() for space, found in self.delta_norms.items()
        }
        return {"counts": counts, **norms}

    def add(self, state: Mapping[str, np.ndarray]) -> None:
        """Count what another counted, by its `state`."""
        forward, backward, zero_gradients = map(int, state["counts"])
        self.forward += forward
        self.backward += backward
        self.zero_gradients += zero_gradients
        for name, values in state.items():
            if name.startswith("norms."):
                space = name.removeprefix("norms.")
                self.delta_norms.setdefault(space, []).append(torch.from_numpy(values))


class Target:
    """One batch under attack.

    Attributes:
        start: zero deltas of the spaces in which any position may move.
        masks: (B, T) bool by space, the positions that may.
    """

    def __init__(
        self,
        model: Model,
        batch: Batch,
        goal: Goal,
        spaces: Iterable[str],
        precision: Precision,
        spent: Spent,
    ) -> None:
        self._model, self._spaces = model, sorted(spaces)
        self._goal = goal
        self._rows = len(batch[LABELS])
        self._precision: Precision = precision
        self._spent = spent
        self._batch = self._with_targets(with_labels_of(batch, [LABELS]), goal.num_targets)
        self._perturbable = Perturbable(model, self._batch, self._spaces)
        self.masks = self._perturbable.masks()
        self.start = {
            space: zero
            for space, zero in self._perturbable.start().items()
            if self.masks[space].any()
        }

    def take(self, keep: Tensor) -> Target:
        """The batch without the rows where `keep` is False, padded as before."""
        batch = {name: value[keep] for name, value in self._batch.items()}
        return Target(self._model, batch, self._goal, self._spaces, self._precision, self._spent)

    def _with_targets(self, batch: Batch, count: int) -> Batch:
        """The batch with the wrong classes of each row, if losses ask for any."""
        if not count or TARGETS in batch:
            return batch
        self._spent.forward += len(batch[LABELS])
        with torch.no_grad():
            logits = self._model(**batch).logits.float()
        right = functional.one_hot(batch[LABELS], logits.shape[-1]).bool()
        wrong = logits.masked_fill(right, float("-inf")).topk(count).indices
        return batch | {TARGETS: wrong}

    def begin(self, attack: Attack, scale: float, generator: torch.Generator) -> Search:
        """A search that has taken no step yet."""
        bounds = self._perturbable.bounds()
        return attack.begin(self.start, self.masks, generator=generator, scale=scale, bounds=bounds)

    def advance(self, attack: Attack, search: Search, loss: Loss, num_steps: int) -> None:
        """Go on with a search for at most `num_steps` steps."""
        with plain_attention():
            attack.advance(search, self._losses(loss), num_steps)

    def climb(self, attack: Attack, loss: Loss, scale: float, generator: torch.Generator) -> Deltas:
        """Run an attack from its start to its last step."""
        search = self.begin(attack, scale, generator)
        self.advance(attack, search, loss, attack.num_steps)
        return search.found

    def besiege(
        self,
        attack: Attack,
        loss: Loss,
        scale: float,
        generator: torch.Generator,
        note: Note | None = None,
    ) -> tuple[Deltas, Tensor]:
        """Run an attack whose rows leave it once they have fallen, round after round of its steps.

        Args:
            attack: as all it needs.
            loss: that it climbs.
            scale: factor on every epsilon.
            generator: of what it draws.
            note: is told of each check.

        Returns:
            By space the deltas on which the attack of each row ended, and which rows (B,) fell.
        """
        ended = {space: torch.zeros_like(zero) for space, zero in self.start.items()}
        fell = torch.zeros(self._rows, dtype=torch.bool)
        target, places = self, torch.arange(self._rows)
        search = self.begin(attack, scale, generator)
        steps = max(STEPS_OF_A_ROUND, -(-attack.num_steps // ROUNDS))
        while search.num_done < attack.num_steps and not fell.all():
            target.advance(attack, search, loss, steps)
            for space, found in search.found.items():
                ended[space][places] = found
            fallen = target.fallen(search.found, note and partial(note, places))
            fell[places] = fallen
            if fallen.any() and not fallen.all():
                keep = ~fallen
                places, target, search = places[keep], target.take(keep), search.take(keep)
        return ended, fell

    def fallen(self, deltas: Deltas, note: Told | None = None) -> Tensor:
        """(B,) bool: wrong in a plain float32 pass over the perturbed batch; `note` is told."""
        self._spent.forward += self._rows
        with torch.no_grad():
            logits: Tensor = self._model(**self._perturbable.inputs(deltas)).logits.float()
        fallen = ~self._goal.right(logits, self._batch)
        if note is not None:
            note(logits, fallen)
        return fallen

    def shift(self, deltas: Deltas) -> Tensor:
        """L2 lengths (B, P) by which perturbed pixels moved the features; NaN where a row lacks the
        picture."""
        self._spent.forward += 2 * self._rows
        with torch.no_grad():
            before, after = (
                self._perturbable.inputs(moved)["image_features"] for moved in (self.start, deltas)
            )
        length: Tensor = torch.linalg.vector_norm(after - before, dim=-1)
        return length

    def movable(self) -> Tensor:
        """(B,) bool: rows with a position that may move, in any space."""
        found = torch.zeros(self._rows, dtype=torch.bool)
        for mask in self.masks.values():
            found |= mask.any(1)
        return found

    def unmoved(self, deltas: Deltas) -> Tensor:
        """(B,) bool: no position of the row moved in any space."""
        moved = torch.zeros(self._rows, dtype=torch.bool)
        for delta in deltas.values():
            moved |= (delta != 0).flatten(1).any(-1)
        return ~moved

    def _losses(self, loss: Loss) -> Callable[[Deltas], Tensor]:

        def losses(deltas: Deltas) -> Tensor:
            self._spent.forward += self._rows
            # A black-box attack asks for losses alone.
            self._spent.backward += self._rows * torch.is_grad_enabled()
            with autocast(self._precision):
                logits = self._model(**self._perturbable.inputs(deltas)).logits
            return loss(logits.float(), self._batch)

        return losses
