"""What Prometheus reads at `/metrics`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# Set where several processes serve: the folder through which they add up.
SHARED = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counts and times of one process.

    Attributes:
        requests: by route and status.
        request_seconds: from the first byte to the last, by route.
        in_flight: requests that are being read or answered.
        rows: by what became of them: answered, or the reason of the refusal.
        batch_rows: rows that were answered at once.
        queue_rows: that wait for the model.
        step_seconds: by step: decode, wait, model.
        reloads: of the export, by outcome: taken, refused.
        decoders_replaced: processes that died or took too long over a request.
        chat_replies: by kind, and of hand-overs by reason.
        recommendations: lists, by basis: history, popularity.
        hand_overs: that were sent on, by outcome: sent, failed.
        shadow_rows: rows that the shadow was asked, by outcome: same, different, dropped, failed.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self._registry, "namespace": "fuseline"}
        summed: dict[str, Any] = {**own, "multiprocess_mode": "livesum"}
        timed: dict[str, Any] = {**own, "buckets": _SECONDS}
        self.requests = Counter("requests", "Requests.", ["route", "status"], **own)
        self.request_seconds = Histogram("request_seconds", "Time of one.", ["route"], **timed)
        self.in_flight = Gauge("requests_in_flight", "Requests at work.", **summed)
        self.rows = Counter("rows", "Rows by what became of them.", ["outcome"], **own)
        self.batch_rows = Histogram("batch_rows", "Rows of a batch.", buckets=_ROWS, **own)
        self.queue_rows = Gauge("queue_rows", "Rows that wait for the model.", **summed)
        self.step_seconds = Histogram("step_seconds", "Time of a step.", ["step"], **timed)
        self.reloads = Counter("reloads", "New exports.", ["outcome"], **own)
        self.decoders_replaced = Counter("decoders_replaced", "Decoders replaced.", **own)
        self.chat_replies = Counter("chat_replies", "Replies.", ["kind", "reason"], **own)
        self.recommendations = Counter("recommendations", "Lists.", ["basis"], **own)
        self.hand_overs = Counter("hand_overs", "Hand-overs sent on.", ["outcome"], **own)
        self.shadow_rows = Counter("shadow_rows", "Rows the shadow was asked.", ["outcome"], **own)

    def page(self) -> bytes:
        """All of them as Prometheus reads them, of every process where several serve."""
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        for path in Path(os.environ[SHARED]).glob("gauge_livesum_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not psutil.pid_exists(pid):
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
