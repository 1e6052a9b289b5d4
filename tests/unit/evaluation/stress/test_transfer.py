"""Deltas that fell one model, added to the clean inputs of another."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fuseline.evaluation.stress.transfer import transfer_suite
from fuseline.learning.tasks.classification import Classification
from tests.support import tasks, tiny_models
from tests.support.tiny_models import rows

EPSILON = 0.5


class Axis(nn.Module):
    """Two classes by the sign of one number of each picture."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, image_features: Tensor, **_: Tensor) -> SimpleNamespace:
        score = image_features[:, 0, self.axis]
        logits = torch.stack([-score, score], dim=-1)
        return SimpleNamespace(logits=logits, by_task=[logits])


@pytest.fixture
def pictures(context):
    """Rows at a distance of 0.2 from the border of every axis, half of them on each side."""
    data = rows(24, modalities=("image",))
    labels = np.arange(24) % 2
    values = np.zeros_like(data.features["image"])
    values[:, 0, :] = np.where(labels, 0.2, -0.2)[:, None]
    transfer = context.params.transfer
    attack = transfer.attack.model_copy(
        update={"norm": "l2", "epsilon": {"image_feature": EPSILON}, "num_steps": 5}
    )
    params = context.params.model_copy(
        update={"transfer": transfer.model_copy(update={"attack": attack})}
    )
    return replace(
        context,
        task=Classification("label", {"labels": ["no", "yes"]}),
        params=params,
        test=replace(
            data,
            labels=labels,
            features={"image": values},
            feature_mask={"image": np.ones(24, dtype=bool)},
        ),
    )


def test_deltas_fall_a_model_that_looks_at_the_same_and_not_one_that_looks_elsewhere(pictures):
    same = replace(pictures, models={"one": Axis(0), "two": Axis(0)})
    found = transfer_suite(same)
    assert set(found) == {"one_to_two", "two_to_one"}
    for figures in found.values():
        assert figures == {"rows": 24, "fallen_at_source": 1.0, "fallen_at_other": 1.0}
    elsewhere = replace(pictures, models={"one": Axis(0), "two": Axis(1)})
    for figures in transfer_suite(elsewhere).values():
        assert figures == {"rows": 24, "fallen_at_source": 1.0, "fallen_at_other": 0.0}


def test_shares_are_of_the_rows_that_a_model_gets_right(pictures):
    """A model that is wrong on half the rows: those are no rows that fell."""
    features = pictures.test.features["image"].copy()
    features[:12, 0, 1] *= -1
    test = replace(pictures.test, features={"image": features})
    found = transfer_suite(replace(pictures, test=test, models={"one": Axis(0), "two": Axis(1)}))
    assert found["one_to_two"]["fallen_at_other"] == 0.0
    assert found["two_to_one"] == {"rows": 24, "fallen_at_source": 1.0, "fallen_at_other": 0.0}


def test_a_delta_of_text_is_added_to_the_other_model_s_own_embeddings(context):
    models = {"one": tiny_models.classifier(seed=0), "two": tiny_models.classifier(seed=1)}
    seen: list[Tensor] = []

    def note(module, arguments, batch):
        # Without them it is asked for the classes that each row comes nearest to.
        if "inputs_embeds" in batch:
            seen.append(batch["inputs_embeds"].detach())

    models["two"].register_forward_pre_hook(note, with_kwargs=True)
    data = rows(6)
    attack = context.params.transfer.attack.model_copy(
        update={"epsilon": {"text_embedding": 1e-6}, "num_steps": 1}
    )
    transfer = context.params.transfer.model_copy(update={"attack": attack})
    changed = replace(
        context,
        models=models,
        task=Classification("label", {"labels": ["ant", "bee", "cat"]}),
        test=data,
        params=context.params.model_copy(update={"transfer": transfer, "batch_size": 6}),
    )
    changed.__dict__["clean"] = {
        name: SimpleNamespace(right=np.ones(6, dtype=bool)) for name in models
    }
    transfer_suite(changed)
    # The first batch is of the shortest texts.
    order = np.argsort(data.lengths, kind="stable")[: len(seen[0])]
    own = models["two"].get_input_embeddings()(data.batch(order)["input_ids"])
    assert torch.allclose(seen[0], own, atol=1e-5)


def test_nothing_for_a_task_whose_rows_do_not_stand_alone(context):
    task, data, model = tasks.made("retrieval")
    assert transfer_suite(replace(context, models={"one": model}, task=task, test=data)) == {}
