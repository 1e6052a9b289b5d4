"""What a training step costs: clean and under PGD, in float32 and bfloat16, on one or two threads.

Weights are random, in the shape of the default model; rows are drawn, 32 a step, their texts as
long as those of OpenMoji. All settings take turns in one process, so that a busy moment hits them
alike. The last column is with the whole vocabulary trained, as a plain optimizer would have it.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import cycle, product
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import LABELS, MINILM, PARAMS, model, rows
from fuseline.pipeline.stage import LIBRARY_SETTINGS

BATCH_ROWS = 32
# Tokens of a text, special ones too, and how many of OpenMoji's rows have as many.
LENGTHS = {3: 527, 4: 650, 5: 384, 6: 195, 7: 90, 8: 39, 9: 7, 10: 2, 12: 1}
# Different words in all texts together.
NUM_WORDS = 1500
Step = Callable[[str], float]


def main(
    num_rounds: int = 7,
    threads: Sequence[int] = (1, 2),
    text: Mapping[str, Any] = MINILM,
    params: Path = PARAMS,
) -> None:
    """Print the median milliseconds of a step in every setting.

    Args:
        num_rounds: steps in each setting.
        threads: numbers of them to try.
        text: the text encoder's configuration.
        params: file with all else.
    """
    for variable, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(variable, value)
    found = measure(num_rounds, threads, text, params)
    print(f"{'step':<8}{'threads':>8}{'fp32':>8}{'bf16':>8}{'fp32, all words':>18}")
    for kind, count in product(("clean", "pgd"), threads):
        cells = [
            f"{found[kind, count, precision, words]:.0f}"
            for precision, words in (("fp32", True), ("bf16", True), ("fp32", False))
        ]
        print(f"{kind:<8}{count:>8}{cells[0]:>8}{cells[1]:>8}{cells[2]:>18}")


def measure(
    num_rounds: int, threads: Sequence[int], text: Mapping[str, Any], params: Path
) -> dict[tuple[str, int, str, bool], float]:
    """Median milliseconds by kind of step, threads, precision, and whether only the words that
    occur are trained."""
    import torch

    from fuseline.pipeline.precision import make_deterministic

    steps = {
        (kind, words): step_of(kind, words, text, params)
        for kind, words in product(("clean", "pgd"), (True, False))
    }
    seconds: dict[tuple[str, int, str, bool], list[float]] = defaultdict(list)
    make_deterministic(0, max(threads))
    for turn in range(num_rounds):
        for count, precision in product(threads, ("fp32", "bf16")):
            torch.set_num_threads(count)
            # In another order each time: the first step behind a change of threads pays for it.
            for kind, words in random.Random(turn).sample([*steps], len(steps)):
                seconds[kind, count, precision, words].append(steps[kind, words](precision))
    # The first step of each allocates.
    return {key: 1000 * statistics.median(found[1:]) for key, found in seconds.items()}


def step_of(kind: str, only_occurring: bool, text: Mapping[str, Any], params: Path) -> Step:
    """A function that takes one step of training and gives its seconds."""
    import torch

    from fuseline.config import load_section
    from fuseline.learning.objectives.adversarial.pgd import PGDTraining
    from fuseline.learning.objectives.supervised import Supervised
    from fuseline.learning.tasks.classification import Classification
    from fuseline.learning.training.groups import parameter_groups
    from fuseline.learning.training.words import occurring_words
    from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
    from fuseline.pipeline.precision import autocast, plain_attention

    section = load_section("adversarial_finetune", AdversarialFinetuneParams, params)
    trained = model(text, params).train()
    data, drawn = batches_of(text["vocab_size"])
    task = Classification("label", {"labels": LABELS})
    objective: Any = Supervised(
        [task], [1.0], section.modality_dropout, section.label_smoothing, 1.0
    )
    if kind == "pgd":
        objective = PGDTraining(objective, objective, None, section)
    # Left open: the process ends with the last step.
    (occurring_words(trained, data) if only_occurring else nullcontext()).__enter__()
    decayed = {name for name, parameter in trained.named_parameters() if parameter.ndim > 1}
    groups = parameter_groups(trained, decayed, section.training)
    optimizer = torch.optim.AdamW(groups, fused=True)
    parameters = [one for group in groups for one in group["params"]]

    def step(precision: Any) -> float:
        batch = next(drawn)
        start = time.perf_counter()
        with plain_attention(), autocast(precision):
            loss = objective(trained, batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, section.training.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - start

    return step


def batches_of(vocabulary: int) -> tuple[Any, Iterator[dict[str, Any]]]:
    """Rows with texts of OpenMoji's lengths, and batches of them, over and over."""
    import numpy as np

    from fuseline.learning.training.batches import LengthGroupedBatches

    draw = np.random.default_rng(0)
    found = rows(32 * BATCH_ROWS, 0)
    shares = np.array([*LENGTHS.values()]) / sum(LENGTHS.values())
    lengths = draw.choice([*LENGTHS], len(found), p=shares)
    occurring = draw.integers(0, vocabulary, NUM_WORDS)
    texts = [draw.choice(occurring, length) for length in lengths]
    data = replace(found, input_ids=texts)
    order = LengthGroupedBatches(data.lengths, BATCH_ROWS, 0)
    return data, cycle([data.batch(places) for places in order])


if __name__ == "__main__":
    main()
