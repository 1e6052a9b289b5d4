"""The names that params accept are those of the tables."""

from typing import Any, get_args

import pytest

from fuseline.data.sources import SOURCES
from fuseline.learning.attacks import ATTACKS
from fuseline.learning.model.fusion import FUSIONS
from fuseline.learning.objectives.adversarial.methods import METHODS as ADVERSARIAL_METHODS
from fuseline.learning.objectives.pretraining import OBJECTIVES
from fuseline.learning.prompting import METHODS
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.controls import CONTROLS
from fuseline.learning.training.pretrain import ADVERSARIAL
from fuseline.params.adversarial import MethodParams
from fuseline.params.attack import AttackParams
from fuseline.params.finetune import ControlName, TaskParams
from fuseline.params.ingest import IngestParams
from fuseline.params.pretrain import OBJECTIVE_NAMES, FusionParams, PretrainAdversarialParams
from fuseline.params.prompt import METHOD_NAMES


def accepted(section: Any, field: str) -> set[str]:
    return set(get_args(section.model_fields[field].annotation))


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (accepted(AttackParams, "kind"), ATTACKS),
        (accepted(MethodParams, "method"), ADVERSARIAL_METHODS),
        (accepted(PretrainAdversarialParams, "method") - {"none"}, ADVERSARIAL),
        (accepted(FusionParams, "kind"), FUSIONS),
        (accepted(TaskParams, "kind"), TASKS),
        (accepted(IngestParams, "source"), SOURCES),
        (set(OBJECTIVE_NAMES), OBJECTIVES),
        (set(get_args(ControlName)), CONTROLS),
        (set(METHOD_NAMES), METHODS),
    ],
)
def test_params_accept_exactly_the_names_of_the_table(names, table):
    assert names == set(table)
