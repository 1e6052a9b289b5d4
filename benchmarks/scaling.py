"""What one training step takes by length of texts and by number of modalities, beside a floor.

Weights are random, in the shape of the default model with all of it trained; rows are drawn, 32 a
step. The floor is what the step's matrix products, as PyTorch's own counter has them, take at the
rate of bare ones of the encoder's shape. All settings take turns in one process on one thread.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import LABELS, MINILM, PARAMS

BATCH_ROWS = 32
LENGTHS = (8, 16, 32, 64, 128, 256)
# Tokens of the texts beside other modalities.
BESIDE = 16
# Positions and values at each, as the shipped params make them; of a table with three columns.
FEATURES: Mapping[str, Mapping[str, Any]] = {
    "image": {"positions": 16, "dim": 1280},
    "audio": {"positions": 32, "dim": 64, "encoder": "conv"},
    "video": {"positions": 8, "dim": 1280},
    "tabular": {"positions": 1, "dim": 24, "encoder": "perceptron"},
}
Step = Callable[[], None]


@dataclass
class Measured:
    """Median seconds of a setting's steps, and FLOPs of one."""

    seconds: float
    flops: float


def main(
    num_rounds: int = 5,
    lengths: Sequence[int] = LENGTHS,
    features: Mapping[str, Mapping[str, Any]] = FEATURES,
    text: Mapping[str, Any] = MINILM,
    params: Path = PARAMS,
) -> None:
    """Print milliseconds, FLOPs and the floor of a step in every setting.

    Args:
        num_rounds: steps in each setting.
        lengths: tokens of the texts of models without other modalities.
        features: modalities that join the texts one after the other, with their shapes.
        text: the text encoder's configuration.
        params: file with all else.
    """
    names = [*features]
    settings: dict[str, tuple[int, list[str]]] = {
        f"texts of {length} tokens": (length, []) for length in lengths
    }
    for count in range(1, len(names) + 1):
        title = f"texts of {BESIDE} tokens, {', '.join(names[:count])}"
        settings[title] = BESIDE, names[:count]
    steps = {
        title: step_of(length, {name: features[name] for name in chosen}, text, params)
        for title, (length, chosen) in settings.items()
    }
    found, rate = measure(steps, text, num_rounds)
    print(f"bare products: {rate / 1e9:.0f} GFLOP/s")
    print("| a step of 32 rows | ms | GFLOP | floor, ms | share |")
    print("|---|---|---|---|---|")
    for title, one in found.items():
        floor = one.flops / rate
        print(
            f"| {title} | {1000 * one.seconds:.0f} | {one.flops / 1e9:.1f} | {1000 * floor:.0f} |"
            f" {floor / one.seconds:.0%} |"
        )


def measure(
    steps: Mapping[str, Step], text: Mapping[str, Any], num_rounds: int
) -> tuple[dict[str, Measured], float]:
    """By setting what its steps took, and the median FLOPs a second of bare products."""
    from torch.utils.flop_counter import FlopCounterMode

    product, product_flops = bare_product(text)
    flops = {}
    # The first step of each allocates.
    for title, step in steps.items():
        with FlopCounterMode(display=False) as counter:
            step()
        flops[title] = float(counter.get_total_flops())
    seconds: dict[str, list[float]] = {title: [] for title in steps}
    rates = []
    for turn in range(num_rounds):
        for title in random.Random(turn).sample([*steps], len(steps)):
            seconds[title].append(timed(steps[title]))
        rates.append(product_flops / timed(product))
    found = {
        title: Measured(statistics.median(taken), flops[title]) for title, taken in seconds.items()
    }
    return found, statistics.median(rates)


def timed(step: Step) -> float:
    """Seconds of the processor, which what else the machine does moves less than the clock's."""
    start = time.process_time()
    step()
    return time.process_time() - start


def bare_product(text: Mapping[str, Any]) -> tuple[Step, float]:
    """The encoder's widest layer on 512 tokens, several times over, and its FLOPs."""
    import torch

    from fuseline.pipeline.precision import autocast

    tokens, repeats = 512, 20
    layer = torch.nn.Linear(text["hidden_size"], text["intermediate_size"])
    inputs = torch.randn(tokens, text["hidden_size"])

    def product() -> None:
        with torch.inference_mode(), autocast("auto"):
            for _ in range(repeats):
                layer(inputs)

    return product, 2.0 * repeats * tokens * layer.weight.numel()


def step_of(
    length: int, features: Mapping[str, Mapping[str, Any]], text: Mapping[str, Any], params: Path
) -> Step:
    """A function that takes one step of training on texts of a length beside some features."""
    import torch

    from fuseline.config import load_section
    from fuseline.learning.objectives.supervised import Supervised
    from fuseline.learning.tasks.classification import Classification
    from fuseline.learning.training.groups import parameter_groups
    from fuseline.params.finetune import FinetuneParams
    from fuseline.pipeline.precision import autocast, make_deterministic, plain_attention

    make_deterministic(0, 1)
    section = load_section("finetune", FinetuneParams, params)
    trained = model(features, text, params).train()
    batch = batch_of(length, features, text["vocab_size"])
    task = Classification("label", {"labels": LABELS})
    objective = Supervised([task], [1.0], 0.0, section.label_smoothing, section.unimodal_weight)
    decayed = {name for name, parameter in trained.named_parameters() if parameter.ndim > 1}
    groups = parameter_groups(trained, decayed, section.training)
    optimizer = torch.optim.AdamW(groups, fused=True)
    parameters = [one for group in groups for one in group["params"]]

    def step() -> None:
        with plain_attention(), autocast("auto"):
            loss = objective(trained, dict(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, section.training.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()

    return step


def model(features: Mapping[str, Mapping[str, Any]], text: Mapping[str, Any], params: Path) -> Any:
    """A task model with random weights, in the shape that the params say."""
    from fuseline.config import load_section
    from fuseline.learning.model import FuselineConfig, FuselineForTasks
    from fuseline.params.pretrain import PretrainParams

    shape = load_section("pretrain", PretrainParams, params).model
    head = {"kind": "pooled", "size": len(LABELS)}
    task = {"name": "label", "kind": "classification", "target": "label", "weight": 1.0}
    return FuselineForTasks(
        FuselineConfig(
            text_config=dict(text),
            features={name: dict(of) for name, of in features.items()},
            hidden_size=shape.hidden_size,
            fusion=shape.fusion.model_dump(),
            contrastive_size=shape.contrastive_size,
            special_tokens={"pad": 0, "cls": 101, "sep": 102, "mask": 103},
            tasks=[task | {"head": head, "facts": {"labels": LABELS}}],
        )
    )


def batch_of(
    length: int, features: Mapping[str, Mapping[str, Any]], vocabulary: int
) -> dict[str, Any]:
    """One batch of random rows, all of whose texts have one length."""
    import torch

    draw = torch.Generator().manual_seed(0)
    batch = {
        "input_ids": torch.randint(5, vocabulary, (BATCH_ROWS, length), generator=draw),
        "attention_mask": torch.ones(BATCH_ROWS, length, dtype=torch.long),
        "text_mask": torch.ones(BATCH_ROWS, dtype=torch.bool),
        "labels": torch.randint(0, len(LABELS), (BATCH_ROWS,), generator=draw),
        "groups": torch.arange(BATCH_ROWS),
        "row_numbers": torch.arange(BATCH_ROWS),
    }
    for name, of in features.items():
        size = (BATCH_ROWS, of["positions"], of["dim"])
        batch[f"{name}_features"] = torch.randn(size, generator=draw)
        batch[f"{name}_mask"] = torch.ones(BATCH_ROWS, dtype=torch.bool)
    return batch


if __name__ == "__main__":
    main()
