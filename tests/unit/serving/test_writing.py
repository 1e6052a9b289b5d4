"""Texts by the graph of a decoder: controls, endings, spelling."""

import numpy as np
import pytest

from fuseline.errors import ConfigError
from fuseline.serving.contract import Beams, ControlFacts, DecoderFacts, ExportedTask
from fuseline.serving.writing import STEP_INPUTS, STEP_OUTPUT, TaskTexts, TextWriter, check_controls
from tests.support.tasks import tokenizer
from tests.support.tiny_models import SPECIAL

FACTS = DecoderFacts(
    files={"onnx": "decoder.onnx", "int8": "decoder.int8.onnx"},
    memory=["task_0_keys", "task_0_values"],
    num_heads=1,
    head_size=1,
    max_length_tokens=4,
    special_tokens=SPECIAL,
    controls=[
        ControlFacts(name="language", any=60, values={"de": 61, "en": 62}),
        ControlFacts(name="style", any=63, values={"fragment": 64, "question": 65}),
    ],
)


def task(**changes):
    values = {"name": "it", "kind": "generation", "facts": {}, "output": "task_0"}
    return ExportedTask(**(values | {"by_modality": {}, "decoder": FACTS} | changes))


class Repeats:
    """A graph that writes the first control token's number less 55, then the end. What it keeps are
    the tokens so far."""

    inputs = (*STEP_INPUTS, "own_keys", "own_values", "memory_keys", "memory_values")

    def __call__(self, given):
        new = given["tokens"].astype(np.float32)[:, None, :, None]
        kept = np.concatenate([given["own_keys"], new], axis=2)
        first, rows = kept[:, 0, 0, 0].astype(int), np.arange(len(new))
        logits = np.zeros((len(new), 12), dtype=np.float32)
        logits[rows, SPECIAL["sep"] if kept.shape[2] > 3 else first - 55] = 1.0
        return {STEP_OUTPUT: logits, "kept_keys": kept, "kept_values": given["own_values"]}


def writer(num_beams=1):
    return TextWriter(Repeats(), FACTS, Beams(num_beams=num_beams, length_penalty=1.0))


def test_texts_begin_with_a_token_for_each_control():
    start = writer().start({"style": ["question", None]}, 2)
    assert start.tolist() == [[60, 65, SPECIAL["cls"]], [60, 63, SPECIAL["cls"]]]


@pytest.mark.parametrize("num_beams", [1, 2])
def test_rows_are_asked_and_spelt(num_beams):
    made = tokenizer().backend_tokenizer
    asked = {"language": "en", "length": "short"}
    texts = TaskTexts("task_0", writer(num_beams), made, asked)
    assert texts.reads == ["task_0", "task_0_keys", "task_0_values"]
    outputs = {"task_0": np.ones((2, 3), dtype=np.int64)}
    outputs |= {name: np.zeros((2, 1, 3, 1), dtype=np.float32) for name in FACTS.memory}
    # Of a model with several tasks another may know the length.
    assert texts(outputs) == [made.decode([7])] * 2


def test_what_no_task_knows_cannot_be_asked():
    check_controls([task()], {"language": "de"})
    with pytest.raises(ConfigError, match=r"^--control: expected one of language, style; fou"):
        check_controls([task()], {"stile": "question"})
    with pytest.raises(ConfigError, match=r"language: expected one of de, en; found 'dee'\. Did"):
        check_controls([task()], {"language": "dee"})
    with pytest.raises(ConfigError, match=r"expected none, as this model has no controls"):
        check_controls([task(decoder=None)], {"language": "de"})
