"""Self-supervised pre-training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData, load_data
from fuseline.data.modalities.text.encoder import special_token_ids
from fuseline.data.modalities.text.word_pieces import continuing_pieces
from fuseline.errors import ContractError
from fuseline.learning.model.creation import create_model
from fuseline.learning.model.processing import create_processor
from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.freelb import FreeLB
from fuseline.learning.objectives.adversarial.pgd import FGMTraining, PGDTraining
from fuseline.learning.objectives.base import Objective
from fuseline.learning.objectives.pretraining import Mixture, build_objectives
from fuseline.learning.training.freezing import freeze_image_encoder
from fuseline.learning.training.history import History
from fuseline.learning.training.loop import Selection, train
from fuseline.learning.training.remarks import told_remarks
from fuseline.params.base import BaseParams
from fuseline.params.pretrain import PretrainParams
from fuseline.pipeline.precision import autocast, make_deterministic

# Those of the methods that need no divergence, nor a loss that a row has in every epoch.
ADVERSARIAL: dict[str, type[AdversarialObjective]] = {
    "fgm": FGMTraining,
    "pgd": PGDTraining,
    "freelb": FreeLB,
}


def pretrain(
    tokens: Path,
    tokenizer: Path,
    features: Path,
    model_folder: Path,
    *,
    params: PretrainParams,
    base: BaseParams,
    work: Path,
) -> tuple[dict[str, Any], History]:
    """Train the objectives on the training split and save the model with the lowest
    development loss.

    Returns:
        Metrics (loss and accuracy per objective) and the figures of every epoch.

    Raises:
        ConfigError: objectives that the modalities or the tokenizer cannot serve.
        ContractError: no development rows.
    """
    make_deterministic(base.seed, base.num_threads)
    objectives = build_objectives(params.objectives, base.modalities, continuing_pieces(tokenizer))
    pad_token_id = special_token_ids(tokenizer)["pad"]
    data = load_data(tokens, features, base.modalities, pad_token_id=pad_token_id)
    dev = data.select("dev")
    if len(dev) == 0:
        raise ContractError(
            f"{tokens}: the dev split has no rows, so no epoch can be told from another."
            " Set `ingest.unlearnable` to refuse, then `dvc repro ingest` says what fills it."
        )
    model = create_model(params.model, tokenizer, features, base.modalities)
    freeze_image_encoder(model)
    history = train(
        model,
        _objective(objectives, params),
        data.select("train"),
        _Development(objectives, params, base, dev),
        params=params.training,
        selection=Selection("loss", greater_is_better=False),
        seed=base.seed,
        precision=base.precision,
        work=work,
    )
    model.save_pretrained(model_folder)
    create_processor(tokenizer, features, base.modalities).save_pretrained(model_folder)
    best = min(history, key=lambda figures: figures["eval_loss"])
    remarks = told_remarks("pretrain", history)
    return _metrics(best, objectives) | {"remarks": remarks}, history


def _objective(objectives: dict[str, Objective], params: PretrainParams) -> Objective:
    mixture = Mixture(objectives, params.objectives.weights)
    if params.adversarial.method == "none":
        return mixture
    # Objectives without labels have nothing by which outputs could be compared.
    return ADVERSARIAL[params.adversarial.method](mixture, mixture, None, params.adversarial)


class _Development:
    """Loss and accuracy of every objective on the development rows, with fixed draws."""

    def __init__(
        self,
        objectives: Mapping[str, Objective],
        params: PretrainParams,
        base: BaseParams,
        data: MultimodalData,
    ) -> None:
        self.objectives = objectives
        self.weights = params.objectives.weights
        self.base = base
        self.data = data
        self.batch_size = params.training.batch_size

    def __call__(self, model: Any) -> dict[str, float]:
        figures: dict[str, float] = {}
        # The bar of the training stands still meanwhile.
        names = tqdm(sorted(self.objectives), "dev", unit="objective", leave=False, delay=2.0)
        for name in names:
            loss, accuracy = self._score(model, self.objectives[name])
            figures |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        total = sum(self.weights[name] for name in self.objectives)
        figures["loss"] = (
            sum(self.weights[name] * figures[f"{name}_loss"] for name in self.objectives) / total
        )
        return figures

    def _score(self, model: Any, objective: Objective) -> tuple[float, float]:
        loss = correct = count = 0.0
        for start in range(0, len(self.data), self.batch_size):
            rows = range(start, min(start + self.batch_size, len(self.data)))
            with torch.inference_mode(), autocast(self.base.precision):
                output = objective(model, self.data.batch(list(rows)))
            loss += output.loss.item() * output.count
            correct, count = correct + output.correct, count + output.count
        return (loss / count, correct / count) if count else (0.0, 0.0)


def _metrics(best: dict[str, float], objectives: Mapping[str, Objective]) -> dict[str, Any]:
    return {
        "best_epoch": int(best["epoch"]),
        "loss": best["eval_loss"],
        "objectives": {
            name: {
                "loss": best[f"eval_{name}_loss"],
                "accuracy": best[f"eval_{name}_accuracy"],
            }
            for name in sorted(objectives)
        },
    }
