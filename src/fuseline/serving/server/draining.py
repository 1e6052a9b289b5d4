"""How the server ends: what is in flight is answered, what comes later is sent away."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType

from fuseline.serving.server.logs import tell

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Gate:
    """Who is inside, and whether anybody may still come in.

    Attributes:
        in_flight: requests that are being read or answered.
        closing: whether new ones are sent away.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.closing = False


class Draining:
    """Takes the first signal to end for a request to drain, and hands it on to whoever had it
    before once nothing is in flight; a second one at once.

    Args:
        gate: to close.
        seconds: that requests in flight get.
    """

    def __init__(self, gate: Gate, seconds: float) -> None:
        self._gate, self._seconds = gate, seconds
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            for number in SIGNALS:
                signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._gate.closing:
            self._hand_on(number, frame)
            return
        self._gate.closing = True
        self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        tell("draining", in_flight=self._gate.in_flight)
        self._task = asyncio.create_task(self._drain(number))

    async def _drain(self, number: int) -> None:
        until = self._loop.time() + self._seconds
        while self._gate.in_flight and self._loop.time() < until:
            await asyncio.sleep(0.02)
        self._hand_on(number, None)

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        before = self._before[signal.Signals(number)]
        if callable(before):
            before(number, frame)
