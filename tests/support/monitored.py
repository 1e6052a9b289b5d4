"""Settings and streams that tests of the monitor share."""

from __future__ import annotations

import json
import random
from typing import Any

from fuseline.config import parse_section, read_yaml
from fuseline.serving.monitor.settings import MonitorSettings
from tests.support.repository import REPOSITORY

SHIPPED = REPOSITORY / "recipes/mood/project/monitor.yaml"
SMALL = {
    "topics": {"sales": ["sales"], "people": ["layoff*"]},
    "window_seconds": 100,
    "late_seconds": 30,
    "reference_windows": 10,
    "guard": 0.5,
    "run_length_windows": 20,
    "refresh_seconds": 1,
}


def content(**changes: Any) -> dict[str, Any]:
    return read_yaml(SHIPPED) | SMALL | changes


def settings(**changes: Any) -> MonitorSettings:
    return parse_section({"monitor": content(**changes)}, "monitor", MonitorSettings)


def stream(seconds: int = 3000, *, surge: float = 0.5, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of two topics and none, a tenth of them late or copies; from 2,000 seconds on layoffs
    are bad news more often by so much."""
    draw = random.Random(seed)
    rows, time, text = [], 0.0, ""
    while time < seconds:
        time += draw.expovariate(0.5)
        topic = draw.choice(["sales", "layoffs", "weather"])
        negative = draw.random() < 0.2 + (surge if time > 2000 and topic == "layoffs" else 0.0)
        if not (text and draw.random() < 0.1):
            names = " ".join(draw.choice(["paper", "mill", "order", "plant"]) for _ in range(8))
            text = f"the {topic} of the {names} were number {draw.randrange(10**6)}"
        rows.append(
            {
                "time": round(time - (draw.random() * 60 if draw.random() < 0.1 else 0), 2),
                "id": f"n{len(rows)}",
                "text": text + ("." if draw.random() < 0.1 else ""),
                "label": "negative" if negative else "neutral",
            }
        )
    return rows


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
