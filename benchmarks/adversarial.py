"""Methods of adversarial training: what each buys, and what it costs beside a clean step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import torch
import vl_convert
from torch.nn import functional

from benchmarks.trained import load_trained
from benchmarks.workspace import ROOT, change_params, clean_clone, peak_memory, run
from fuseline.config import load_section, read_yaml
from fuseline.learning.attacks.pgd import PGD
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.objectives.adversarial.methods import METHODS
from fuseline.learning.objectives.base import Objective, ObjectiveOutput
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.attack import BallParams
from fuseline.params.base import BaseParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.params.whole import set_keys
from fuseline.pipeline.metrics_file import read_metrics
from fuseline.pipeline.precision import autocast, make_deterministic

SALT = 0
ROUNDS, NUM_BATCHES = 7, 4
# PGD-20 with five restarts, at the headline epsilon alone.
ATTACK = {"evaluate.robustness.num_restarts": 5, "evaluate.robustness.scales": [1.0, 8.0]}
SECTION = "adversarial_finetune"
CHEAP = "pgd, a quarter"
# By name what is changed in the params' section: each method as it is set there, and a cheap one. A
# delta that grows by a step an epoch needs epochs, and so does one that few steps see.
VARIANTS: dict[str, dict[str, Any]] = {name: {"method": name} for name in METHODS}
VARIANTS["free"]["training.num_epochs"] = 8
VARIANTS[CHEAP] = {
    "method": "pgd",
    "attacked_share": 0.25,
    "adversarial_weight": 4.0,
    "attack.epsilon": {"text_embedding": 0.125, "image_feature": 1.0},
    "attack.num_steps": 2,
    "attack.step_size": 0.7,
    "training.num_epochs": 8,
}
COLUMNS = (
    "clean",
    "macro-F1",
    "robust",
    "forward a step",
    "backward a step",
    "step time, times clean",
    "GiB",
)
# What one would write without us.
LOOP = "padded float32 loop"
CHART = ROOT / "docs/methods.svg"


@dataclass(frozen=True)
class Measured:
    """A method's line, as in `COLUMNS`."""

    method: str
    clean: float
    macro_f1: float
    robust: float
    forward: float
    backward: float
    ratio: float
    memory: float

    @property
    def line(self) -> str:
        """Of the Markdown table."""
        shares = " | ".join(f"{x:.3f}" for x in (self.clean, self.macro_f1, self.robust))
        costs = " | ".join(f"{x:.2f}" for x in (self.forward, self.backward))
        return f"| {self.method} | {shares} | {costs} | {self.ratio:.2f} | {self.memory:.1f} |"


def main(
    origin: Path = ROOT,
    names: Sequence[str] = tuple(VARIANTS),
    attack: Mapping[str, Any] = ATTACK,
    num_rounds: int = ROUNDS,
    drawing: Path = CHART,
) -> None:
    """Train by every variant that is named from one fine-tuned model; print the table, and draw
    what robust accuracy costs.

    Args:
        origin: the repository that is cloned.
        names: of `VARIANTS`.
        attack: params of the evaluation.
        num_rounds: of steps that are timed.
        drawing: file for the drawing.
    """
    found = []
    with clean_clone(origin) as clone:
        change_params(clone, {**attack, "ingest.split.salt": SALT})
        run(clone, "dvc", "repro", "--quiet", "evaluate@finetuned")
        ratios = step_ratios(clone, num_rounds)
        print(f"\nA padded float32 loop's PGD step over ours: {ratios[LOOP] / ratios['pgd']:.1f}")
        print(f"| | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}")
        for name in names:
            found.append(measured(clone, name, ratios[name]))
            print(found[-1].line, flush=True)
        plain = read_metrics(clone / "metrics/evaluate/finetuned.json")
    start = (plain["accuracy"], plain["macro_f1"], plain["robust_accuracy"])
    found.append(Measured("none", *start, forward=1.0, backward=1.0, ratio=1.0, memory=0.0))
    print(found[-1].line)
    drawing.write_text(chart(found), encoding="utf-8")


def measured(clone: Path, name: str, ratio: float) -> Measured:
    """Train by a variant, and evaluate."""
    before = (clone / "params.yaml").read_text()
    change_params(clone, {f"{SECTION}.{key}": value for key, value in VARIANTS[name].items()})
    memory = peak_memory(clone, "dvc", "repro", "--quiet", "adversarial_finetune")
    run(clone, "dvc", "repro", "--quiet", "evaluate@adversarial")
    (clone / "params.yaml").write_text(before)
    scores = read_metrics(clone / "metrics/evaluate/adversarial.json")
    trained = read_metrics(clone / "metrics/adversarial_finetune.json")
    return Measured(
        name,
        scores["accuracy"],
        scores["macro_f1"],
        scores["robust_accuracy"],
        trained["forward_passes"] / trained["steps"],
        trained["backward_passes"] / trained["steps"],
        ratio,
        memory,
    )


def chart(found: list[Measured]) -> str:
    """Robust accuracy against the time of a step, as SVG."""
    rows = [{"method": m.method, "ratio": m.ratio, "robust": m.robust} for m in found]
    points = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("ratio:Q", title="time of a step, times a clean one"),
        y=alt.Y("robust:Q", title="robust accuracy", scale=alt.Scale(domain=[0, 1])),
    )
    names = points.mark_text(align="left", dx=7).encode(text="method:N")
    drawn = (points.mark_point(filled=True, size=60) + names).properties(width=420, height=260)
    svg: str = vl_convert.vegalite_to_svg(drawn.to_dict())
    return svg


def step_ratios(folder: Path, num_rounds: int) -> dict[str, float]:
    """By method the time of a step over that of a clean one: medians of rounds in turn, so that
    what else the machine does falls on all alike."""
    file = folder / "params.yaml"
    base = load_section("base", BaseParams, file)
    params = {name: section(file, changes) for name, changes in VARIANTS.items()}
    make_deterministic(base.seed, base.num_threads)
    model, data = load_trained(folder / "models/finetuned", folder / "data", base)
    model.train()
    data = data.select("train")
    tasks = build_tasks(model.config.tasks)
    inner, attacked = (
        Supervised(tasks, [1.0], 0.1, 0.1, weight)
        for weight in (params["pgd"].unimodal_weight, 0.0)
    )
    objectives: dict[str, Objective] = {"clean": inner} | {
        name: METHODS[own.method](inner, attacked, inner.divergence, own)
        for name, own in params.items()
    }
    tokens = load_section("tokenize", TokenizeParams, file).max_length_tokens
    objectives[LOOP] = PaddedLoop(inner, params["pgd"].attack, tokens)
    order = np.argsort(data.lengths, kind="stable")
    size = params["pgd"].training.batch_size
    spread = np.linspace(0, len(order) - size, NUM_BATCHES, dtype=int)
    batches = [data.batch(order[start : start + size]) for start in spread]
    # The last of four is the one that a quarter attacks: not the longest.
    batches.append(batches.pop(NUM_BATCHES // 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    times: dict[str, list[float]] = {name: [] for name in objectives}
    for _ in range(num_rounds):
        for name, objective in objectives.items():
            times[name].append(seconds(model, objective, batches, optimizer, base))
    clean = np.median(times.pop("clean"))
    return {name: float(np.median(taken) / clean) for name, taken in times.items()}


def section(file: Path, changes: dict[str, Any]) -> AdversarialFinetuneParams:
    """The section of a params file, changed."""
    content = read_yaml(file)[SECTION]
    set_keys(content, changes)
    return AdversarialFinetuneParams.model_validate(content)


class PaddedLoop:
    """PGD as it is usually written: every text padded to one length, a clean pass of its own, and
    every backward pass through all weights."""

    def __init__(self, inner: Supervised, ball: BallParams, num_tokens: int) -> None:
        self.inner = inner
        self.attack = PGD(ball)
        self.num_tokens = num_tokens

    def __call__(self, model: FuselineForTasks, batch: dict[str, torch.Tensor]) -> ObjectiveOutput:
        room = (0, self.num_tokens - batch["input_ids"].shape[1])
        for name in ("input_ids", "attention_mask"):
            batch[name] = functional.pad(batch[name], room)
        perturbable = Perturbable(model, batch, self.attack.spaces)
        deltas, masks = perturbable.start(), perturbable.masks()
        for _ in range(self.attack.num_steps):
            leaves = {space: delta.requires_grad_() for space, delta in deltas.items()}
            self.inner(model, perturbable.inputs(leaves)).loss.backward()
            deltas = {
                space: self.attack.step(
                    leaf.detach(), leaf.grad, masks[space], self.attack.epsilon[space]
                )
                for space, leaf in leaves.items()
            }
            model.zero_grad()
        self.inner(model, batch).loss.backward()
        return self.inner(model, perturbable.inputs(deltas))


def seconds(
    model: FuselineForTasks,
    objective: Callable[..., Any],
    batches: list[dict[str, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    base: BaseParams,
) -> float:
    """Of one step for each batch."""
    start = time.perf_counter()
    for batch in batches:
        with autocast("fp32" if isinstance(objective, PaddedLoop) else base.precision):
            loss = objective(model, dict(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - start
