"""`fuseline serve` as its users have it: a process, asked over the network, ended by a signal."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.contracts import EXAMPLES, read_manifest, read_table
from fuseline.serving.contract import read_contract
from fuseline.serving.server.settings import FAILED
from tests.support.workspace import Workspace, wait_for

# What must not be needed to serve: nothing that trains, and no pipeline.
NOT_NEEDED = ("torch", "sklearn", "datasets", "dvc", "peft", "accelerate", "scipy", "altair")
SERVE = (sys.executable, "-m", "fuseline.cli", "serve")


@pytest.fixture
def export(finished: Workspace) -> Path:
    return finished.root / "models/export"


class Served:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self.log = process, log

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def event(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.events if one["event"] == name), None)

    def url(self, path: str) -> str:
        told = self.event("listening")
        assert told
        return f"{told['address']}{path}"

    def predict(self, *rows: dict[str, Any], **options: Any) -> httpx.Response:
        body = {"rows": list(rows), **options}
        return httpx.post(self.url("/v1/predict"), json=body, timeout=60)

    def num_ready(self) -> int:
        return sum(one["event"] == "ready" for one in self.events)

    def is_ready(self) -> bool:
        try:
            return httpx.get(self.url("/health/ready")).status_code == 200
        except httpx.TransportError:
            return False

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def serving(export: Path, folder: Path, *options: str, num_workers: int = 1) -> Iterator[Served]:
    log = folder / "log"
    command = [*SERVE, "--port", "0", "--model", str(export), "--decoders", "1", *options]
    command += ["--workers", str(num_workers)]
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            stderr=file,
            text=True,
        )
        served = Served(process, log)
        try:
            assert wait_for(lambda: served.num_ready() == num_workers, 90)
            yield served
        finally:
            process.kill()
            process.wait()


def raw(example: dict[str, Any]) -> dict[str, Any]:
    """A row of the examples as a user would send it."""
    media = {
        name: {"base64": base64.b64encode(example[name]["bytes"]).decode()}
        for name in ("image", "audio", "video")
        if example[name]
    }
    row = {"id": example["example_id"], "text": example["text"], **media}
    return row | {"cells": dict(example["tabular"])}


def test_rows_sent_raw_get_what_evaluate_wrote_of_them(
    finished: Workspace, export: Path, tmp_path: Path
) -> None:
    folder = finished.root / "data/predictions" / read_contract(export).origin.model
    labels = read_manifest(folder, "predictions")["labels"]
    expected = {
        row["example_id"]: row for row in pq.read_table(folder / "00000.parquet").to_pylist()
    }
    examples = read_table(finished.root / "data/examples", EXAMPLES, "examples").to_pylist()
    rows = [raw(row) for row in examples if row["example_id"] in expected]
    assert rows
    with serving(export, tmp_path) as served:
        answers = served.predict(*rows, probabilities=True).json()["answers"]
        assert [one["id"] for one in answers] == [row["id"] for row in rows]
        for answer in answers:
            row = expected[answer["id"]]
            assert answer["label"] == row["prediction"]
            shares = [answer["probabilities"][name] for name in labels]
            assert shares == pytest.approx(row["probabilities"], abs=1e-4)
        assert served.end() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_it_once_what_is_in_flight_is_answered(
    export: Path, tmp_path: Path, workers: int
) -> None:
    wait = ("--max-wait-ms", "1500")
    with serving(export, tmp_path, *wait, num_workers=workers) as served:
        found: list[int] = []
        senders = [
            threading.Thread(target=lambda: found.append(served.predict({"text": "a"}).status_code))
            for _ in range(4)
        ]
        for sender in senders:
            sender.start()
        metrics = served.url("/metrics")
        assert wait_for(lambda: "fuseline_queue_rows 4.0" in httpx.get(metrics).text, 10)
        assert served.end() == 0
        for sender in senders:
            sender.join()
        assert found == [200] * 4
        assert served.event("draining")
        assert not served.is_ready()


def test_while_it_drains_new_requests_are_sent_away(export: Path, tmp_path: Path) -> None:
    with serving(export, tmp_path, "--max-wait-ms", "1500") as served:
        found: list[int] = []
        sender = threading.Thread(
            target=lambda: found.append(served.predict({"text": "a"}).status_code)
        )
        sender.start()
        metrics = served.url("/metrics")
        assert wait_for(lambda: "fuseline_queue_rows 1.0" in httpx.get(metrics).text, 10)
        served.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: served.event("draining"), 5)
        late = served.predict({"text": "b"})
        assert late.status_code == 503
        assert late.headers["retry-after"]
        sender.join()
        assert found == [200]
        assert served.process.wait(30) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_damaged_export_ends_it(export: Path, tmp_path: Path, workers: str) -> None:
    damaged = shutil.copytree(export, tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"nothing")
    done = subprocess.run(
        [*SERVE, "--port", "0", "--model", str(damaged), "--workers", workers],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == FAILED
    assert "not readable as an ONNX graph" in done.stderr


def test_what_cannot_be_served_is_told_in_a_sentence(export: Path, tmp_path: Path) -> None:
    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["serve", *words])
        assert result.exit_code == 2, result.output
        return result.output

    assert "contract.json: not found" in said("--model", str(tmp_path))
    assert "model.int8.onnx" in said("--model", str(_without(export, tmp_path)), "--int8")
    assert "--api-key-file" in said("--api-key-file", str(tmp_path / "none"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"--port {port}" in said("--model", str(export), "--port", port)


def _without(export: Path, folder: Path) -> Path:
    copied = Path(shutil.copytree(export, folder / "copied"))
    (copied / "model.int8.onnx").unlink()
    return copied


def test_it_needs_nothing_that_trains(export: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from fuseline.serving.server.engine import _tested;"
        "from fuseline.serving.server.run import _app;"
        "from fuseline.serving.server.settings import Settings;"
        f"settings = Settings(model=Path({str(export)!r}), int8=False, threads=1,"
        " max_batch_rows=32, max_wait_ms=5.0, max_concurrent_requests=512, max_rows=256,"
        " decoders=1, request_seconds=60.0, reload_seconds=2.0, shadow=None, workers=1,"
        " keys=frozenset());"
        "_app(settings); _tested(settings);"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & set(NOT_NEEDED)
