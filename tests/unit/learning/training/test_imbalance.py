"""Rare labels are learnt where the params ask for it: against a balanced logistic regression on the
same features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from fuseline.data.dataset import MultimodalData
from fuseline.learning.objectives.adversarial.methods import METHODS
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.imbalance import balance
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.training.batches import LengthGroupedBatches
from fuseline.learning.training.development import Development, draws_of, selection_of
from fuseline.learning.training.loop import train
from tests.support.adversarial_params import adversarial_params
from tests.support.tiny_models import DIM, POSITIONS, classification, classifier, rows, training

NAMES = ["common", "rare"]
RARE = 1


def drawn(count: int, seed: int) -> MultimodalData:
    """Rows of pictures alone, 5 % of them rare; the two labels overlap."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % 20 == 0).astype(np.int64)
    features = random.normal(size=(count, POSITIONS, DIM))
    features[:, :, 0] += 1.2 * labels[:, None]
    data = rows(count, modalities=["image"])
    return replace(
        data,
        labels=labels,
        label_names=NAMES,
        features={"image": features.astype(np.float16)},
        feature_mask={"image": np.ones(count, dtype=bool)},
        splits=np.full(count, "train"),
    )


@pytest.fixture(scope="module")
def splits() -> dict[str, MultimodalData]:
    return {"train": drawn(600, 0), "dev": drawn(300, 1), "test": drawn(2000, 2)}


@pytest.fixture(scope="module")
def reference(splits) -> float:
    """Recall of the rare label by a balanced logistic regression."""
    pooled = {
        name: data.features["image"].astype(np.float32).mean(1) for name, data in splits.items()
    }
    model = LogisticRegression(class_weight="balanced").fit(pooled["train"], splits["train"].labels)
    return recall_of(model.predict(pooled["test"]), splits["test"])


def recall_of(predictions: np.ndarray, data: MultimodalData) -> float:
    return float(recall_score(data.labels, predictions, pos_label=RARE))


def trained(way, splits, work, method: str | None = None) -> float:
    """Recall of the rare label after training that way."""
    training_labels = [NAMES[label] for label in splits["train"].labels]
    facts = {"labels": NAMES} | balance(way, NAMES, training_labels, "label")
    task = Classification("label", facts)
    head = {"kind": "pooled", "size": 2}
    model = classifier(
        modalities=["image"], tasks=[classification() | {"head": head, "facts": facts}]
    )
    objective = inner = Supervised([task], [1.0], 0.0, 0.1, 0.0)
    if method:
        params = adversarial_params(method, epsilon={"image_feature": 0.2})
        objective = METHODS[method](inner, inner, inner.divergence, params)
    train(
        model,
        objective,
        splits["train"],
        Development([task], splits["dev"], "fp32"),
        params=training(num_epochs=6, batch_size=32, early_stopping_patience=6),
        selection=selection_of(task, max_fall=1.0),
        seed=0,
        precision="fp32",
        work=work,
        draws=draws_of([task], splits["train"]),
    )
    outputs = predict(model.eval(), [task], splits["test"], 500)[0].outputs
    return recall_of(outputs.argmax(-1), splits["test"])


@pytest.fixture(scope="module")
def missed(splits, tmp_path_factory) -> float:
    """Recall without any way."""
    return trained("none", splits, tmp_path_factory.mktemp("none"))


def test_the_rare_label_is_missed_without_any_way(reference, missed):
    assert reference > 0.75
    assert missed < reference - 0.3


@pytest.mark.parametrize(
    ("way", "less"),
    [
        ("balanced", 0.1),
        ("logit_adjustment", 0.1),
        ({"rare": 19.0}, 0.1),
        ("balanced_sampler", 0.2),
    ],
)
def test_the_rare_label_is_found_about_as_by_a_balanced_logistic_regression(
    way, less, splits, reference, tmp_path
):
    assert trained(way, splits, tmp_path) > reference - less


@pytest.mark.parametrize("method", ["pgd", "free", "trades", "mart"])
def test_the_rare_label_is_found_under_attack_too(method, splits, missed, tmp_path):
    assert trained("balanced", splits, tmp_path, method) > missed + 0.2


def test_rows_of_rare_labels_are_drawn_as_often_as_others(splits):
    data = splits["train"]
    draws = np.where(data.labels == RARE, 20.0, 20 / 19) / 2
    sampler = LengthGroupedBatches(data.lengths, 32, 0, draws)
    epochs = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        epochs.append(np.concatenate([np.array(batch) for batch in sampler]))
    assert {len(epoch) for epoch in epochs} == {len(data)}
    assert abs(np.mean(data.labels[np.concatenate(epochs)] == RARE) - 0.5) < 0.02
    sampler.set_epoch(3)
    assert np.array_equal(np.concatenate([np.array(batch) for batch in sampler]), epochs[3])


def test_the_sampler_is_asked_of_the_first_task_that_cares(splits):
    facts = balance("balanced_sampler", NAMES, ["common"] * 19 + ["rare"], "label")
    cares = Classification("label", {"labels": NAMES} | facts)
    plain = Classification("label", {"labels": NAMES})
    assert draws_of([plain], splits["train"]) is None
    drawn_by = draws_of([plain, cares], splits["train"])
    assert drawn_by is not None
    by_label = [drawn_by[splits["train"].labels == label].sum() for label in (0, RARE)]
    assert by_label[0] == pytest.approx(by_label[1])
