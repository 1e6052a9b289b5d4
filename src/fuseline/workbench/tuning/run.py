"""`fuseline tune`, whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fuseline.config import PARAMS_FILE, read_yaml
from fuseline.params.whole import check
from fuseline.pipeline.revisions import check_repository, head
from fuseline.workbench.tuning.committed import check_committed
from fuseline.workbench.tuning.experiment import DvcRunner, stages_read
from fuseline.workbench.tuning.plan import read_plan
from fuseline.workbench.tuning.report import conclude
from fuseline.workbench.tuning.space import check_space
from fuseline.workbench.tuning.study import FOLDER, locked, open_study, search


def tune(path: Path, root: Path, say: Callable[[str], None]) -> None:
    """Begin the study of a plan, or go on with it, and write its summary.

    Args:
        path: the plan's file.
        root: the repository's folder.
        say: takes lines for the user.

    Raises:
        ConfigError: the plan is wrong, or the working tree is not as it was committed, which is
            looked at before every trial.
        ContractError: another search is at work, or trials keep failing.
    """
    check_repository(root)
    plan = read_plan(path)
    # First of all: while another search starts a trial, DVC changes the tree for a moment.
    with locked(root / FOLDER):
        baseline = head(root)
        params = read_yaml(root / PARAMS_FILE)
        check(params)
        check_space(plan, path, params, stages_read(root, plan.stage))
        check_committed(root, baseline, path)
        folder = root / FOLDER / plan.study
        study = open_study(folder, plan, baseline)
        runner = DvcRunner(root, plan, baseline, folder, path)
        try:
            search(study, plan, runner, say)
        finally:
            say(conclude(study, plan, folder))
