"""`fuseline monitor`: reads rows, keeps what it knows, tells alarms."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.locks import held
from fuseline.serving.monitor.answering import Answering, Given
from fuseline.serving.monitor.events import Event, parse
from fuseline.serving.monitor.keeping import ALARMS, AUDIT, PAGE, Kept
from fuseline.serving.monitor.page import write_page
from fuseline.serving.monitor.settings import MonitorSettings, read_settings
from fuseline.serving.monitor.source import STDIN, Lines, Place, lines_of
from fuseline.serving.monitor.watch import ALARM, NOTICE, Line, Watch
from fuseline.serving.webhook import Webhook

Answer = Callable[[Sequence[Event]], list[Event | str]]


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        source: `-`, a folder or a URL.
        settings: file of them.
        output: folder of all that is written.
        model: folder of the export; None where all rows come with their moods.
        int8, threads: how it answers.
        once: end where a folder ends now.
        again: a stream begins anew with what it gave before.
        stop: end a folder that is followed at an alarm.
    """

    source: str
    settings: Path
    output: Path
    model: Path | None
    int8: bool = False
    threads: int = 2
    once: bool = False
    again: bool = False
    stop: bool = False


def monitor(asked: Asked) -> int:
    """Watch until the source ends; the number of alarms, without notices.

    Raises:
        ConfigError: an option or setting is wrong, or what the output holds is of others.
        ContractError: another run writes the same output, it cannot be written, or the source broke
            off.
    """
    settings = read_settings(asked.settings)
    lines = lines_of(
        asked.source, again=asked.again, once=asked.once, seconds=settings.refresh_seconds
    )
    answer = (
        Given()
        if asked.model is None
        else Answering(asked.model, settings, int8=asked.int8, threads=asked.threads)
    )
    if asked.source != STDIN and asked.output.resolve() == Path(asked.source).resolve():
        raise ConfigError(f"--output: {asked.output} is what is read. Name another folder.")
    busy = f"{asked.output}: another monitor writes it. End that one, or name another --output."
    identity = {"settings": settings.parts(), "model": answer.identity, "source": asked.source}
    try:
        asked.output.mkdir(parents=True, exist_ok=True)
        with held(asked.output, busy):
            run = Run(settings, Kept(asked.output, identity), answer)
            return run.through(lines, stop=asked.stop)
    except OSError as error:
        # Status 1 would say that a topic alarmed.
        raise ContractError(
            f"{error.filename or 'standard output'}: cannot be written ({error.strerror}). Mend"
            " that and start it again: it goes on with what it kept."
        ) from None


class Run:
    """One run of it.

    Args:
        settings: what is watched.
        kept: what earlier runs left.
        answer: gives moods to rows without.
    """

    def __init__(self, settings: MonitorSettings, kept: Kept, answer: Answer) -> None:
        self._settings, self._kept, self._answer = settings, kept, answer
        self._webhook = Webhook(settings.webhook) if settings.webhook else None
        self.watch = Watch(settings)
        self._place: Place | None = None
        self._unsent: list[Line] = []
        self._shown = float("-inf")
        if kept.content:
            self.watch.restore(kept.content["watch"])
            self._place, self._unsent = kept.content["place"], kept.content["unsent"]
        event = "resumed" if kept.content else "started"
        kept.add(AUDIT, [{"event": event, "rows": self.watch.rows, "place": self._place}])

    def through(self, lines: Lines, *, stop: bool) -> int:
        """Read to the end; the number of alarms.

        Args:
            lines: of the source.
            stop: of a source without an end, end after a block that alarms.
        """
        alarms = 0
        self._send()
        for block, place in lines.blocks(self._place):
            if block:
                alarms += self._take(block, place)
            self._show(again=False)
            if stop and lines.waits and alarms:
                break
        self._show(again=True)
        self._tell_rest()
        return alarms

    def _tell_rest(self) -> None:
        """Say what no alarm can come of."""
        if waiting := self.watch.windows.rows():
            print(f"{waiting} rows lie in windows that are not over yet.", file=sys.stderr)
        for why, count in sorted(self.watch.refused.items()):
            print(f"{count} lines so far were no rows: {why}.", file=sys.stderr)
        if self.watch.late:
            print(f"{self.watch.late} rows so far were too late to count.", file=sys.stderr)

    def _take(self, block: list[bytes], place: Place) -> int:
        """Take lines, and keep what they led to; the number of alarms."""
        found = list(self.watch.take(self._answered(block)))
        findings = [line for line in found if line["event"] in (ALARM, NOTICE)]
        self._kept.add(ALARMS, findings)
        # The audit log holds no texts.
        self._kept.add(AUDIT, map(_without_rows, found))
        self._place = place
        if self._webhook:
            self._unsent += findings
        self._keep()
        as_ascii = "utf" not in sys.stdout.encoding.lower()
        for line in findings:
            print(json.dumps(line, ensure_ascii=as_ascii), flush=True)
        self._send()
        return sum(line["event"] == ALARM for line in findings)

    def _answered(self, block: list[bytes]) -> list[Event]:
        """The rows of lines; others are counted by why they are none."""
        read = [parse(line, self._settings.fields) for line in block if line.strip()]
        events = iter(self._answer([one for one in read if isinstance(one, Event)]))
        found = []
        for one in read:
            answered = next(events) if isinstance(one, Event) else one
            if isinstance(answered, Event):
                found.append(answered)
            else:
                self.watch.refuse(answered)
        return found

    def _send(self) -> None:
        """Post what was not; what cannot be is told, and stands in the log of alarms."""
        if not (self._unsent and self._webhook):
            return
        told: list[Any] = []
        for alarm in self._unsent:
            why = self._webhook.send(alarm)
            told.append({"event": "posted", "id": alarm["id"], "failed": why})
            if why:
                print(f"webhook: {alarm['id']} was not taken: {why}", file=sys.stderr)
        self._unsent = []
        self._kept.add(AUDIT, told)
        self._keep()

    def _keep(self) -> None:
        self._kept.keep(
            {"place": self._place, "watch": self.watch.as_json(), "unsent": self._unsent}
        )

    def _show(self, *, again: bool) -> None:
        """Write the page, if it is time to."""
        now = time.monotonic()
        if again or now - self._shown >= self._settings.refresh_seconds:
            write_page(self._kept.folder / PAGE, self.watch, self._kept.last(200))
            self._shown = now


def _without_rows(line: Line) -> Line:
    return {name: value for name, value in line.items() if name != "because"}
