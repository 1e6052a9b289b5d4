"""A server whose export is replaced again and again while clients ask it: none may lose an answer.

In a repository whose pipeline has run. The export is served from a copy. Each time its card says
something else, so that the server takes up a new export, whose answers are those of the old one:
every answer is compared with that of the predictor without a server.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.predicting import drawn_texts, training_texts
from benchmarks.serving import SERVE, Load, Server, loaded, offline, resident, running

NUM_RELOADS, NUM_CLIENTS, NUM_TEXTS = 20, 8, 200
LOOK_SECONDS, PATIENCE_SECONDS = 0.5, 60.0
CARD = "README.md"


def main(root: Path = Path(), num_reloads: int = NUM_RELOADS, clients: int = NUM_CLIENTS) -> None:
    """Print how many exports were taken up and what the clients were answered; end with an error
    where any answer was lost or wrong.

    Args:
        root: of a repository with `models/export` and the tables it was made of.
        num_reloads: exports to take up.
        clients: that ask all the while.
    """
    with tempfile.TemporaryDirectory() as folder:
        export = Path(shutil.copytree(root / "models/export", Path(folder) / "export"))
        expected = offline(export, drawn_texts(training_texts(root), NUM_TEXTS))
        command = (*SERVE, "--model", str(export), "--reload-seconds", str(LOOK_SECONDS))
        server = Server("reloads", command)
        with (
            running(server) as (port, process),
            ProcessPoolExecutor(1, get_context("spawn")) as elsewhere,
        ):
            until = Path(folder) / "enough"
            asking = elsewhere.submit(_load, port, server.path, expected, clients, until)
            memory = [resident(process)]
            for number in range(num_reloads):
                if not _taken_up(port, export, number, asking):
                    break
                memory.append(resident(process))
            until.touch()
            found = asking.result()
    print(f"{len(memory) - 1} reloads, memory, MiB: {' '.join(f'{one:.0f}' for one in memory)}")
    _tell(found)
    if len(memory) <= num_reloads or found.wrong or set(found.statuses) - {200, 429}:
        sys.exit("answers were lost or wrong, or an export was not taken up")


def _load(
    port: int, path: str, expected: dict[str, tuple[str, float]], clients: int, enough: Path
) -> Load:
    return asyncio.run(loaded(port, path, expected, clients, lambda: not enough.exists()))


def _taken_up(port: int, export: Path, number: int, asking: Future[Load]) -> bool:
    """Whether the server took up the export after its card was changed."""
    card = export / CARD
    card.write_text(f"{card.read_text(encoding='utf-8')}\n{number}\n", encoding="utf-8")
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and not asking.done():
        if _reloads(port) > number:
            return True
        time.sleep(LOOK_SECONDS / 5)
    return False


def _reloads(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        told = answer.read().decode()
    found = re.search(r'^fuseline_reloads_total\{[^}]*="taken"[^}]*\} (\d+)', told, re.M)
    return int(found[1]) if found else 0


def _tell(found: Load) -> None:
    others = {status: count for status, count in found.statuses.items() if status != 200}
    print(
        f"{found.statuses.get(200, 0)} answers, {found.wrong} wrong, other than 200:"
        f" {others or 'none'}"
    )
