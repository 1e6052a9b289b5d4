"""Kills at random moments: does every run end with the bytes of an uninterrupted one, and what
does a kill cost?

The stages that keep progress run on 120 synthetic rows in a small repository. Each kill draws a
signal, whom it reaches (the whole process group of `dvc`, or the stage alone) and a moment.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.killing import OUTPUTS, Kill, kill_and_repeat, uninterrupted
from tests.support.workspace import Workspace


def main(
    kills: int = 100,
    seed: int = 0,
    finished: Path | None = None,
    stages: Sequence[str] = tuple(OUTPUTS),
) -> None:
    """Print one line a kill, and the sums.

    Args:
        kills: how many that land while a stage is at work.
        seed: of all draws.
        finished: a small repository after its first `dvc repro`, to save making one.
        stages: which of those with progress are killed, in turn.
    """
    # A shell starts what runs in the background with SIGINT ignored, and so would be what we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        if finished is None:
            workspace = Workspace.create(Path(folder) / "workspace")
            workspace.repro()
        else:
            workspace = Workspace(finished).copy(Path(folder) / "workspace")
        report(workspace, kills, random.Random(seed), stages)


def report(workspace: Workspace, kills: int, draws: random.Random, stages: Sequence[str]) -> None:
    seconds = uninterrupted(workspace, stages)
    found = []
    while len(found) < kills:
        kill = Kill.draw(draws, stages[len(found) % len(stages)])
        outcome = kill_and_repeat(workspace, kill, seconds[kill.stage])
        whom = "group" if kill.whole_group else "stage"
        print(
            f"{kill.stage:<21}{kill.number.name:<8} to {whom}  at step {outcome.step:>3}"
            f"  lost {outcome.lost:6.1%}"
            f"{'' if outcome.identical else '  OTHER BYTES'}"
            f"{'  traceback' if outcome.traceback else ''}"
            f"{'  dvc.lock put back' if outcome.lock_broken else ''}"
            f"{'' if outcome.hit else '  missed'}",
            flush=True,
        )
        if outcome.hit:
            found.append(outcome)
    # Prompts keep whole cells and have no steps to lose.
    trained = [stages[index % len(stages)] != "prompt" for index in range(len(found))]
    lost = [outcome.lost for outcome, counts in zip(found, trained, strict=True) if counts]
    begun = sum(outcome.step > 0 for outcome in found)
    print(
        f"{sum(outcome.identical for outcome in found)} of {len(found)} endings byte-identical,"
        f" {begun} of the kills after a first step; steps done again: mean"
        f" {sum(lost) / len(lost):.1%}, at most {max(lost):.1%} of all;"
        f" {sum(outcome.traceback for outcome in found)} tracebacks,"
        f" {sum(outcome.lock_broken for outcome in found)} lock files put back"
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finished", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parsed()
    main(arguments.kills, arguments.seed, arguments.finished)
