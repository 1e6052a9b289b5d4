"""A decoder's graph stands in for the head that it was made of, in training's way of asking too."""

import numpy as np
import pytest
import torch

from fuseline.data.dataset import NO_LABEL
from fuseline.serving.contract import Beams
from fuseline.serving.exporting.graphs import Flat, Step, exported_tasks
from fuseline.serving.exporting.texts import GraphDecoder
from fuseline.serving.writing import STEP_INPUTS, STEP_OUTPUT, TextWriter
from tests.support.tiny_models import classifier, rows

VALUES = {"length": ["x"], "style": ["a", "b"]}
HEAD = {
    "kind": "decoder", "key": "labels", "vocab_size": 40, "num_layers": 2, "num_heads": 2,
    "max_length_tokens": 4,
    "controls": {"key": "it_controls", "values": VALUES, "dropout": 0.0},
}  # fmt: skip
TASK = {"name": "it", "kind": "generation", "target": "it", "weight": 1.0, "head": HEAD}


NAMES = [f"{layer}_{part}" for layer in range(2) for part in ("keys", "values")]


class HeadAsGraph:
    """The step of a decoder, without a file."""

    inputs = (*STEP_INPUTS, *(f"own_{n}" for n in NAMES), *(f"memory_{n}" for n in NAMES))
    outputs = (STEP_OUTPUT, *(f"kept_{n}" for n in NAMES))

    def __init__(self, head):
        self.step = Step(head)

    def __call__(self, given):
        with torch.no_grad():
            found = self.step(*(torch.from_numpy(given[name]) for name in self.inputs))
        return {n: value.numpy() for n, value in zip(self.outputs, found, strict=True)}


@pytest.fixture(scope="module")
def model():
    return classifier(tasks=[{**TASK, "facts": {}}])


def decoder(model, num_beams=2):
    (task,) = exported_tasks(model.config)
    beams = Beams(num_beams=num_beams, length_penalty=1.0)
    return GraphDecoder(
        task, TextWriter(HeadAsGraph(model.heads[0]), task.decoder, beams), first=True
    )


def outputs(model, batch):
    flat = Flat(model, exported_tasks(model.config))
    with torch.no_grad():
        found = flat(*(batch[name] for name in flat.inputs))
    return dict(zip(flat.outputs, found, strict=True))


def test_logits_are_those_of_the_head_after_the_labels(model):
    batch = {k: v for k, v in rows(5).batch(np.arange(5)).items() if k != "labels"}
    labels = torch.tensor(
        [[7, 8, 3], [9, 3, NO_LABEL], [NO_LABEL] * 3, [5, 6, 7], [3, NO_LABEL, NO_LABEL]]
    )
    for given in (
        batch
        | {"labels": labels, "it_controls": torch.tensor([[0, 1], [1, 2], [1, 0], [0, 0], [1, 1]])},
        batch | {"labels": labels},
        batch,
    ):
        with torch.no_grad():
            wanted = model(**given).logits
        found = decoder(model).logits(outputs(model, batch), given)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_texts_are_those_of_the_model(model):
    batch = {k: v for k, v in rows(5).batch(np.arange(5)).items() if k != "labels"}
    for asked in ({}, {"style": "b"}, {"style": ["a", None, "b", "a", None], "length": "x"}):
        wanted = model.generate(batch, controls=asked, num_beams=2, do_sample=False)
        found = decoder(model).generate(outputs(model, batch), asked)
        assert found[:, : wanted.shape[1]].tolist() == wanted.tolist()
