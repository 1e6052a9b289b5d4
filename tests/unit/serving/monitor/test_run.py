"""`fuseline monitor` as its users have it: kills, exit status, webhook, and who may read what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.pipeline.locks import held
from fuseline.serving.monitor import keeping
from tests.support.monitored import as_lines, content, stream
from tests.support.workspace import wait_for

ROWS = stream()
TAKEN = as_lines(ROWS)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    configure(tmp_path)
    return tmp_path


def configure(root: Path, **changes: Any) -> None:
    YAML(typ="safe").dump(content(**changes), root / "monitor.yaml")


def watch(*words: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["monitor", *words, "--answered"], input=given)


def alarms(root: Path, output: str = "monitor") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / output / "alarms.jsonl").read_text().splitlines()]


def test_alarms_are_printed_kept_and_told_by_the_status(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    result = watch("in", "--once", "--fail-on-alarm")
    assert result.exit_code == 1, result.output
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert printed == alarms(root)
    assert "rows lie in windows that are not over yet" in result.stderr
    # Nothing new has come.
    assert watch("in", "--once", "--fail-on-alarm").exit_code == 0
    assert alarms(root) == printed


def test_a_pipe_gives_the_same(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    watch("in", "--once")
    assert watch("-", "-o", "piped", given=TAKEN).exit_code == 0
    assert alarms(root, "piped") == alarms(root)
    # Half of it, then all of it again.
    half = TAKEN[: TAKEN.index(b"\n", len(TAKEN) // 2) + 1]
    watch("-", "-o", "twice", given=half)
    watch("-", "-o", "twice", "--again", given=TAKEN)
    assert alarms(root, "twice") == alarms(root)


class KilledError(BaseException):
    """Nothing catches it."""


def test_a_kill_at_any_write_changes_no_alarm(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder grows by a third at a time; each write of each round is the last one once."""
    thirds = [TAKEN[: TAKEN.index(b"\n", len(TAKEN) * part // 3 - 1) + 1] for part in (1, 2, 3)]
    (root / "in/a.jsonl").write_bytes(TAKEN)
    watch("in", "--once", "-o", "whole")
    wait, writes = os.fsync, [0, -1]

    def kill_or_sync(handle: int) -> None:
        writes[0] += 1
        if writes[0] == writes[1]:
            raise KilledError
        wait(handle)

    monkeypatch.setattr(os, "fsync", kill_or_sync)
    kills = []
    while not kills or kills[-1]:
        output, before = f"killed{len(kills)}", len(kills)
        kills.append(0)
        for part in thirds:
            (root / "in/a.jsonl").write_bytes(part)
            writes[:] = [0, before + 1]
            with suppress(KilledError):
                watch("in", "--once", "-o", output)
            kills[-1] += writes[0] > before
            writes[:] = [0, -1]
            watch("in", "--once", "-o", output)
        assert alarms(root, output) == alarms(root, "whole"), before
    assert sum(kills) > 15


def test_a_state_of_other_settings_is_refused(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    watch("in", "--once")
    configure(root, surge=0.3)
    result = watch("in", "--once")
    assert result.exit_code == 2
    assert "state.json: made with another settings" in result.output
    assert "Name another folder with --output" in result.output
    # Where alarms go is none of it.
    configure(root, refresh_seconds=5)
    assert watch("in", "--once").exit_code == 0
    for state, said in (("{", "not readable as JSON"), ("[]", "expected version 2, found None")):
        (root / "monitor" / keeping.STATE).write_text(state)
        assert said in watch("in", "--once").output


def test_settings_that_are_not_there_say_where_to_get_them(root: Path) -> None:
    (root / "monitor.yaml").unlink()
    for words in (("in", "--once"), ("in", "--once", "--settings", "in")):
        result = watch(*words)
        assert result.exit_code == 2
        assert "`fuseline init --recipe mood` puts monitor.yaml" in result.output


def test_the_order_of_topics_is_a_setting(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    watch("in", "--once")
    text = (root / "monitor.yaml").read_text()
    people, sales = "  people: [layoff*]\n", "  sales: [sales]\n"
    assert people + sales in text
    (root / "monitor.yaml").write_text(text.replace(people + sales, sales + people))
    assert "made with another settings" in watch("in", "--once").output


def test_files_of_others_are_not_written_over_and_the_remedy_works(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    watch("in", "--once")
    before = (root / "monitor/alarms.jsonl").read_bytes()
    (root / "monitor/state.json").unlink()
    result = watch("in", "--once")
    assert result.exit_code == 2
    assert "expected state.json beside alarms.jsonl, audit.jsonl, index.html" in result.output
    assert (root / "monitor/alarms.jsonl").read_bytes() == before
    (root / "monitor").rename(root / "old")
    assert watch("in", "--once").exit_code == 0
    assert (root / "monitor/alarms.jsonl").read_bytes() == before
    result = watch("in", "--once", "-o", "in")
    assert "--output: in is what is read" in result.output
    assert (root / "in/a.jsonl").read_bytes() == TAKEN


def test_logs_may_be_moved_away(root: Path) -> None:
    """What is left of them is not filled up to where they were."""
    half = TAKEN[: TAKEN.index(b"\n", len(TAKEN) * 3 // 4) + 1]
    (root / "in/a.jsonl").write_bytes(half)
    watch("in", "--once")
    seen = len(alarms(root))
    for name in ("alarms.jsonl", "audit.jsonl"):
        (root / "monitor" / name).unlink()
    (root / "in/a.jsonl").write_bytes(TAKEN)
    assert watch("in", "--once").exit_code == 0
    watch("in", "--once", "-o", "whole")
    assert alarms(root) == alarms(root, "whole")[seen:] != []


def test_ends_of_lines_within_texts_end_no_alarm(root: Path) -> None:
    rows = [row | {"text": f"{row['text']}\u2028\x85 å"} for row in ROWS]
    (root / "in/a.jsonl").write_bytes(as_lines(rows))
    for _ in range(2):
        result = watch("in", "--once")
        assert result.exit_code == 0, result.output
    lines = (root / "monitor/alarms.jsonl").read_bytes().split(b"\n")
    assert all("\u2028" in json.loads(line)["because"][0]["text"] for line in lines[:-1])


def test_what_cannot_be_written_is_no_alarm(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    (root / "file").touch()
    result = watch("in", "--once", "--fail-on-alarm", "-o", "file")
    assert result.exit_code == 2
    assert "file: cannot be written (File exists)" in result.output


def test_lines_that_are_no_rows_are_counted_and_stop_nothing(root: Path) -> None:
    bad = b'{"time": 1}\nnonsense\n\n{"time": 1, "text": "no label"}\n'
    (root / "in/a.jsonl").write_bytes(bad + TAKEN)
    result = watch("in", "--once")
    assert result.exit_code == 0
    assert "1 lines so far were no rows: neither text nor label." in result.stderr
    state = json.loads((root / "monitor/state.json").read_text())
    assert state["content"]["watch"]["refused"] == {
        "neither text nor label": 1,
        "not JSON": 1,
        "no label, and no model was asked": 1,
    }
    assert state["content"]["watch"]["rows"] == len(ROWS)


def test_the_audit_log_tells_decisions_and_no_texts(root: Path) -> None:
    (root / "in/a.jsonl").write_bytes(TAKEN)
    watch("in", "--once")
    watch("in", "--once")
    text = (root / "monitor/audit.jsonl").read_text()
    assert "layoffs" not in text
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert (events[0], events[-1]) == ("started", "resumed")
    assert {"window", "baseline", "alarm"} < {*events}


class Receiver(BaseHTTPRequestHandler):
    taken: list[dict[str, Any]]
    refusals = 0

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        Receiver.refusals -= 1
        if Receiver.refusals >= 0:
            self.send_response(503)
        else:
            Receiver.taken.append(json.loads(content))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_webhook_is_tried_a_few_times(root: Path) -> None:
    Receiver.taken, Receiver.refusals = [], 1
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    configure(root, webhook={"url": url, "timeout_seconds": 5.0, "retries": 1})
    (root / "in/a.jsonl").write_bytes(TAKEN)
    result = watch("in", "--once")
    server.shutdown()
    thread.join()
    server.server_close()
    assert result.exit_code == 0, result.output
    assert Receiver.taken == alarms(root) != []


def test_a_webhook_that_takes_nothing_stops_nothing(root: Path) -> None:
    configure(root, webhook={"url": "http://127.0.0.1:9/", "timeout_seconds": 1.0, "retries": 0})
    (root / "in/a.jsonl").write_bytes(TAKEN)
    result = watch("in", "--once")
    assert result.exit_code == 0
    assert f"webhook: {alarms(root)[0]['id']} was not taken" in result.stderr


def test_a_folder_is_followed_and_left_at_a_signal(root: Path) -> None:
    """In a process of its own, which is told to stop as a service manager does."""
    middle = TAKEN.index(b"\n", len(TAKEN) // 2)
    (root / "in/a.jsonl").write_bytes(TAKEN[:middle])
    command = [sys.executable, "-m", "fuseline.cli", "monitor", "in", "--answered"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        state = root / "monitor/state.json"
        assert wait_for(state.exists, 60)
        with (root / "in/a.jsonl").open("ab") as file:
            file.write(TAKEN[middle:])
        assert wait_for(lambda: _rows_in(state) == len(ROWS), 30)
        running.terminate()
        said = running.communicate()[1]
    assert running.returncode == 130
    assert "To go on: fuseline monitor, with the same arguments" in said
    watch("in", "--once", "-o", "whole")
    assert alarms(root) == alarms(root, "whole") != []


def test_a_pipe_that_is_left_at_a_signal_says_how_it_goes_on(root: Path) -> None:
    command = [sys.executable, "-m", "fuseline.cli", "monitor", "-", "--answered"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe) as running:
        assert running.stdin
        running.stdin.write(TAKEN[: TAKEN.index(b"\n") + 1])
        running.stdin.flush()
        state = root / "monitor/state.json"
        assert wait_for(lambda: state.exists() and '"rows": 1' in state.read_text(), 60)
        running.terminate()
        running.wait()
        assert running.stderr
        said = running.stderr.read().decode()
    assert running.returncode == 130
    assert "with the same arguments and --again if the stream begins anew" in said


def test_a_closed_standard_input_is_told(root: Path) -> None:
    command = [sys.executable, "-m", "fuseline.cli", "monitor", "-", "--answered"]
    joined = " ".join(command) + " <&-"
    done = subprocess.run(joined, shell=True, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "monitor: -: standard input is closed. Pipe rows into it.\n",
    )


def _rows_in(state: Path) -> int:
    content = json.loads(state.read_text())["content"]
    rows: int = content["watch"]["rows"] if content else 0
    return rows


def test_two_do_not_write_one_output(root: Path) -> None:
    (root / "monitor").mkdir()
    with held(root / "monitor"):
        result = watch("in", "--once")
    assert result.exit_code == 2
    assert "monitor: another monitor writes it" in result.output
