"""A server that is asked what no friend would ask: it answers each with what to mend, and goes on.

In a repository whose pipeline has run. Requests of the kinds in `KINDS`, drawn by the seed and
their number, go to one `fuseline serve` by several connections at once. None may be answered with
a status of 500 or above; afterwards a plain row gets the answer that it got before, and memory is
what it was. Requests that never arrive whole end with a closed connection or a 408.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import random
import string
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks.mutations import mutated
from benchmarks.serving import SERVE, Server, resident, running
from fuseline.data.media.formats import endings_of_medium
from tests.support.media import real_media

SEED = 22_001
NUM_REQUESTS, NUM_CLIENTS = 100_000, 16
ANSWER_SECONDS = 120.0
NUM_PRINTS = 10
# No answer: the connection ended, as it does where a request was cut short.
CLOSED = 0
BOMB_SIDE = 20_000  # pixels of a picture that is a few kB packed
BOUNDARY = "fuseline-hostile"
MEDIA = {medium: endings_of_medium(medium) for medium in ("image", "audio", "video")}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW")


@dataclass(frozen=True)
class Sent:
    """A request as bytes.

    Attributes:
        head: of the request, without the empty line that ends it.
        body: what follows.
        told: bytes of the body that the head announces, if not as many as follow.
        pause: seconds between the pieces of a body that comes slowly.
    """

    head: str
    body: bytes = b""
    told: int | None = None
    pause: float = 0.0

    @property
    def content(self) -> bytes:
        """Head and body."""
        length = len(self.body) if self.told is None else self.told
        return f"{self.head}\r\nContent-Length: {length}\r\n\r\n".encode("latin-1") + self.body

    @property
    def is_whole(self) -> bool:
        """Whether all that is announced comes."""
        return self.told is None or self.told <= len(self.body)


@dataclass
class Found:
    """What came of the requests.

    Attributes:
        statuses: how often each came, by kind.
        failed: requests answered with 500 or above, as their kind and number.
        memory: MiB of the server, as it went on.
    """

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    failed: list[tuple[str, int, int]] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def main(root: Path = Path(), num_requests: int = NUM_REQUESTS) -> None:
    """Print statuses by kind and memory as it went; end with an error where the server failed.

    Args:
        root: of a repository with `models/export`.
        num_requests: of all kinds together.
    """
    export = (root / "models/export").resolve()
    server = Server("hostile", (*SERVE, "--model", str(export)))
    with running(server) as (port, process):
        plain = _post(json.dumps({"rows": [{"text": "a plain row"}]}).encode())
        before = asyncio.run(_answer(port, plain))
        found = asyncio.run(_all(port, process, num_requests))
        after = asyncio.run(_answer(port, plain))
        for kind in KINDS:
            statuses = found.statuses[kind]
            shown = ", ".join(f"{name or 'closed'} {n}" for name, n in sorted(statuses.items()))
            print(f"{kind:<22}{statuses.total():>7}  {shown}")
        print("memory, MiB: " + " ".join(f"{value:.0f}" for value in found.memory))
        print(f"a plain row is answered as before: {'yes' if after == before else 'no'}")
    if found.failed or after != before:
        sys.exit(f"the server failed: {found.failed[:20]}")


async def _all(port: int, process: psutil.Process, count: int) -> Found:
    found, numbers = Found(), iter(range(count))
    every = max(1, count // NUM_PRINTS)

    async def client() -> None:
        for number in numbers:
            kind, sent = request(number)
            status, _ = await _answer(port, sent)
            found.statuses[kind][status] += 1
            if status >= 500:
                found.failed.append((kind, number, status))
            if number % every == 0:
                found.memory.append(resident(process))

    await asyncio.gather(*(client() for _ in range(NUM_CLIENTS)))
    found.memory.append(resident(process))
    return found


async def _answer(port: int, sent: Sent) -> tuple[int, bytes]:
    """Status and body; `CLOSED` where the connection ended without an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(OSError):
            await _send(writer, sent)
        return await asyncio.wait_for(_read(reader), ANSWER_SECONDS)
    except (OSError, asyncio.IncompleteReadError):
        return CLOSED, b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, sent: Sent) -> None:
    step = len(sent.content) if not sent.pause else max(1, len(sent.content) // 5)
    for start in range(0, len(sent.content), step):
        writer.write(sent.content[start : start + step])
        await writer.drain()
        await asyncio.sleep(sent.pause)
    if not sent.is_whole:
        writer.write_eof()


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n") if b":" in line)
    length = int(fields.get(b"content-length", b"0"))
    with suppress(asyncio.IncompleteReadError):  # HEAD has a length and no body
        return int(head.split(b" ", 2)[1]), await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), b""


def request(number: int) -> tuple[str, Sent]:
    """Kind and content of a request; the same for the same number."""
    rng = random.Random(f"{SEED}-{number}")
    kind = [*KINDS][number % len(KINDS)]
    return kind, KINDS[kind](rng)


def _post(body: bytes, kind: str = "application/json", path: str = "/v1/predict") -> Sent:
    return Sent(
        f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {kind}", body
    )


def _row(rng: random.Random) -> dict[str, Any]:
    """A row as it should be, with one medium."""
    name, content = rng.choice([*_media().items()])
    row: dict[str, Any] = {"id": "a", "text": "green salad", "cells": {}}
    return row | {_medium(name): {"base64": _base64(content), "name": name}}


def _medium(name: str) -> str:
    return next(medium for medium, endings in MEDIA.items() if name.endswith(endings))


@cache
def _media() -> dict[str, bytes]:
    return real_media()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _any(rng: random.Random, depth: int = 0) -> Any:
    """A value of JSON, of any type."""
    draws: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice([True, False]),
        lambda: rng.choice([0, -1, 2**63, 10**400, 1e308, -0.0]),
        lambda: "".join(rng.choices(string.printable + "\0\ud800é中🙂\u202e", k=rng.randrange(40))),
        lambda: float("nan"),
    ]
    if depth < 4:
        draws += [
            lambda: [_any(rng, depth + 1) for _ in range(rng.randrange(4))],
            lambda: {str(_any(rng, 4)): _any(rng, depth + 1) for _ in range(rng.randrange(4))},
        ]
    return rng.choice(draws)()


def _wrong_types(rng: random.Random) -> Sent:
    """A body of the schema with a part replaced by anything."""
    body: dict[str, Any] = {"rows": [_row(rng)], "probabilities": True, "neighbours": True}
    row = body["rows"][0]
    medium = next(name for name in ("image", "audio", "video") if name in row)
    place = rng.choice([body, body["rows"], row, row["cells"], row[medium]])
    keys = range(len(place)) if isinstance(place, list) else [*place, "another"]
    place[rng.choice([*keys])] = _any(rng)
    return _post(json.dumps(body).encode())


def _damaged_json(rng: random.Random) -> Sent:
    body = json.dumps({"rows": [_row(rng)]}).encode()
    return _post(mutated(body[:4000], b'{"rows": [[[[{"text": 1e999', rng))


def _damaged_media(rng: random.Random) -> Sent:
    name, content = rng.choice([*_media().items()])
    other = rng.choice([*_media().values()])
    content = mutated(content, other, rng)
    row = {_medium(name): {"base64": _base64(content), "name": name}}
    return _post(json.dumps({"rows": [row]}).encode())


def _damaged_form(rng: random.Random) -> Sent:
    name, content = rng.choice([*_media().items()])
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{_medium(name)}"; filename="{name}"'
    )
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    body = mutated(part.encode() + b"\r\n\r\n" + content[:4000] + end, end, rng)
    return _post(body, f"multipart/form-data; boundary={BOUNDARY}")


@cache
def _bombs() -> dict[str, tuple[str, bytes]]:
    """Small bodies that say they are large, by name, each with its media type."""
    file = io.BytesIO()
    Image.new("1", (BOMB_SIDE, BOMB_SIDE)).save(file, "PNG")
    header = b"RIFF\xff\xff\xff\x7fWAVEfmt " + b"\x10\0\0\0\1\0\xff\xff\xff\xff\xff\x7f"
    rows = {
        "picture": {"image": {"base64": _base64(file.getvalue())}},
        "sound": {"audio": {"base64": _base64(header + bytes(64))}},
        "video": {"video": {"base64": _base64(_media()["h264.mp4"] * 40)}},
        "long text": {"text": "a " * 200_000},
        "many columns": {"cells": {str(index): index for index in range(50_000)}},
        "many pictures": {"image": [{"base64": ""}] * 10_000},
    }
    json_type = "application/json"
    found = {name: (json_type, json.dumps({"rows": [row]}).encode()) for name, row in rows.items()}
    return found | {
        "many rows": (json_type, json.dumps({"rows": [{"text": "a"}] * 50_000}).encode()),
        "deep": (json_type, b'{"rows": ' + b"[" * 100_000),
        "long number": (json_type, b'{"rows": [{"cells": {"price": ' + b"9" * 100_000 + b"}}]}"),
        "packed": (json_type + "\r\nContent-Encoding: gzip", gzip.compress(bytes(10_000_000))),
    }


def _bomb(rng: random.Random) -> Sent:
    kind, body = rng.choice([*_bombs().values()])
    return _post(body, kind)


def _cut_upload(rng: random.Random) -> Sent:
    whole = _post(json.dumps({"rows": [_row(rng)]}).encode())
    return Sent(whole.head, whole.body[: rng.randrange(len(whole.body))], len(whole.body))


def _wrong_length(rng: random.Random) -> Sent:
    whole = _post(json.dumps({"rows": [{"text": "a"}]}).encode())
    return Sent(whole.head, whole.body, rng.choice([-1, 0, 1, 10**12, 2**64, len(whole.body) + 1]))


def _slow(rng: random.Random) -> Sent:
    whole = _post(json.dumps({"rows": [_row(rng)]}).encode())
    return Sent(whole.head, whole.body, pause=rng.choice([0.02, 0.05, 0.1]))


def _routes(rng: random.Random) -> Sent:
    """Any method at any route, with anything as query and body."""
    path = rng.choice(
        [
            "/",
            "/v1/predict",
            "/v1/model",
            "/v1/samples",
            "/v1/thumbnail?id=" + "".join(rng.choices(string.hexdigits + "%/.", k=12)),
            "/v2/models/fuseline",
            "/v2/models/fuseline/infer",
            "/metrics",
            "/health/live",
            "/docs",
            "/openapi.json",
            "/../../etc/passwd",
            "/%2e%2e/%00",
            "/" + "a" * rng.choice([10, 5000]),
        ]
    )
    head = f"{rng.choice(METHODS)} {path} HTTP/1.1\r\nHost: a\r\nConnection: close"
    kind = rng.choice(["application/json", "text/plain", "multipart/form-data", "a/" * 50])
    return Sent(f"{head}\r\nContent-Type: {kind}", json.dumps(_any(rng)).encode())


def _protocol(rng: random.Random) -> Sent:
    """The Open Inference Protocol with a part replaced by anything."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    tensor[rng.choice([*tensor])] = _any(rng)
    body = {"inputs": [tensor], rng.choice(["id", "outputs", "parameters"]): _any(rng)}
    return _post(json.dumps(body).encode(), path="/v2/models/fuseline/infer")


def _damaged_head(rng: random.Random) -> Sent:
    whole = _post(b"{}")
    return Sent(mutated(whole.head.encode(), b"\r\n\0: chunked", rng).decode("latin-1"), b"{}")


KINDS: dict[str, Callable[[random.Random], Sent]] = {
    "wrong types": _wrong_types,
    "damaged JSON": _damaged_json,
    "damaged media": _damaged_media,
    "damaged forms": _damaged_form,
    "bombs": _bomb,
    "cut uploads": _cut_upload,
    "wrong lengths": _wrong_length,
    "slow clients": _slow,
    "routes and methods": _routes,
    "inference protocol": _protocol,
    "damaged heads": _damaged_head,
}
