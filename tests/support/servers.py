"""Real servers on loopback for each kind of remote, stopped when their context ends."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
RCLONE = [str(Path(sys.executable).parent / "rclone"), "--config", os.devnull]
# What changes in the folder behind rclone is seen before a `dvc` has started; with 0 s it hangs.
FRESH = ["--dir-cache-time", "500ms"]
SECRET, WRONG_SECRET = "made-up-secret", "some-other-secret"
USER = "alice"
PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass(frozen=True)
class Server:
    """A place to push to.

    Attributes:
        folder: where the remote's objects lie on the server's side.
        values: what stands in place of the recipe's example values.
        wrong: as `values`, for somebody who may not read.
        secrets: texts that may never be committed.
    """

    folder: Path
    values: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@contextmanager
def local_folder(root: Path) -> Iterator[Server]:
    folder = root / "objects"
    yield Server(folder, {"/mnt/team/fuseline": str(folder)})


@contextmanager
def s3(root: Path) -> Iterator[Server]:
    (root / "team-bucket").mkdir()

    def command(port: int) -> list[str]:
        keys = ["--auth-key", f"{USER},{SECRET}"]
        address = ["--addr", f"127.0.0.1:{port}"]
        return [*RCLONE, "serve", "s3", str(root), *address, *keys, *FRESH]

    with listening(command, root / "log") as port:
        values = {
            "https://s3.example.org": f"http://127.0.0.1:{port}",
            "your-key-id": USER,
            "your-secret-key": SECRET,
        }
        wrong = values | {"your-secret-key": WRONG_SECRET}
        yield Server(root / "team-bucket/fuseline", values, wrong, (SECRET, USER))


@contextmanager
def webdav(root: Path) -> Iterator[Server]:
    folder = root / "fuseline"
    folder.mkdir()

    def command(port: int) -> list[str]:
        login = ["--user", USER, "--pass", SECRET]
        address = ["--addr", f"127.0.0.1:{port}"]
        return [*RCLONE, "serve", "webdav", str(root), *address, *login, *FRESH]

    with listening(command, root / "log") as port:
        values = {
            "webdavs://cloud.example.org": f"webdav://127.0.0.1:{port}",
            "your-name": USER,
            "your-password": SECRET,
        }
        yield Server(folder, values, values | {"your-password": WRONG_SECRET}, (SECRET, USER))


@contextmanager
def ssh(root: Path) -> Iterator[Server]:
    for name in ("host", "right", "wrong"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)]
        subprocess.run(make, check=True)
    # As root, sshd keeps a folder of this name for processes without rights.
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(exist_ok=True)

    def command(port: int) -> list[str]:
        assert SSHD
        settings = {
            "Port": port,
            "ListenAddress": "127.0.0.1",
            "HostKey": root / "host",
            "PidFile": "none",
            "AuthorizedKeysFile": root / "right.pub",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "UsePAM": "no",
            "StrictModes": "no",
            "Subsystem": "sftp internal-sftp",
        }
        file = root / "sshd_config"
        file.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        return [SSHD, "-D", "-e", "-f", str(file)]

    with listening(command, root / "log") as port:
        values = {
            "ssh://data.example.org/srv/fuseline": f"ssh://127.0.0.1:{port}{root}/objects",
            "your-name": getuser(),
            "~/.ssh/id_ed25519": str(root / "right"),
        }
        wrong = values | {"~/.ssh/id_ed25519": str(root / "wrong")}
        yield Server(root / "objects", values, wrong, (str(root / "right"),))


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "local": local_folder,
    "s3": s3,
    "ssh": ssh,
    "webdav": webdav,
}


@contextmanager
def listening(command: Callable[[int], list[str]], log: Path) -> Iterator[int]:
    """Run a server on a free port, which its command is made for, until the context ends."""
    process, port = _start(command, log)
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(command: Callable[[int], list[str]], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Another process may take the port between the look and the start: then another is tried."""
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("ab") as stream:
            # Ends also when the tests are killed.
            guarded = ["setpriv", "--pdeathsig", "TERM", *command(port)]
            process = subprocess.Popen(guarded, stdout=stream, stderr=stream)
        if _answers(process, port):
            return process, port
        process.kill()
        process.wait()
    raise RuntimeError(f"no server came up:\n{log.read_text()}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False
