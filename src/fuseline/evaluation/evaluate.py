"""Everything that is measured of one model on the test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.dataset import MultimodalData, load_data
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.ablation import modality_ablation, named, presence_scores
from fuseline.evaluation.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.metrics import classification_metrics
from fuseline.evaluation.robustness import measure_robustness
from fuseline.evaluation.tables import write_plots, write_predictions
from fuseline.evaluation.twin import feature_blocks, twin_metrics
from fuseline.modalities.text_encoder import embed_texts
from fuseline.model import FuselineForTasks
from fuseline.model.prediction import predict_logits, softmax
from fuseline.params.attack import SPACE_OF
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.precision import make_deterministic


@dataclass(frozen=True)
class EvaluationInputs:
    """What an evaluation reads.

    Attributes:
        model: folder of a fine-tuned model.
        examples, tokens: the tables of those names.
        tokenizer: names the frozen text encoder of the twin.
        features: folder with one features table per modality.
    """

    model: Path
    examples: Path
    tokens: Path
    tokenizer: Path
    features: Path


def evaluate_model(
    name: str,
    inputs: EvaluationInputs,
    predictions: Path,
    plots: Path,
    *,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """Evaluate a model; write its predictions table and its plots' data.

    Returns:
        Its metrics: fixed keys, finite numbers.

    Raises:
        ContractError: no labelled test row, or tables that are not of one run.
        ConfigError: the attack's spaces belong to no modality in use.
    """
    _check_spaces(params, base)
    make_deterministic(base.seed, base.num_threads)
    model = FuselineForTasks.from_pretrained(inputs.model).eval()
    data = _labelled_rows(inputs, model, base.modalities)
    test = data.select("test")
    if not len(test):
        raise ContractError(
            f"{inputs.examples}: the test split has no labelled rows."
            " Raise `ingest.split.test` or add rows."
        )
    probabilities = softmax(predict_logits(model, test, params.batch_size))
    predicted = probabilities.argmax(-1)
    bins = reliability_bins(probabilities, test.labels, params.num_calibration_bins)
    metrics = {
        "rows": len(test),
        **classification_metrics(test.labels, predicted, test.label_names, seed=base.seed),
        "ece": expected_calibration_error(bins),
        **modality_ablation(
            model, test, list(base.modalities), batch_size=params.batch_size, seed=base.seed
        ),
        "presence": presence_scores(test, predicted, list(base.modalities)),
        **_twins(inputs, data, params, base),
        **measure_robustness(
            model,
            test,
            predicted == test.labels,
            params.robustness,
            batch_size=params.batch_size,
            seed=base.seed,
            precision=base.precision,
        ),
    }
    write_predictions(predictions, test, probabilities, name)
    write_plots(plots, test, predicted, bins, metrics["robustness"]["curve"])
    return metrics


def _check_spaces(params: EvaluateParams, base: BaseParams) -> None:
    spaces = list(params.robustness.attack.epsilon)
    if not {SPACE_OF[name] for name in base.modalities} & set(spaces):
        raise ConfigError(
            f"evaluate.robustness.attack.epsilon: none of its spaces ({', '.join(spaces)}) belongs"
            f" to a modality of base.modalities ({', '.join(base.modalities)}). Name one that does."
        )


def _labelled_rows(
    inputs: EvaluationInputs, model: FuselineForTasks, modalities: list[Any]
) -> MultimodalData:
    return load_data(
        inputs.tokens,
        inputs.features,
        modalities,
        pad_token_id=model.config.special_tokens["pad"],
        examples=inputs.examples,
        label_names=[model.config.id2label[index] for index in range(model.config.num_labels)],
    ).labelled()


def _twins(
    inputs: EvaluationInputs, data: MultimodalData, params: EvaluateParams, base: BaseParams
) -> dict[str, dict[str, float]]:
    vectors: np.ndarray | None = None
    if "text" in base.modalities:
        vectors = embed_texts(inputs.tokenizer, data.input_ids, params.batch_size, base.precision)
    return twin_metrics(data, feature_blocks(data, vectors), named(base.modalities))
