"""Params of what surrounds an attack in an evaluation, cut for tests."""

PIXELS = {
    "max_rows": 0,
    "batch_size": 8,
    "attack": {
        "kind": "pgd",
        "norm": "linf",
        "per": "example",
        "epsilon": {"image_pixel": 2.0},
        "num_steps": 1,
        "step_size": 1.0,
        "random_start": False,
    },
}
AUDIT = {
    "gate": "report",
    "max_rows": 20,
    "black_box_queries": 30,
    "tolerance": 0.05,
    "max_robust_accuracy": 0.1,
    "max_zero_gradients": 0.1,
}
