"""`fuseline monitor`: false alarms beside those asked for, delays, speed, and kills.

Run lengths and delays are simulated with the very charts of the monitor, on counts of windows; the
replay and the kills run the command on rows that are answered already. Nothing of it needs a model.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workspace import ROOT
from fuseline.config import read_yaml
from fuseline.serving.monitor.baseline import (
    Baseline,
    Wanted,
    charted,
    fit,
    scores_of,
    standardised,
)
from fuseline.serving.monitor.run_length import Scores, run_length

SETTINGS = ROOT / "recipes/mood/project/monitor.yaml"
# Topics: mean rows of a window, the usual share of negatives, correlation within a window.
TOPICS: Mapping[str, tuple[int, float, float]] = {
    "large": (200, 0.25, 0.0),
    "middle": (60, 0.2, 0.0),
    "small": (15, 0.15, 0.0),
    "uneven": (60, 0.2, 0.02),
}
ASKED = 250.0
SURGE = 0.15
REFERENCE = 50


def main(
    num_windows: int = 1_000_000,
    num_monitors: int = 400,
    num_events: int = 1_000_000,
    num_kills: int = 20,
) -> None:
    """Print all of it.

    Args:
        num_windows: simulated windows of each topic.
        num_monitors: charts with a baseline of their own.
        num_events: rows of the replay.
        num_kills: at random moments of a smaller replay.
    """
    draw = np.random.default_rng(17)
    _run_lengths(num_windows, draw)
    _estimated(num_monitors, draw)
    _delays(num_monitors, draw)
    with tempfile.TemporaryDirectory() as folder:
        _replay(Path(folder), num_events)
    with tempfile.TemporaryDirectory() as folder:
        _kills(Path(folder), max(num_events // 10, 2000), num_kills)


def _run_lengths(num_windows: int, draw: np.random.Generator) -> None:
    """Known baselines: windows by false alarm of each topic and of all."""
    print(f"known baselines, {num_windows} windows a topic, {ASKED:.0f} asked of all together")
    wanted, rate = Wanted(ASKED * len(TOPICS), SURGE, 0.5), 0.0
    for name, (rows, share, correlation) in TOPICS.items():
        volumes = draw.poisson(rows, REFERENCE) + 1
        chart = charted(volumes, share, share, correlation, wanted)
        found = _simulated(chart, volumes, share, correlation, num_windows, draw)
        rate += 1 / found
        ratio = found / wanted.run_length
        print(f"  {name}: {found:.0f} of {wanted.run_length:.0f}, ratio {ratio:.3f}")
    print(f"  all: {1 / rate:.1f} of {ASKED:.0f}, ratio {1 / rate / ASKED:.3f}")


def _simulated(
    chart: Baseline,
    volumes: np.ndarray,
    share: float,
    correlation: float,
    num_windows: int,
    draw: np.random.Generator,
) -> float:
    """Windows by alarm of many streams at once."""
    streams = min(2000, num_windows)
    total, alarms = np.zeros(streams), 0
    for _ in range(num_windows // streams):
        rows = draw.choice(volumes, streams)
        found = draw.binomial(rows, _shares(share, correlation, streams, draw))
        total = np.maximum(0.0, total + _scores(chart, rows, found) - chart.allowance)
        over = total >= chart.limit
        alarms += int(over.sum())
        total[over] = 0.0
    return streams * (num_windows // streams) / max(alarms, 1)


def _scores(chart: Baseline, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
    kinds = np.unique(rows)
    scores = np.empty(len(rows))
    for one in kinds:
        here = rows == one
        scores[here] = standardised(int(one), found[here], chart.share, chart.correlation)
    return scores


def _shares(
    share: float, correlation: float, count: int, draw: np.random.Generator
) -> np.ndarray | float:
    if not correlation:
        return share
    size = (1 - correlation) / correlation
    return draw.beta(share * size, (1 - share) * size, count)


def _reference(
    topic: tuple[int, float, float], draw: np.random.Generator
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    rows, share, correlation = topic
    volumes = draw.poisson(rows, REFERENCE) + 1
    found = draw.binomial(volumes, _shares(share, correlation, REFERENCE, draw))
    return volumes, list(zip(volumes.tolist(), found.tolist(), strict=True))


def _estimated(num_monitors: int, draw: np.random.Generator) -> None:
    """Estimated baselines: how many charts run as long as asked, and the middle one."""
    print(f"baselines of {REFERENCE} windows, {num_monitors} charts a topic")
    for guard in (0.5, 0.9):
        wanted = Wanted(ASKED * len(TOPICS), SURGE, guard)
        for name, topic in TOPICS.items():
            ratios = [_true_ratio(topic, wanted, draw) for _ in range(num_monitors)]
            enough = np.mean([ratio >= 1 for ratio in ratios])
            middle = statistics.median(ratios)
            print(
                f"  guard {guard}, {name}: {enough:.0%} as long as asked or longer, median"
                f" {middle:.2f} times, least tenth below {np.quantile(ratios, 0.1):.2f} times"
            )


def _true_ratio(
    topic: tuple[int, float, float], wanted: Wanted, draw: np.random.Generator
) -> float:
    _, share, correlation = topic
    volumes, windows = _reference(topic, draw)
    chart = fit(windows, share, wanted)
    true = [_true_scores(chart, int(one), share, correlation) for one in volumes]
    return run_length(Scores.mixed(true), chart.allowance, chart.limit) / wanted.run_length


def _true_scores(chart: Baseline, rows: int, share: float, correlation: float) -> Scores:
    """Scores of the chart, where counts are as they truly are."""
    true = scores_of(rows, share, share, correlation)
    counts = true.values * np.sqrt(rows * share * (1 - share) * (1 + (rows - 1) * correlation)) + (
        rows * share
    )
    return Scores(standardised(rows, counts, chart.share, chart.correlation), true.probabilities)


def _delays(num_monitors: int, draw: np.random.Generator) -> None:
    """Windows from the begin of a surge to the alarm, baselines estimated and guarded."""
    print(f"surge of {SURGE:.0%}, {num_monitors} charts a topic, guard 0.9")
    wanted, delays = Wanted(ASKED * len(TOPICS), SURGE, 0.9), []
    for name, topic in TOPICS.items():
        found = [_delay(topic, wanted, draw) for _ in range(num_monitors)]
        delays += found
        print(
            f"  {name}: median {statistics.median(found):.0f} windows,"
            f" nine in ten within {np.quantile(found, 0.9):.0f}"
        )
    print(f"  all: median {statistics.median(delays):.0f} windows")


def _delay(topic: tuple[int, float, float], wanted: Wanted, draw: np.random.Generator) -> int:
    rows, share, correlation = topic
    _, windows = _reference(topic, draw)
    chart, total, number = fit(windows, share, wanted), 0.0, -20
    while True:
        given = int(draw.poisson(rows)) + 1
        true = _shares(share, correlation, 1, draw)
        surge = SURGE if number >= 0 else 0.0
        found = int(draw.binomial(given, min(1.0, float(np.max(true)) + surge)))
        total = max(0.0, total + chart.score(given, found) - chart.allowance)
        number += 1
        if total >= chart.limit:
            if number > 0:
                return number
            total = 0.0


def _rows(count: int) -> Iterator[str]:
    """Made-up news, a twentieth of them near-copies, in two per cent late."""
    draw = random.Random(17)
    words = ["market", "company", "quarter", "plant", "fell", "rose", "order", "board", "phone"]
    now, text = 1.7e9, ""
    for number in range(count):
        now += draw.expovariate(1 / 5)
        topic = draw.choice(["profit", "turnover", "layoffs", "merger", "weather"])
        surge = 0.2 if topic == "layoffs" and number > 0.9 * count else 0.0
        negative = draw.random() < 0.2 + surge
        if text and draw.random() < 0.05:
            text += "."
        else:
            text = f"{topic} {' '.join(draw.choices(words, k=9))} {draw.randrange(10**6)}"
        row: dict[str, Any] = {
            "time": round(now - (900 * draw.random() if draw.random() < 0.02 else 0.0), 2),
            "id": f"n{number}",
            "text": text,
            "label": "negative" if negative else "neutral",
        }
        yield json.dumps(row) + "\n"


def _prepared(folder: Path, count: int) -> list[str]:
    """Rows in a folder; the command that replays them."""
    (folder / "in").mkdir()
    with (folder / "in/rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(_rows(count))
    assert read_yaml(SETTINGS)["window_seconds"] == 3600
    command = [sys.executable, "-m", "fuseline.cli", "monitor", "in", "--once", "--answered"]
    return [*command, "--settings", str(SETTINGS)]


def _replay(folder: Path, count: int) -> None:
    command = _prepared(folder, count)
    begun, used = time.perf_counter(), _processor_seconds()
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    taken, used = time.perf_counter() - begun, _processor_seconds() - used
    alarms = len(done.stdout.splitlines())
    print(
        f"replay: {count} rows in {taken:.1f} s, {count / taken:.0f} a second with the start;"
        f" {count / used:.0f} a second of processor time; {alarms} alarms"
    )


def _processor_seconds() -> float:
    """Of processes that were started here and have ended."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _kills(folder: Path, count: int, num_kills: int) -> None:
    command = _prepared(folder, count)
    begun = time.perf_counter()
    subprocess.run([*command, "-o", "whole"], cwd=folder, check=True, capture_output=True)
    taken = time.perf_counter() - begun
    draw, same = random.Random(18), 0
    whole = (folder / "whole/alarms.jsonl").read_bytes()
    for number in range(num_kills):
        killed = [*command, "-o", f"killed{number}"]
        for _ in range(2):
            _kill(killed, folder, taken * draw.uniform(0.2, 1.0))
        subprocess.run(killed, cwd=folder, check=True, capture_output=True)
        same += (folder / f"killed{number}/alarms.jsonl").read_bytes() == whole
    print(
        f"kills: {num_kills} replays of {count} rows, each killed twice: {same} with the"
        f" {len(whole.splitlines())} alarms of the whole one"
    )


def _kill(command: list[str], folder: Path, after: float) -> None:
    """Kill it after so many seconds, if it is not done."""
    running = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        running.wait(after)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        running.wait()


if __name__ == "__main__":
    main()
