from types import SimpleNamespace

import pytest

from fuseline.errors import ContractError
from fuseline.learning.training.adversarial_finetune import RefuseCollapse


def watch(*robust, one_answer=0.1):
    log = [{"loss": 1.0}, *({"eval_robust_accuracy": value} for value in robust)]
    RefuseCollapse(one_answer).on_evaluate(None, SimpleNamespace(log_history=log), None)


def test_a_robust_collapse_stops_the_run():
    with pytest.raises(ContractError, match=r"robust collapse: .* fell from 0\.400 to 0"):
        watch(0.3, 0.4, 0.0)


def test_a_run_that_begins_without_robustness_goes_on():
    watch(0.0)
    watch(0.0, 0.1, 0.0)
    watch(0.4, 0.2)


def test_a_run_that_never_did_better_than_one_answer_for_all_goes_on():
    watch(0.0, 0.36, 0.05, 0.0, one_answer=0.45)
    watch(0.45, 0.0, one_answer=0.45)
    with pytest.raises(ContractError, match=r"robust collapse: .* fell from 0\.460 to 0"):
        watch(0.46, 0.0, one_answer=0.45)
