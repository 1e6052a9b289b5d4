"""Where a team shares data and models: settings, secrets, and whether it answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fuseline.pipeline.dvc_cache import dvc_config
from fuseline.workbench.doctor.finding import Finding, Level
from fuseline.workbench.doctor.installation import installed

REACH_SECONDS = 30

# Settings that nobody but their owner should read.
_SECRETS = re.compile(r"password|secret|token$|passphrase|sas_token|account_key|connection_string")
_NO_SECRETS = frozenset({"ask_password", "ask_passphrase"})

# Scheme of an address to the package that DVC speaks it by.
PLUGINS = {
    **{"s3": "dvc-s3", "ssh": "dvc-ssh", "webdav": "dvc-webdav", "webdavs": "dvc-webdav"},
    **{"gs": "dvc-gs", "azure": "dvc-azure", "http": "dvc-http", "https": "dvc-http"},
}


def settings(root: Path) -> Iterator[Finding]:
    """Whether there are remotes, each checked by its settings alone."""
    config = _remotes(root)
    if config is None:
        return
    if not config:
        yield Finding(
            Level.WARNING,
            "remote",
            "none configured, so data and models stay on this machine",
            "To share them: dvc remote add --default storage URL.",
        )
    committed = _committed(root)
    for name, options in config.items():
        problems = [
            *_secrets(name, committed.get(name, {})),
            *_plugin(name, options),
            *_verification(name, options),
            *_credentials(name, options),
        ]
        yield from problems or [Finding(Level.OK, "remote", f"'{name}' is configured")]


def reach(root: Path) -> Iterator[Finding]:
    """Whether each remote answers, asked for what the last run wrote."""
    for name in _remotes(root) or {}:
        yield _answer(root, name)


def _remotes(root: Path) -> dict[str, dict[str, Any]] | None:
    """Name to settings, from all files of settings; None where they cannot be read."""
    config = dvc_config(root)
    return None if config is None else config["remote"]


def _committed(root: Path) -> dict[str, dict[str, Any]]:
    """Name to settings, from the file that git has."""
    from dvc.config import Config

    if not (root / ".dvc" / "config").is_file():
        return {}
    return dict(Config.load_file(str(root / ".dvc" / "config")).get("remote", {}))


def _secrets(name: str, committed: Mapping[str, Any]) -> Iterator[Finding]:
    found = [key for key in committed if _SECRETS.search(key) and key not in _NO_SECRETS]
    if urlsplit(committed.get("url", "")).password:
        found.append("url")
    for key in found:
        remedy = f"dvc remote modify --unset {name} {key}; dvc remote modify --local {name} {key} …"
        if key == "url":
            remedy = f"Take the password out of the url: dvc remote modify {name} url URL"
        yield Finding(
            Level.FATAL,
            "remote",
            f"'{name}' has a secret in .dvc/config, which git shares: {key}",
            f"{remedy}. If it was ever committed, change the secret too.",
        )


def _plugin(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    scheme = urlsplit(options.get("url", "")).scheme
    package = PLUGINS.get(scheme)
    if package and installed(package) is None:
        remedy = f"pip install -c constraints.txt {package}"
        yield Finding(Level.WARNING, "remote", f"'{name}' needs the package {package}", remedy)


def _verification(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    if not options.get("verify"):
        found = f"'{name}' is taken at its word: a tampered file would be used as it comes"
        remedy = f"dvc remote modify {name} verify true"
        yield Finding(Level.WARNING, "remote", found, remedy)


def _credentials(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether this user could say who they are, where the kind of remote asks that."""
    scheme = urlsplit(options.get("url", "")).scheme
    if scheme == "s3":
        ways = {"access_key_id", "profile", "credentialpath", "allow_anonymous_login"}
        variables = {"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"}
        at_home = any(_at_home(".aws/*"))
        remedy = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or dvc remote modify --local."
    elif scheme == "ssh":
        ways, variables = {"keyfile", "password", "ask_password"}, {"SSH_AUTH_SOCK"}
        at_home = any(_at_home(".ssh/id_*"))
        remedy = f"dvc remote modify --local {name} keyfile PATH, or start an ssh-agent."
    elif scheme in ("webdav", "webdavs") and "user" in options:
        ways, variables = {"password", "ask_password", "token", "bearer_token_command"}, set()
        at_home = False
        remedy = f"dvc remote modify --local {name} password …"
    else:
        return
    said = {key for key, value in options.items() if value}
    if not (ways & said or variables & set(os.environ) or at_home):
        yield Finding(Level.WARNING, "remote", f"'{name}' has no credentials here", remedy)


def _at_home(pattern: str) -> Iterator[Path]:
    """Files of the user's; none of an account without a home."""
    try:
        home = Path.home()
    except RuntimeError:
        return
    yield from home.glob(pattern)


def _answer(root: Path, name: str) -> Finding:
    command = [sys.executable, "-m", "dvc", "status", "--cloud", "--remote", name, "--quiet"]
    try:
        result = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=REACH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        found = f"'{name}' did not answer within {REACH_SECONDS} seconds"
        return Finding(Level.WARNING, "remote", found, "Check the network and the remote's url.")
    errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
    if errors:
        found = f"'{name}' cannot be used: {errors[-1].removeprefix('ERROR: ')}"
        remedy = f"Check url and credentials: dvc remote list, dvc status --cloud --remote {name}."
        return Finding(Level.WARNING, "remote", found, remedy)
    if result.returncode:
        remedy = f"dvc push --remote {name}, or dvc pull --remote {name}."
        return Finding(
            Level.OK, "remote", f"'{name}' answers; it and the cache hold unlike data", remedy
        )
    return Finding(Level.OK, "remote", f"'{name}' answers and has what the cache has")
