"""Everything that is measured of a model of recommendations on the test events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fuseline.data.interactions import load_interactions
from fuseline.errors import ConfigError
from fuseline.evaluation.pieces import EvaluationInputs, labelled_rows
from fuseline.evaluation.recommendation.measure import measure_recommendation
from fuseline.evaluation.recommendation.promotion import measure_promotion
from fuseline.evaluation.recommendation.protocol import asked_people
from fuseline.evaluation.scoring.tables import write_plots, write_predictions
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.recommending.scorer import Scorer, encode_items
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.precision import make_deterministic


def evaluate_recommendation(
    name: str,
    inputs: EvaluationInputs,
    predictions: Path,
    plots: Path,
    *,
    params: EvaluateParams,
    base: BaseParams,
) -> dict[str, Any]:
    """Evaluate a model of recommendations; as `evaluate_model`, whose plots have no rows here and
    whose predictions are the items that people took in the test events, without labels.

    Raises:
        ConfigError: no table of events.
        ContractError: tables that are not of one run.
    """
    if inputs.interactions is None:
        raise ConfigError("evaluate: recommendation is measured by events, and no table is given.")
    make_deterministic(base.seed, base.num_threads)
    model = FuselineForTasks.from_pretrained(inputs.model).eval()
    items, _ = labelled_rows(model.config, inputs.model, inputs, base.modalities)
    interactions = load_interactions(inputs.interactions, items.example_ids)
    model.heads[0].content.keep(encode_items(model, items))
    scorer = Scorer(model, interactions, interactions.test_from)
    figures = measure_recommendation(
        scorer,
        interactions,
        len(items),
        num_resamples=params.trust.num_resamples,
        seed=base.seed,
    )
    asked = asked_people(interactions, len(items), interactions.test_from, None, known=True)
    promotion = measure_promotion(model, scorer, items, asked, params.robustness, base.seed)
    taken = items.take(np.unique(interactions.between(interactions.test_from).item))
    nothing = [""] * len(taken)
    no_numbers = np.zeros((len(taken), 0), dtype=np.float32)
    write_predictions(predictions, taken, (nothing, nothing), no_numbers, name)
    write_plots(plots, ([], []), [], [], [])
    return {
        "rows": len(taken),
        "task": model.config.tasks[0]["kind"],
        "modalities": [str(one) for one in base.modalities if items.present(one).any()],
        **figures,
        "promotion": promotion,
    }
