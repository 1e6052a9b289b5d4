"""The server under load: rows a second and latencies, with batching and without.

In a repository whose pipeline has run. Clients of their own process send one short text a request
and wait for its answer, a few at a time to many, to `fuseline serve`, which answers up to 32 rows
together, then one by one; and to the same predictor behind LitServe and behind mosec, where these
are installed. Every answer is compared with that of the predictor without a server.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import IO

import psutil

from benchmarks.predicting import drawn_texts, training_texts

CONCURRENCY = (1, 8, 64)
START_SECONDS = 120.0
TOLERANCE = 1e-5
SERVE = (sys.executable, "-m", "fuseline.cli", "serve", "--reload-seconds", "0")
RIVALS = ("litserve", "mosec")


@dataclass(frozen=True)
class Server:
    """A command that listens on a port which is added to it, and the path that it answers at."""

    name: str
    command: tuple[str, ...]
    path: str = "/v1/predict"


@dataclass(frozen=True)
class Load:
    """What came of some seconds of requests.

    Attributes:
        statuses: how often each came.
        seconds: latencies of those answered with 200.
        wrong: how many of these differed from the predictor's answer.
        rate: of them in a second.
    """

    statuses: dict[int, int]
    seconds: list[float]
    wrong: int
    rate: float


def main(
    root: Path = Path(),
    seconds: float = 10.0,
    concurrency: tuple[int, ...] = CONCURRENCY,
    num_texts: int = 500,
) -> None:
    """Print rows a second, p50 and p99 of each server and number of clients.

    Args:
        root: of a repository with `models/export` and the tables it was made of.
        seconds: of each load.
        concurrency: numbers of clients.
        num_texts: different ones.
    """
    export = (root / "models/export").resolve()
    texts = drawn_texts(training_texts(root), num_texts)
    expected = offline(export, texts)
    rates: dict[str, float] = {}
    for server in servers(export):
        with running(server) as (port, process):
            for clients in concurrency:
                load = asked(port, server.path, expected, clients, seconds)
                rates[server.name] = load.rate
                print(f"{server.name:<20}{_described(clients, load)}{resident(process):>7.0f} MiB")
    batched, alone = rates["batches of 32"], rates["one by one"]
    print(f"batching: {batched / alone:.2f} x, {concurrency[-1]} clients")


def servers(export: Path) -> list[Server]:
    """Those that are measured."""
    own = (*SERVE, "--model", str(export))
    found = [
        Server("batches of 32", own),
        Server("one by one", (*own, "--max-batch-rows", "1", "--max-wait-ms", "0")),
    ]
    for name in RIVALS:
        if importlib.util.find_spec(name):
            command = (sys.executable, "-m", f"benchmarks.serving_{name}", str(export))
            path = "/predict" if name == "litserve" else "/inference"
            found.append(Server(name, command, path))
        else:
            print(f"{name:<20}not installed")
    return found


def offline(export: Path, texts: list[str]) -> dict[str, tuple[str, float]]:
    """Label and probability of each text by the predictor alone; those that it refuses are left
    out."""
    from fuseline.data.sources import RawRow
    from fuseline.serving.cleaning import Cleaned
    from fuseline.serving.predictor import Predictor

    predictor = Predictor(export)
    rows = [predictor.clean(RawRow(source_row=0, text=text, raw={})) for text in texts]
    kept = {text: row for text, row in zip(texts, rows, strict=True) if isinstance(row, Cleaned)}
    table = predictor.answer([*kept.values()])
    pairs = zip(*(table.column(name).to_pylist() for name in ("label", "probability")), strict=True)
    return dict(zip(kept, pairs, strict=True))


@contextmanager
def running(server: Server) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of a server that answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*server.command, "--port", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(server, port, process, log)
            yield port, psutil.Process(process.pid)
        finally:
            _end(process)


def _wait(server: Server, port: int, process: subprocess.Popen[bytes], log: IO[str]) -> None:
    """Return once an answer comes."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            statuses = asyncio.run(_ask_once(port, server.path))
        except (OSError, EOFError):
            statuses = 0
        if statuses == 200:
            return
        time.sleep(0.25)
    log.seek(0)
    raise RuntimeError(f"{server.name} does not answer: {log.read()[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it started."""
    if process.poll() is not None:
        return
    everything = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    for one in psutil.wait_procs(everything, timeout=5)[1]:
        one.kill()


def asked(
    port: int, path: str, expected: dict[str, tuple[str, float]], clients: int, seconds: float
) -> Load:
    """Load a server from a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        return elsewhere.submit(_load, port, path, expected, clients, seconds).result()


def _load(
    port: int, path: str, expected: dict[str, tuple[str, float]], clients: int, seconds: float
) -> Load:
    until = time.perf_counter() + seconds
    return asyncio.run(loaded(port, path, expected, clients, lambda: time.perf_counter() < until))


async def loaded(
    port: int,
    path: str,
    expected: dict[str, tuple[str, float]],
    clients: int,
    goes_on: Callable[[], bool],
) -> Load:
    """Ask as long as it goes on, each client one text after the other.

    Raises:
        OSError, EOFError: a connection ended without an answer.
    """
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    wrong = 0
    texts = [*expected]

    async def client(number: int) -> None:
        nonlocal wrong
        draw = random.Random(number)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while goes_on():
            start = time.perf_counter()
            text = draw.choice(texts)
            status, body, stays = await _ask(reader, writer, path, text)
            statuses[status] = statuses.get(status, 0) + 1
            if status == 200:
                latencies.append(time.perf_counter() - start)
                wrong += not _is_right(json.loads(body), expected[text])
            if not stays:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    return Load(statuses, latencies, wrong, len(latencies) / (time.perf_counter() - begun))


async def _ask_once(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    status, _, _ = await _ask(reader, writer, path, "a text")
    writer.close()
    return status


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, text: str
) -> tuple[int, bytes, bool]:
    """Status and body of an answer, and whether the connection stays."""
    body = json.dumps({"rows": [{"text": text}]}).encode()
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    content = await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), content, b"connection: close" not in head


def _is_right(found: dict[str, object], expected: tuple[str, float]) -> bool:
    (answer,) = found["answers"]
    label, probability = expected
    return answer["label"] == label and abs(answer["probability"] - probability) < TOLERANCE


def _described(clients: int, load: Load) -> str:
    p50, p99 = (
        (1000 * value for value in _percentiles(load.seconds)) if load.seconds else (0.0, 0.0)
    )
    others = {status: count for status, count in load.statuses.items() if status != 200}
    return (
        f"{clients:>4} clients{load.rate:>9.1f} rows a second{p50:>9.1f} ms p50{p99:>9.1f} ms p99"
        f"{load.wrong:>4} wrong  other than 200: {others or 'none'}"
    )


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    if len(seconds) < 2:
        return seconds[0], seconds[0]
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


def resident(process: psutil.Process) -> float:
    """MiB of a server and what it started."""
    found = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in found) / 2**20
