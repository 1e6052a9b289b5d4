"""The ordinary rival: a new classification head, fine-tuned with the model on the same shots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.creation import create_model
from fuseline.learning.model.passes import predict_logits
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.prompting.base import Material, above_zero
from fuseline.learning.prompting.fitting import fit, open_for_training
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.params.pretrain import ModelParams
from fuseline.params.prompt import PromptParams

EVALUATION_BATCH = 256


class Head:
    """Fine-tunes the pre-trained weights, all but the word embeddings, by the loss of `finetune`
    without its modality dropout and label smoothing."""

    variants: ClassVar[tuple[str, ...]] = ("head",)
    needs_words: ClassVar[bool] = False

    def __init__(self, material: Material) -> None:
        self.material = material
        self.start = self._backbone(material).fuseline.state_dict()
        config = type(material.model.config).from_dict(material.model.config.to_dict())
        config.tasks = [material.task]
        self.tasks = build_tasks(config.tasks)
        self.model: Any = FuselineForTasks(config)
        open_for_training(self.model)

    @staticmethod
    def _backbone(material: Material) -> Any:
        return material.model

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return len(modalities) > 0

    @staticmethod
    def shots(params: PromptParams) -> list[int]:
        return above_zero(params)

    def scores(self, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        self._reset()
        material = self.material
        weight = material.params.training.unimodal_weight
        objective = Supervised(
            self.tasks, [1.0], modality_dropout=0.0, label_smoothing=0.0, unimodal_weight=weight
        )

        def loss_of(rows: np.ndarray) -> Tensor:
            return objective(self.model, material.data.batch(rows)).loss

        fit(
            self.model,
            loss_of,
            rows,
            material.params.training,
            seed=seed,
            precision=material.base.precision,
        )
        return {
            self.variants[0]: predict_logits(
                self.model, material.test, EVALUATION_BATCH, material.base.precision
            )
        }

    def _reset(self) -> None:
        """The weights to start from, and a newly drawn head."""
        self.model.fuseline.load_state_dict(self.start)
        self.model.heads.apply(self.model._init_weights)


class HeadWithoutPretraining(Head):
    """The same from the encoders' own weights and a new fusion: what pre-training is worth. It is
    run with the most shots only."""

    variants: ClassVar[tuple[str, ...]] = ("head_without_pretraining",)

    @staticmethod
    def _backbone(material: Material) -> Any:
        config = material.model.config
        shape = ModelParams.model_validate(
            {
                "hidden_size": config.hidden_size,
                "contrastive_size": config.contrastive_size,
                "fusion": config.fusion,
            }
        )
        return create_model(
            shape, material.tokenizer_folder, material.features, list(material.base.modalities)
        )

    @staticmethod
    def shots(params: PromptParams) -> list[int]:
        return above_zero(params)[-1:] if params.compare_without_pretraining else []
