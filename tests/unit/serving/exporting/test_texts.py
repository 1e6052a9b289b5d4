"""A decoder's graph stands in for the head that it was made of, in training's way of asking too."""

import numpy as np
import pytest
import torch

from fuseline.data.dataset import NO_LABEL
from fuseline.serving.contract import Beams
from fuseline.serving.exporting.graphs import exported_tasks
from fuseline.serving.exporting.texts import GraphDecoder
from fuseline.serving.writing import STEP_OUTPUT, TextWriter
from tests.support.tiny_models import classifier, rows

VALUES = {"length": ["x"], "style": ["a", "b"]}
HEAD = {
    "kind": "decoder", "key": "labels", "vocab_size": 40, "num_layers": 1, "num_heads": 2,
    "max_length_tokens": 4,
    "controls": {"key": "it_controls", "values": VALUES, "dropout": 0.0},
}  # fmt: skip
TASK = {"name": "it", "kind": "generation", "target": "it", "weight": 1.0, "head": HEAD}


class HeadAsGraph:
    """The step of a decoder, without a file."""

    def __init__(self, head):
        self.head = head

    def __call__(self, given):
        given = {name: torch.from_numpy(value) for name, value in given.items()}
        with torch.no_grad():
            logits = self.head.decoder(
                input_ids=given["tokens"],
                encoder_hidden_states=given["memory"],
                encoder_attention_mask=given["memory_mask"],
                use_cache=False,
            ).logits
        return {STEP_OUTPUT: logits[:, -1].numpy()}


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
    with torch.no_grad():
        memory, mask = model.heads[0].memory(model.fuseline(**batch))
    return {"task_0": memory, "task_0_mask": mask}


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
