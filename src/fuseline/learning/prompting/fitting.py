"""Training on a handful of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.errors import ContractError
from fuseline.learning.training.groups import IMAGE_ENCODER, IMAGE_TOP, TEXT_ENCODER
from fuseline.params.prompt import FewShotTrainingParams
from fuseline.pipeline.precision import Precision, autocast, plain_attention


def open_for_training(model: Any, *, encoder: bool = True) -> None:
    """Let gradients reach all but the image encoder, the image layers that the model holds, and the
    word embeddings.

    A few rows hold few pieces: of the embeddings, more than a third of all weights, nearly every
    one would only decay. Image layers would cost most of the time.

    Args:
        model: a Fuseline model with heads.
        encoder: False freezes the whole text encoder.
    """
    for name, parameter in model.named_parameters():
        image = IMAGE_ENCODER in name or IMAGE_TOP in name
        frozen = TEXT_ENCODER in name and not encoder
        parameter.requires_grad_(not image and not frozen)
    if model.config.text_config:
        model.get_input_embeddings().weight.requires_grad_(False)


def fit(
    model: Any,
    loss_of: Callable[[np.ndarray], Tensor],
    rows: np.ndarray,
    params: FewShotTrainingParams,
    *,
    seed: int,
    precision: Precision,
) -> None:
    """Train what requires a gradient for the number of steps that `num_steps` gives; the last
    weights stay.

    No epoch is chosen: with k rows a label there is no development split to choose by, and one
    larger than the shots would make them no longer few. That, and checkpoints that would each
    weigh more than the whole run, is why the training loop of the other stages is not used; a
    killed run goes on from its last finished cell.

    Args:
        model: left in evaluation mode.
        loss_of: row numbers to their mean loss, by the model in training mode.
        rows: N row numbers, at least one.
        params: steps, rates.
        seed: of the order of rows.

    Raises:
        ContractError: a loss that is not finite.
    """
    model.train()
    optimizer = torch.optim.AdamW(_groups(model, params), fused=True)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    steps = num_steps(len(rows), params)
    course = _course(steps, params.warmup_share)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, course)
    for batch in _batches(rows, steps, params.batch_size, seed):
        with plain_attention(), autocast(precision):
            loss = loss_of(batch)
        check_finite(loss, "prompt.training.learning_rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, params.max_grad_norm)
        optimizer.step()
        schedule.step()
    model.eval()


def num_steps(num_rows: int, params: FewShotTrainingParams) -> int:
    """Those of the params, or the full batches of one pass over the rows where these are more:
    with many labels the shots outgrow a fixed number of batches, and their rivals see all of them.
    Of such a pass fewer rows than a batch are left out."""
    return max(params.num_steps, num_rows // params.batch_size)


def check_finite(loss: Tensor, rate: str) -> None:
    """Stop before a step that would spoil all weights.

    Args:
        loss: a number.
        rate: key of the learning rate to lower.

    Raises:
        ContractError: the loss is infinite or not a number.
    """
    if not math.isfinite(loss.item()):
        raise ContractError(f"prompt: a few-shot loss is {loss.item()}. Lower {rate}.")


def _groups(model: Any, params: FewShotTrainingParams) -> list[dict[str, Any]]:
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (TEXT_ENCODER in name, parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": params.encoder_learning_rate if encoder else params.learning_rate,
            "weight_decay": params.weight_decay if matrix else 0.0,
        }
        for (encoder, matrix), parameters in sorted(groups.items())
    ]


def _course(num_steps: int, warmup_share: float) -> Callable[[int], float]:
    """Linear warm-up, then half a cosine down to zero. Transformers' own begins at a rate of zero,
    which would waste one step of few."""
    warmup = max(1, round(warmup_share * num_steps))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        left = (step - warmup) / max(1, num_steps - warmup)
        return 0.5 * (1 + math.cos(math.pi * left))

    return factor


def _batches(rows: np.ndarray, num_steps: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Full batches from passes over the rows, each pass in an order of its own; what is left of a
    pass and fills no batch is skipped."""
    random = np.random.default_rng(seed)
    order = np.zeros(0, dtype=np.int64)
    size = min(batch_size, len(rows))
    for _ in range(num_steps):
        if len(order) < size:
            order = random.permutation(rows)
        yield order[:size]
        order = order[size:]
