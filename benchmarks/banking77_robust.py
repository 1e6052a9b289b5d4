"""BANKING77 under attack: full fine-tuning, then adversarial fine-tuning from that model.

One seed. Both are attacked by PGD-20 with five restarts on every fifth row of the authors' test
file, in the word embeddings, per token. Needs `$FUSELINE_TEST_DATA/banking77`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.banking77 import ARMS, AS_SHIPPED, BATCH_SIZE, prepare, sections, tested
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.measure import Siege
from fuseline.evaluation.robustness.target import goal_of
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.training.adversarial_finetune import adversarial_finetune
from fuseline.learning.training.finetune import finetune
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.parts import Parts

EVERY = 5
CHANGES: dict[str, Any] = ARMS["full"] | {
    "base.num_threads": 2,
    "finetune.training.num_epochs": 4,
    "adversarial_finetune.attack.epsilon": {"text_embedding": 0.1},
    "adversarial_finetune.training.num_epochs": 3,
    "evaluate.robustness.attack.epsilon": {"text_embedding": 0.125},
    "evaluate.robustness.num_restarts": 5,
    "evaluate.robustness.scales": [1.0, 8.0],
}


def main(num_rows: int | None = None, changes: Mapping[str, Any] = AS_SHIPPED) -> None:
    """Train both, attack both; print a line for each and the table.

    Args:
        num_rows: the first of each file; all by default.
        changes: to params, over this benchmark's.
    """
    params = sections({**CHANGES, **changes})
    with tempfile.TemporaryDirectory(prefix="fuseline-") as name:
        folder = Path(name)
        print(json.dumps(prepare(folder, num_rows, changes)), flush=True)
        tables = (folder / "examples", folder / "tokens", folder / "features")
        plain, robust = folder / "finetuned", folder / "adversarial"
        finetune(
            folder / "pretrained",
            *tables,
            plain,
            params=params["finetune"],
            base=params["base"],
            work=folder / "work-finetune",
        )
        found = {"fine-tuned": attacked(folder, plain, params)}
        print(json.dumps(found), flush=True)
        adversarial_finetune(
            plain,
            *tables,
            robust,
            params=params["adversarial_finetune"],
            base=params["base"],
            work=folder / "work-adversarial",
        )
        found["adversarial"] = attacked(folder, robust, params)
        print(json.dumps(found), flush=True)
    print("| | clean | robust |\n|---|---|---|")
    for title, scores in found.items():
        print(f"| {title} | {scores['clean']:.4f} | {scores['robust']:.4f} |")


def attacked(folder: Path, model_folder: Path, params: dict[str, Any]) -> dict[str, float]:
    """Accuracy on all tested rows, and accuracy and robust accuracy on those attacked."""
    base: BaseParams = params["base"]
    evaluate: EvaluateParams = params["evaluate"]
    model, tasks, whole = tested(folder, model_folder, base)
    found = predict(model, tasks, whole, BATCH_SIZE)[0]
    some = np.arange(0, len(whole), EVERY)
    right = found.right[some]
    siege = Siege(
        model,
        goal_of(tasks[0]),
        whole.take(some),
        right,
        evaluate.robustness,
        attacked=Attacked(right, None),
        batch_size=BATCH_SIZE,
        seed=base.seed,
        precision=base.precision,
        parts=Parts(None),
    ).figures()
    return {
        "rows": len(whole),
        "clean": float(found.right.mean()),
        "attacked_rows": len(some),
        "clean_of_those": float(right.mean()),
        "robust": siege["robust_accuracy"],
        "audit_passed": siege["robustness"]["audit"]["passed"],
    }


if __name__ == "__main__":
    main()
