"""Settings of adversarial training for tests."""

from fuseline.params.adversarial import MethodParams

NUM_STEPS = 3
RADII = {"text_embedding": 0.5, "image_feature": 1.5}


def adversarial_params(method: str, **changes: object) -> MethodParams:
    ball = {
        "norm": "l2",
        "per": "position",
        "epsilon": RADII,
        "num_steps": NUM_STEPS,
        "step_size": 0.5,
        "random_start": False,
    }
    names = set(ball)
    values: dict[str, object] = {
        "method": method,
        "attack": ball | {name: value for name, value in changes.items() if name in names},
        "attacked_share": 1.0,
        "clean_weight": 1.0,
        "adversarial_weight": 1.0,
        "mart": {"divergence_weight": 5.0},
        "villa": {"divergence_weight": 1.0},
        "smart": {"proximal_weight": 1.0, "momentum": 0.9},
    }
    others = {name: value for name, value in changes.items() if name not in names}
    return MethodParams.model_validate(values | others)
