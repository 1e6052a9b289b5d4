"""What an epoch of an objective adds up to."""

from __future__ import annotations

from dataclasses import dataclass

from fuseline.learning.objectives.base import ObjectiveOutput


@dataclass
class Totals:
    """Guesses, steps and passes since the last development figures."""

    correct: float = 0.0
    count: float = 0.0
    steps: int = 0
    forward_passes: int = 0
    backward_passes: int = 0

    def add(self, output: ObjectiveOutput) -> None:
        """Count one step."""
        self.correct += output.correct
        self.count += output.count
        self.steps += 1
        self.forward_passes += 1 + output.passes.get("forward", 0)
        self.backward_passes += 1 + output.passes.get("backward", 0)

    def figures(self) -> dict[str, float]:
        """As they stand in the history."""
        return {
            "train_accuracy": self.correct / self.count if self.count else 0.0,
            "train_steps": self.steps,
            "train_forward_passes": self.forward_passes,
            "train_backward_passes": self.backward_passes,
        }
