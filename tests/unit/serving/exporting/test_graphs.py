"""Graphs answer as their models do, whatever the batch, the lengths and what is absent."""

from itertools import combinations

import numpy as np
import pytest
import torch

from fuseline.learning.model.fusion import FUSIONS
from fuseline.serving.contract import ControlFacts
from fuseline.serving.exporting.attacked import TEXT_DELTA, write_attackable
from fuseline.serving.exporting.graphs import (
    Flat,
    exported_tasks,
    input_names,
    quantise,
    shortest,
    write_decoder_graph,
    write_encoder_graph,
    write_model_graph,
)
from fuseline.serving.sessions import Graph
from fuseline.serving.writing import Steps
from tests.support.models_with_image_layers import SIDE, topped_classifier
from tests.support.tiny_models import EVERY, classifier, config

HEADS = [
    ("classification", {"kind": "pooled", "size": 3}, {"labels": ["ant", "bee", "cat"]}),
    ("token_classification", {"kind": "tokens", "size": 2}, {"labels": ["B", "O"]}),
    ("retrieval", {"kind": "contrastive", "modalities": ["text", "image"]}, {}),
    ("regression", {"kind": "pooled", "size": 1}, {}),
]
TASKS = [
    {"name": kind, "kind": kind, "target": kind, "weight": 1.0, "head": head, "facts": facts}
    for kind, head, facts in HEADS
]


def shallow(*kind, **changes):
    """A model of one text layer: several show with the whole one, and each takes long to write."""
    text = config().text_config | {"num_hidden_layers": 1}
    return classifier(*kind, text_config=text, **changes)


def given(model, rows, tokens, kept, seed=0):
    """Inputs of rows that have some modalities; the first text is short."""
    random = np.random.default_rng(seed)
    mask = np.ones((rows, tokens), dtype=np.int64)
    mask[0, max(1, tokens // 2) :] = 0
    inputs = {
        "input_ids": random.integers(5, 50, (rows, tokens)),
        "attention_mask": mask,
        "text_mask": np.full(rows, "text" in kept),
    }
    for name, shape in model.config.features.items():
        size = (rows, shape["positions"], shape["dim"])
        inputs[f"{name}_features"] = random.normal(size=size).astype(np.float32)
        inputs[f"{name}_mask"] = np.full(rows, name in kept)
    return {name: inputs[name] for name in input_names(model.config)}


def expected(model, tasks, inputs):
    flat = Flat(model, tasks)
    with torch.no_grad():
        found = flat(*(torch.from_numpy(inputs[name]) for name in flat.inputs))
    return {name: value.numpy() for name, value in zip(flat.outputs, found, strict=True)}


def written(model, folder):
    tasks = exported_tasks(model.config)
    write_model_graph(model, tasks, folder / "model.onnx")
    return tasks, Graph(folder / "model.onnx", 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model of every modality with every head: its tasks, and the folder of its graphs."""
    folder = tmp_path_factory.mktemp("whole")
    model = classifier(modalities=EVERY, tasks=TASKS)
    tasks, _ = written(model, folder)
    quantise(folder / "model.onnx", folder / "model.int8.onnx")
    return model, tasks, folder


def check(model, tasks, graph):
    """Whatever the batch, the lengths, and what the rows lack."""
    names = model.config.modalities
    subsets = [kept for n in range(len(names) + 1) for kept in combinations(names, n)]
    for rows, tokens in ((1, 1), (3, 7), (32, 20)):
        for kept in subsets:
            inputs = given(model, rows, tokens, kept)
            wanted = expected(model, tasks, inputs)
            found = graph(inputs)
            assert list(found) == list(wanted)
            for name, value in found.items():
                assert value == pytest.approx(wanted[name], abs=1e-4), (name, rows, kept)


def test_a_graph_of_every_head_and_modality_answers_as_its_model(whole):
    model, tasks, folder = whole
    check(model, tasks, Graph(folder / "model.onnx", 1))


@pytest.mark.parametrize("fusion", sorted(set(FUSIONS) - {"attention"}))
def test_so_does_that_of_every_fusion(fusion, tmp_path):
    model = shallow(fusion)
    check(model, *written(model, tmp_path))


def test_so_does_that_of_several_pictures_a_row(tmp_path):
    model = shallow(features={"image": {"positions": 8, "dim": 12, "places": 2}})
    tasks, graph = written(model, tmp_path)
    inputs = given(model, 3, 7, ("text", "image"))
    # The second row lacks its first picture, the third its second.
    inputs["image_features"][1, :4] = inputs["image_features"][2, 4:] = np.nan
    wanted = expected(model, tasks, inputs)["task_0"]
    assert np.isfinite(wanted).all()
    assert graph(inputs)["task_0"] == pytest.approx(wanted, abs=1e-4)


def test_so_does_that_of_a_model_with_image_layers_and_of_what_lies_below(tmp_path):
    model = topped_classifier()
    tasks, graph = written(model, tmp_path)
    assert shortest(model.config, "image") == model.config.features["image"]["positions"]
    write_encoder_graph(model.fuseline.image_encoder, SIDE, tmp_path / "image.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, SIDE, SIDE)).astype(np.float32)
    states = Graph(tmp_path / "image.onnx", 1)({"pixels": pixels})["features"]
    below = model.fuseline.image_encoder(torch.from_numpy(pixels)).detach()
    assert states == pytest.approx(below.numpy(), abs=1e-4)
    inputs = given(model, 3, 7, ("text", "image")) | {"image_features": states}
    assert graph(inputs)["task_0"] == pytest.approx(
        expected(model, tasks, inputs)["task_0"], abs=1e-4
    )


def test_what_all_rows_lack_takes_one_position(whole):
    model, _, folder = whole
    graph = Graph(folder / "model.onnx", 1)
    inputs = given(model, 3, 7, ("text",))
    short = inputs | {"image_features": inputs["image_features"][:, :1]}
    assert shortest(model.config, "image") == 1
    assert graph(short)["task_0"] == pytest.approx(graph(inputs)["task_0"], abs=1e-5)


def test_two_exports_are_the_same_bytes_and_name_no_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        model = shallow("concat", tasks=[writes("text")])
        written(model, tmp_path / name)
        quantise(tmp_path / name / "model.onnx", tmp_path / name / "model.int8.onnx")
        write_decoder_graph(model.heads[0], tmp_path / name / "decoder.onnx")
    for file in ("model.onnx", "model.int8.onnx", "decoder.onnx"):
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert b".py" not in content


def test_integers_are_near(whole):
    model, _, folder = whole
    inputs = given(model, 8, 7, EVERY)
    exact, near = (Graph(folder / file, 1)(inputs) for file in ("model.onnx", "model.int8.onnx"))
    assert 0.0 < np.abs(exact["task_0"] - near["task_0"]).max() < 0.2


@pytest.mark.parametrize("file", ["model.onnx", "model.int8.onnx"])
def test_an_attackable_graph_adds_to_the_word_vectors(whole, tmp_path, file):
    model, _, folder = whole
    write_attackable(folder / file, tmp_path / file, 16)
    plain, attackable = Graph(folder / file, 1), Graph(tmp_path / file, 1)
    inputs = given(model, 3, 7, ("text", "image"))
    delta = np.random.default_rng(1).normal(size=(3, 7, 16)).astype(np.float32)
    nothing = attackable(inputs | {TEXT_DELTA: np.zeros_like(delta)})["task_0"]
    assert nothing == pytest.approx(plain(inputs)["task_0"], abs=1e-6)
    moved = attackable(inputs | {TEXT_DELTA: delta})["task_0"]
    words = model.get_input_embeddings()(torch.from_numpy(inputs["input_ids"]))
    rest = {k: torch.from_numpy(v) for k, v in inputs.items() if k != "input_ids"}
    with torch.no_grad():
        logits = model(inputs_embeds=words + torch.from_numpy(delta), **rest).logits
    assert moved == pytest.approx(logits.numpy(), abs=1e-4 if file == "model.onnx" else 0.2)
    assert np.abs(moved - nothing).max() > 1e-3


def writes(name, **controls):
    """A task that writes texts of at most four tokens."""
    told = {"key": f"{name}_controls", "values": controls, "dropout": 0.0}
    head = {
        "kind": "decoder", "key": f"{name}_labels", "vocab_size": 40, "num_layers": 2,
        "num_heads": 2, "max_length_tokens": 4, **({"controls": told} if controls else {}),
    }  # fmt: skip
    entry = {"name": name, "kind": "generation", "target": name, "weight": 1.0}
    return {**entry, "head": head, "facts": {}}


def test_the_contract_tells_how_each_text_is_written():
    model = classifier(tasks=[writes("one", style=["a", "b"], length=["x"]), writes("two")])
    one, two = exported_tasks(model.config)
    assert one.decoder.files == {"onnx": "decoder.onnx", "int8": "decoder.int8.onnx"}
    assert two.decoder.files == {"onnx": "decoder_2.onnx", "int8": "decoder_2.int8.onnx"}
    # In the order of their tokens, which follow the words'.
    assert one.decoder.controls == [
        ControlFacts(name="length", any=40, values={"x": 41}),
        ControlFacts(name="style", any=42, values={"a": 43, "b": 44}),
    ]
    assert two.decoder.controls == []
    assert Flat(model, [one, two]).outputs == [
        "vector",
        "task_0", "task_0_0_keys", "task_0_0_values", "task_0_1_keys", "task_0_1_values",
        "task_1", "task_1_0_keys", "task_1_0_values", "task_1_1_keys", "task_1_1_values",
    ]  # fmt: skip


@pytest.mark.parametrize("controls", [{}, {"style": ["a", "b"]}])
def test_a_decoders_graph_gives_the_next_token(controls, tmp_path):
    model = shallow(tasks=[writes("one", **controls)])
    head, facts = model.heads[0], exported_tasks(model.config)[0].decoder
    # Of a fresh decoder all logits are much the same.
    for part in head.decoder.modules():
        if isinstance(part, torch.nn.Linear):
            torch.nn.init.normal_(part.weight, std=0.2)
    write_decoder_graph(head, tmp_path / "decoder.onnx")
    quantise(tmp_path / "decoder.onnx", tmp_path / "decoder.int8.onnx")
    graph, near = (Graph(tmp_path / f"decoder{end}.onnx", 1) for end in ("", ".int8"))
    random = np.random.default_rng(0)
    for rows, length, states in ((1, 1, 1), (3, 2, 9), (32, 4 + len(controls), 70)):
        tokens = random.integers(0, 40 + 3 * len(controls), (rows, length))
        memory = torch.from_numpy(random.normal(size=(rows, states, 16)).astype(np.float32))
        mask = torch.ones(rows, states, dtype=torch.long)
        mask[0, 1:] = 0
        with torch.no_grad():
            wanted = head.decoder(
                input_ids=torch.from_numpy(tokens),
                encoder_hidden_states=memory,
                encoder_attention_mask=mask,
            ).logits.numpy()
            parts = [
                project(memory).unflatten(-1, (2, 8)).transpose(1, 2)
                for layer in head.decoder.bert.encoder.layer
                for project in (layer.crossattention.self.key, layer.crossattention.self.value)
            ]
        held = [one.numpy() for one in (mask, *parts)]
        for made, apart in ((graph, 1e-4), (near, 0.5)):
            # One by one, and all at once.
            step = Steps(made, facts, held)
            assert step(tokens[:, :1], None) == pytest.approx(wanted[:, 0], abs=apart)
            for place in range(1, length):
                found = step(tokens[:, [place]], None)
                assert found == pytest.approx(wanted[:, place], abs=apart)
            if length > 2:
                found = Steps(made, facts, held)(tokens, None)
                assert found == pytest.approx(wanted[:, -1], abs=apart)
