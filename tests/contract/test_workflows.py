"""The workflows of continuous integration hold to what keeps a team's secrets and branches safe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.repository import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])


def read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_the_two_that_the_documents_name() -> None:
    assert [path.stem for path in WORKFLOWS] == ["pipeline", "test"]


@every_workflow
def test_a_fork_runs_without_secrets(path: Path) -> None:
    """`pull_request_target` and `workflow_run` would give its code the repository's own rights."""
    assert set(read(path)["on"]) <= {"push", "pull_request"}


@every_workflow
def test_rights_are_named_and_no_job_that_runs_the_code_can_write(path: Path) -> None:
    workflow = read(path)
    assert "write" not in workflow["permissions"].values()
    for job in workflow["jobs"].values():
        runs_code = any("make" in step.get("run", "") for step in job["steps"])
        if runs_code:
            assert "write" not in job.get("permissions", {}).values()
            assert all("token" not in str(step) for step in job["steps"])


@every_workflow
def test_a_job_that_can_write_has_no_secret_and_takes_its_script_from_the_base(path: Path) -> None:
    for job in read(path)["jobs"].values():
        if "write" in job.get("permissions", {}).values():
            assert "secrets." not in str(job)
            checkout = job["steps"][0]
            assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


@every_workflow
def test_actions_are_pinned_to_commits(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@every_workflow
def test_jobs_end_and_newer_pushes_to_a_pull_request_replace_them(path: Path) -> None:
    workflow = read(path)
    replaces = workflow["concurrency"]["cancel-in-progress"]
    only_pull_requests = set(workflow["on"]) == {"pull_request"}
    expected = True if only_pull_requests else "${{ github.event_name == 'pull_request' }}"
    assert replaces == expected
    assert all(job["timeout-minutes"] <= 360 for job in workflow["jobs"].values())


@every_workflow
def test_scripts_get_what_others_wrote_as_variables_only(path: Path) -> None:
    """A branch's name within a script would be run as part of it."""
    assert [step["run"] for step in steps(read(path)) if "${{" in step.get("run", "")] == []


@every_workflow
def test_what_steps_run_is_there(path: Path) -> None:
    for step in steps(read(path)):
        for script in re.findall(r"\.ci/\w+", step.get("run", "")):
            assert (REPOSITORY / script).stat().st_mode & 0o100, script


def test_secrets_reach_no_step_that_installs_and_no_run_of_a_fork() -> None:
    workflow = read(REPOSITORY / ".github/workflows/pipeline.yml")
    holding = [step for step in steps(workflow) if "secrets." in str(step)]
    assert any(step["run"].startswith(".ci/pipeline ") for step in holding)
    assert [step for step in holding if "uses" in step or "make" in step["run"]] == []
    assert all("secrets." not in str(job.get("env")) for job in workflow["jobs"].values())
    assert "secrets." not in (REPOSITORY / ".github/workflows/test.yml").read_text()
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert workflow["jobs"]["run"]["if"] == own
