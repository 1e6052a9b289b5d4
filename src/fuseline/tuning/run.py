"""`fuseline tune`, whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fuseline.config import PARAMS_FILE, read_yaml
from fuseline.errors import ConfigError
from fuseline.params.whole import check
from fuseline.revisions import git, head
from fuseline.tuning.experiment import DvcRunner, stages_read
from fuseline.tuning.plan import read_plan
from fuseline.tuning.report import conclude
from fuseline.tuning.space import check_space
from fuseline.tuning.study import FOLDER, locked, open_study, search

# What trials run: new files here, which no experiment would take along, would be left out of them.
CODE = ("src", "stages", "dvc.yaml", "params.yaml")


def tune(path: Path, root: Path, say: Callable[[str], None]) -> None:
    """Begin the study of a plan, or go on with it, and write its summary.

    Args:
        path: the plan's file.
        root: the repository's folder.
        say: takes lines for the user.

    Raises:
        ConfigError: the plan is wrong, or the working tree is not as it was committed.
        ContractError: another search is at work, or trials keep failing.
    """
    plan = read_plan(path)
    baseline = head(root)
    params = read_yaml(root / PARAMS_FILE)
    check(params)
    check_space(plan, path, params, stages_read(root, plan.stage))
    _check_committed(root, path)
    with locked(root / FOLDER):
        folder = root / FOLDER / plan.study
        study = open_study(folder, plan, baseline)
        runner = DvcRunner(root, plan, baseline, folder)
        try:
            search(study, plan, runner, say)
        finally:
            say(conclude(study, plan, folder))


def _check_committed(root: Path, path: Path) -> None:
    """Trials run what was committed, so anything else must not be there to be overlooked.

    Raises:
        ConfigError: naming the files.
    """
    status = ("status", "--porcelain", "--no-renames")
    tracked = git(root, *status, "--untracked-files=no") or ""
    code = git(root, *status, "--untracked-files=all", "--", *CODE) or ""
    changed = {line[3:] for line in (tracked + code).splitlines()}
    plan = path.resolve()
    changed = {name for name in changed if (root / name).resolve() != plan}
    if changed:
        names = sorted(changed)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ConfigError(
            f"not committed: {', '.join(names[:3])}{more}. Trials run the last commit: commit or"
            " stash the changes first."
        )
