"""Lines come whole, from where reading stopped, and from this machine alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.monitor import source
from fuseline.serving.monitor.events import MAX_LINE_BYTES
from fuseline.serving.monitor.source import Folder, Lines, Place, Stream, lines_of


def read(lines: Lines, place: Place | None = None) -> tuple[list[bytes], Place | None]:
    found: list[bytes] = []
    for block, behind in lines.blocks(place):
        found += block
        place = behind
    return found, place


def folder(path: Path) -> Folder:
    return Folder(path, follow=False, seconds=1)


def test_a_folder_is_read_in_the_order_of_names_and_on_from_a_place(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b"3\n4")
    (tmp_path / "a.jsonl").write_bytes(b"1\n2")
    (tmp_path / "c.csv").write_bytes(b"no\n")
    found, place = read(folder(tmp_path))
    # The last line of the last file is still being written.
    assert found == [b"1", b"2", b"3"]
    with (tmp_path / "b.jsonl").open("ab") as file:
        file.write(b"4\n5\n")
    (tmp_path / "c.jsonl").write_bytes(b"6\n")
    assert read(folder(tmp_path), place)[0] == [b"44", b"5", b"6"]


def test_an_empty_folder_and_one_without_its_old_files_are_none_to_fear(tmp_path: Path) -> None:
    assert read(folder(tmp_path)) == ([], None)
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    _, place = read(folder(tmp_path))
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "b.jsonl").write_bytes(b"2\n")
    assert read(folder(tmp_path), place)[0] == [b"2"]


LONG = [b"1", b"2" * (3 * MAX_LINE_BYTES), b"3", b"4" * MAX_LINE_BYTES, b"5" * (MAX_LINE_BYTES + 9)]


@pytest.mark.parametrize("size", [1000, MAX_LINE_BYTES, 2**20, 2**23])
def test_a_line_that_is_too_long_is_one_however_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(source, "READ_BYTES", size)
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(LONG))
    (tmp_path / "b.jsonl").touch()
    expected = [line[: MAX_LINE_BYTES + 1] for line in LONG]
    assert read(folder(tmp_path))[0] == expected
    piped = Stream("-", again=False)
    monkeypatch.setattr(piped, "_opened", lambda: (tmp_path / "a.jsonl").open("rb"))
    assert read(piped)[0] == expected


def test_a_long_line_that_is_still_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n" + b"2" * (2 * MAX_LINE_BYTES))
    found, place = read(folder(tmp_path))
    assert (found, place) == ([b"1"], {"file": "a.jsonl", "offset": 2})


def test_a_file_that_has_become_shorter_is_told_and_its_remedy_works(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n")
    _, place = read(folder(tmp_path))
    path.write_bytes(b"3\n")
    with pytest.raises(ContractError, match=r"at least the 4 bytes .* found 2.* a later name"):
        read(folder(tmp_path), place)
    path.rename(tmp_path / "b.jsonl")
    assert read(folder(tmp_path), place)[0] == [b"3"]


def test_what_only_looks_like_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    (tmp_path / "b.jsonl").symlink_to("nowhere")
    assert read(folder(tmp_path)) == ([], None)


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"1\n2\n3\n4")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(kind: type[Server] = Server) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_url_gives_its_lines_and_again_only_those_not_seen() -> None:
    with served() as url:
        assert read(Stream(url, again=False)) == ([b"1", b"2", b"3", b"4"], {"lines": 4})
        assert read(Stream(url, again=True), {"lines": 3}) == ([b"4"], {"lines": 4})
        assert read(Stream(url, again=False), {"lines": 3})[1] == {"lines": 7}


class Leaving(Server):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"1\n2")


class Elsewhere(Server):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("location", "http://127.0.0.1:9/")
        self.end_headers()


def test_a_server_that_goes_away_early_is_told_and_no_line_is_cut() -> None:
    found: list[bytes] = []
    with served(Leaving) as url, pytest.raises(ContractError, match=r"broke off .* --again"):
        for lines, _ in Stream(url, again=False).blocks(None):
            found += lines
    assert found == [b"1"]


def test_a_server_leads_nowhere_else() -> None:
    with served(Elsewhere) as url, pytest.raises(ConfigError, match="302"):
        read(Stream(url, again=False))


@pytest.mark.parametrize("url", ["http://localhost:abc/", "http://localhost/a b"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(Stream(url, again=False))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "file:///etc/passwd",
        "http://10.0.0.1/",
        "http://[::1",
    ],
)
def test_other_machines_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a URL of this machine"):
        lines_of(url, again=False, once=False, seconds=1)


def test_what_is_no_source_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected `-`, a folder of "):
        lines_of(str(tmp_path / "none"), again=False, once=True, seconds=1)
    with pytest.raises(ConfigError, match="--once: a stream ends where it ends"):
        lines_of("-", again=False, once=True, seconds=1)
    with pytest.raises(ConfigError, match="--again: a folder is read on"):
        lines_of(str(tmp_path), again=True, once=True, seconds=1)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(Stream("http://127.0.0.1:9/", again=False))
