from types import SimpleNamespace

import pytest

from fuseline.errors import ContractError
from fuseline.learning.training.adversarial_finetune import RefuseCollapse


def watch(*robust):
    log = [{"loss": 1.0}, *({"eval_robust_accuracy": value} for value in robust)]
    RefuseCollapse().on_evaluate(None, SimpleNamespace(log_history=log), None)


def test_a_robust_collapse_stops_the_run():
    with pytest.raises(ContractError, match=r"robust collapse: .* fell from 0\.400 to 0"):
        watch(0.3, 0.4, 0.0)


def test_a_run_that_begins_without_robustness_goes_on():
    watch(0.0)
    watch(0.0, 0.1, 0.0)
    watch(0.4, 0.2)
