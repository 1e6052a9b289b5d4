"""Settings of small repositories from which `slopes.py` learns what stages take, and of others to
hold what it learnt to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CORES = 1


@dataclass(frozen=True)
class Design:
    """Settings of one small repository, and how many of its stages run, in their order.

    Attributes:
        params: by dotted key, on top of those that come with the repository.
        num_stages: None for all.
        small: whether the models are those of the tests.
    """

    params: Mapping[str, Any]
    num_stages: int | None = None
    small: bool = False


# The models of the default; rows and rounds are few.
SHAPED = {
    "base.num_threads": CORES,
    "ingest.source": "synthetic",
    "ingest.synthetic.image_size": 96,
    "ingest.synthetic.num_rows": 240,
    "pretrain.training.num_epochs": 1,
    "finetune.training.num_epochs": 1,
    "adversarial_finetune.training.num_epochs": 1,
    "prompt.shots": [0, 4],
    "prompt.num_seeds": 1,
    "evaluate.robustness.attack.num_steps": 5,
    "evaluate.robustness.num_restarts": 1,
    "evaluate.robustness.curve_restarts": 1,
    "evaluate.robustness.scales": [1.0, 8.0],
    "evaluate.robustness.audit.max_rows": 4,
    "evaluate.robustness.audit.black_box_queries": 20,
    "evaluate.robustness.image_pixel.max_rows": 8,
    "evaluate.robustness.image_pixel.attack.num_steps": 2,
    "evaluate.trust.num_resamples": 200,
    "stress.text.noises": ["insert", "swap"],
    "stress.image.corruptions": ["fog"],
    "stress.image.severities": [3],
    "stress.image.max_rows": 20,
    "stress.out_of_distribution.max_rows": 16,
    "stress.transfer.attack.num_steps": 2,
}
TEXTS = {
    "base.modalities": ["text"],
    "ingest.source": "synthetic",
    "ingest.synthetic.modalities": ["text"],
}
# Each of these moves what hangs on other params by another factor.
DESIGNS = {
    "emoji": Design({"base.num_threads": CORES}, num_stages=2),
    "texts": Design(TEXTS | {"ingest.synthetic.num_rows": 2000}, num_stages=6),
    "rows": Design(SHAPED),
    "more rows": Design(
        SHAPED
        | {
            "ingest.synthetic.num_rows": 480,
            "pretrain.training.num_epochs": 2,
            "finetune.training.num_epochs": 2,
            "adversarial_finetune.attack.num_steps": 1,
            "prompt.shots": [1],
            "prompt.num_seeds": 3,
            "evaluate.robustness.attack.num_steps": 10,
            "evaluate.robustness.num_restarts": 2,
            "evaluate.robustness.image_pixel.max_rows": 4,
            "stress.text.noises": ["insert", "swap", "delete", "keyboard", "whitespace"],
        }
    ),
    "more rounds": Design(
        SHAPED
        | {
            "extract_features.image.grid": 2,
            "pretrain.training.num_epochs": 3,
            "finetune.training.num_epochs": 3,
            "finetune.training.batch_size": 16,
            "adversarial_finetune.training.num_epochs": 2,
            "prompt.shots": [0, 16],
            "evaluate.robustness.audit.max_rows": 16,
            "evaluate.robustness.audit.black_box_queries": 50,
            "evaluate.robustness.image_pixel.max_rows": 24,
            "evaluate.robustness.image_pixel.attack.num_steps": 4,
            "evaluate.trust.num_resamples": 2000,
            "stress.image.corruptions": ["fog", "motion_blur"],
            "stress.image.severities": [1, 3],
            "stress.image.max_rows": 40,
            "stress.out_of_distribution.max_rows": 128,
            "stress.transfer.attack.num_steps": 8,
        }
    ),
    "small": Design({}, small=True),
    "more small": Design(
        {"ingest.synthetic.num_rows": 480, "stress.suites": ["text", "audio", "modalities"]},
        small=True,
    ),
}
# No slope was fitted to these; `--check` holds what is estimated to what they take.
CHECKS = {
    "other": Design(
        SHAPED
        | TEXTS
        | {
            "ingest.synthetic.num_rows": 600,
            "finetune.training.num_epochs": 2,
            "finetune.freezing.policy": "top_k",
            "adversarial_finetune.method": "trades",
            "adversarial_finetune.attack.num_steps": 2,
            "prompt.methods": ["cloze", "head", "probe"],
            "prompt.shots": [2, 8],
            "evaluate.robustness.attack.num_steps": 8,
        }
    ),
}
