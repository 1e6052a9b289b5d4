"""What a request may weigh, counted before anything of it is decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from fuseline.serving.contract import ExportContract
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.settings import Settings

# What all bodies at work may weigh together.
BYTES_HELD = 2**30
# Rows of a request whose texts may all be as long as a text may be.
LONG_TEXTS = 64
# Of a body that is too large, what is read off before the answer, so that its sender, who is still
# sending, comes to read it.
READ_OFF_BYTES, READ_OFF_SECONDS = 2**26, 2.0


@dataclass(frozen=True)
class Limits:
    """Of one request.

    Attributes:
        body_bytes: of its body: the media of one row at their limits in base64, and texts.
        rows: of a JSON body.
        files, fields: parts of a multipart body.
    """

    body_bytes: int
    rows: int
    files: int
    fields: int

    @classmethod
    def of(cls, contract: ExportContract, settings: Settings) -> Limits:
        """Those that follow from how the model's rows are checked."""
        limits, taken = contract.ingest.limits, contract.modalities
        media = limits.max_images * limits.max_image_bytes if "image" in taken else 0
        media += limits.max_audio_bytes if "audio" in taken else 0
        # A model of sounds hears videos too.
        media += limits.max_video_bytes if {"audio", "video"} & set(taken) else 0
        texts = 4 * limits.max_text_characters * min(settings.max_rows, LONG_TEXTS)
        return cls(
            body_bytes=media * 4 // 3 + texts + 2**20,
            rows=settings.max_rows,
            files=limits.max_images + 2,
            fields=1024,
        )


class Admission:
    """Requests and bytes that are at work at a time."""

    def __init__(self, max_requests: int, max_bytes: int = BYTES_HELD) -> None:
        self._requests, self._max_bytes, self._held_bytes = max_requests, max_bytes, 0

    @contextmanager
    def request(self, retry_seconds: int) -> Iterator[None]:
        """Room for one more request.

        Raises:
            Rejected: there is none.
        """
        if self._requests < 1:
            raise Rejected(
                429,
                "The server is busy with as many requests as it takes at a time. Send this one"
                " again after the seconds that Retry-After names.",
                retry_seconds,
            )
        self._requests -= 1
        try:
            yield
        finally:
            self._requests += 1

    @contextmanager
    def body(self, size: int) -> Iterator[None]:
        """Room for a body; one alone always has it.

        Raises:
            Rejected: there is none.
        """
        if self._held_bytes and self._held_bytes + size > self._max_bytes:
            raise Rejected(
                429,
                "The server holds as many large bodies as it takes at a time. Send this one again"
                " after the seconds that Retry-After names.",
                1,
            )
        self._held_bytes += size
        try:
            yield
        finally:
            self._held_bytes -= size


def declared_bytes(request: Request, limits: Limits) -> int:
    """What a body weighs by its header; as much as it may where it has none.

    Raises:
        Rejected: it is packed.
    """
    packed = request.headers.get("content-encoding", "identity")
    if packed != "identity":
        raise Rejected(
            415, "Content-Encoding: expected none, found a packed body. Send it as it is."
        )
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else limits.body_bytes


async def read_body(request: Request, size: int, limits: Limits, seconds: float) -> bytes:
    """The body of a request.

    Raises:
        Rejected: it is too large, or comes too slowly.
        ClientDisconnect: its sender has gone.
    """
    if size > limits.body_bytes:
        if "100-continue" not in request.headers.get("expect", "").lower():
            await _read_off(request)
        raise _too_large(limits)
    parts, read = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                read += len(part)
                if read > limits.body_bytes:
                    await _read_off(request)
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        raise Rejected(
            408, f"The body did not arrive within {seconds:g} seconds. Send it faster, or less."
        ) from None
    return b"".join(parts)


async def _read_off(request: Request) -> None:
    read = 0
    try:
        async with asyncio.timeout(READ_OFF_SECONDS):
            async for part in request.stream():
                read += len(part)
                if read > READ_OFF_BYTES:
                    return
    except TimeoutError:
        return


def _too_large(limits: Limits) -> Rejected:
    return Rejected(
        413,
        f"body: expected at most {limits.body_bytes} bytes. Send fewer rows, or smaller media.",
    )
