"""Trained networks as ONNX graphs.

Shapes: B batch, T tokens, P positions of a feature modality, D its dim, S pixels a side.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.control_tokens import ControlTokens
from fuseline.learning.model.decoder import DecoderHead
from fuseline.learning.model.output import FuselineOutput
from fuseline.learning.model.recommender import PersonTower
from fuseline.serving.contract import VECTOR, ControlFacts, DecoderFacts, ExportedTask
from fuseline.serving.writing import STEP_INPUTS, STEP_OUTPUT

# Of the example that a graph is traced with; in the graph they are open.
ROWS, TOKENS = 2, 5
# What a decoder keeps of each layer.
_KEPT = ("keys", "values")


class Flat(nn.Module):
    """A model whose inputs and outputs are tensors in a fixed order.

    Args:
        model: the fine-tuned model.
        tasks: its tasks.
    """

    def __init__(self, model: FuselineForTasks, tasks: Sequence[ExportedTask]) -> None:
        super().__init__()
        self.model = model
        self.inputs = input_names(model.config)
        self.outputs = [VECTOR, *output_names(tasks)]

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The fused vector (B, W), then of every task its logits and those of each modality; of one
        that writes texts what to write them from."""
        fused = self.model.fuseline(**dict(zip(self.inputs, given, strict=True)))
        outputs = [fused.pooled]
        for head in self.model.heads:
            if isinstance(head, DecoderHead):
                outputs += _memory(head, fused)
                continue
            found = head(fused, {})
            outputs += [found.logits, *found.by_modality.values()]
        return tuple(outputs)


class Step(nn.Module):
    """A decoder that goes on by some tokens; see `TextWriter`."""

    def __init__(self, head: DecoderHead) -> None:
        super().__init__()
        self.decoder = head.decoder

    def forward(self, tokens: Tensor, memory_mask: Tensor, *cached: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, V) of the token after `tokens` (B, L), and what is cached for the next call.

        Args:
            tokens: new ones.
            memory_mask: (B, S).
            cached: of every layer the keys and values of its tokens so far (B, H, P, D), then of
                every layer those of the memory (B, H, S, D).
        """
        half = len(cached) // 2
        own, memory = _cache(cached[:half]), _cache(cached[half:])
        before, new = cached[0].shape[2], tokens.shape[1]
        places = torch.arange(new) + before
        seen = torch.arange(before + new)[None, :] <= places[:, None]
        logits: Tensor = self.decoder(
            input_ids=tokens,
            position_ids=places[None, :],
            attention_mask=seen[None, None].expand(tokens.shape[0], 1, new, before + new),
            # Of these nothing but their number counts where the cache holds their keys.
            encoder_hidden_states=memory_mask[..., None].float(),
            encoder_attention_mask=memory_mask,
            past_key_values=EncoderDecoderCache(own, memory),
            use_cache=True,
            logits_to_keep=1,
        ).logits
        kept = [part for layer in own.layers for part in (layer.keys, layer.values)]
        return (logits[:, 0].float(), *kept)


def _cache(parts: Sequence[Tensor]) -> DynamicCache:
    """Of the keys and values of every layer."""
    cache = DynamicCache()
    for layer, place in enumerate(range(0, len(parts), 2)):
        cache.update(parts[place], parts[place + 1], layer)
    return cache


def _memory(head: DecoderHead, fused: FuselineOutput) -> list[Tensor]:
    """What texts are written from: the mask (B, S) of the states, and of every layer their keys and
    values (B, H, S, D)."""
    states, mask = head.memory(fused)
    found = [mask]
    for layer in head.decoder.bert.encoder.layer:
        attention = layer.crossattention.self
        for project in (attention.key, attention.value):
            parts = project(states).unflatten(-1, (-1, attention.attention_head_size))
            found.append(parts.transpose(1, 2))
    return found


def exported_tasks(config: FuselineConfig) -> list[ExportedTask]:
    """Entries of the contract."""
    alone = config.modalities if len(config.modalities) > 1 else []
    writes = [n for n, task in enumerate(config.tasks) if task["head"]["kind"] == "decoder"]
    return [
        ExportedTask(
            name=task["name"],
            kind=task["kind"],
            facts=task["facts"],
            output=f"task_{number}",
            by_modality={name: f"task_{number}_{name}" for name in alone}
            if task["head"]["kind"] == "pooled"
            else {},
            decoder=_decoder_facts(config, number, writes.index(number))
            if number in writes
            else None,
        )
        for number, task in enumerate(config.tasks)
    ]


def _decoder_facts(config: FuselineConfig, number: int, place: int) -> DecoderFacts:
    """Of the task of a number, whose decoder stands at some place among the model's decoders."""
    head = config.tasks[number]["head"]
    stem = f"decoder_{place + 1}" if place else "decoder"
    controls = ControlTokens(head.get("controls", {"values": {}})["values"])
    numbers = controls.tokens(torch.zeros(1, len(controls), dtype=torch.long))
    firsts = (head["vocab_size"] + numbers)[0].tolist()
    parts = [f"{layer}_{part}" for layer in range(head["num_layers"]) for part in _KEPT]
    return DecoderFacts(
        files={"onnx": f"{stem}.onnx", "int8": f"{stem}.int8.onnx"},
        memory=[f"task_{number}_{part}" for part in parts],
        num_heads=head["num_heads"],
        head_size=config.hidden_size // head["num_heads"],
        max_length_tokens=head["max_length_tokens"],
        special_tokens=config.special_tokens,
        controls=[
            ControlFacts(
                name=name,
                any=first,
                values={value: first + 1 + place for place, value in enumerate(values)},
            )
            for first, (name, values) in zip(firsts, controls.values.items(), strict=True)
        ],
    )


def input_names(config: FuselineConfig) -> list[str]:
    """Inputs of a model's graph, in order."""
    text = ["input_ids", "attention_mask", "text_mask"] if "text" in config.modalities else []
    return [*text, *(f"{name}_{part}" for name in sorted(config.features) for part in _FEATURE)]


_FEATURE = ("features", "mask")


def output_names(tasks: Sequence[ExportedTask]) -> list[str]:
    """Outputs of a model's graph behind the fused vector, in order."""
    memory = {task.output: task.decoder.memory for task in tasks if task.decoder}
    return [
        name
        for task in tasks
        for name in (task.output, *task.by_modality.values(), *memory.get(task.output, []))
    ]


def write_model_graph(model: FuselineForTasks, tasks: Sequence[ExportedTask], path: Path) -> None:
    """Write the graph of a model: any number of rows, texts of any length, each modality may be
    absent in any row."""
    flat = Flat(model, tasks).eval()
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens")
    examples, shapes = [], []
    for name in flat.inputs:
        examples.append(_example(name, model.config))
        open_ones = {0: batch}
        if name in ("input_ids", "attention_mask"):
            open_ones[1] = tokens
        elif (positions := _positions(name, model.config)) is not None:
            open_ones[1] = positions
        shapes.append(open_ones)
    _write(flat, tuple(examples), (tuple(shapes),), flat.inputs, flat.outputs, path)


def write_decoder_graph(head: DecoderHead, path: Path) -> None:
    """Write the graph that writes on: any number of rows, of states, of tokens so far and of new
    ones."""
    config = head.decoder.config
    heads, layers = config.num_attention_heads, config.num_hidden_layers
    size = config.hidden_size // heads
    longest = config.max_position_embeddings
    batch, states = torch.export.Dim("batch"), torch.export.Dim("states")
    before = torch.export.Dim("before", min=0, max=longest)
    new = torch.export.Dim("new", max=longest)
    lengths = [3] * 2 * layers + [TOKENS] * 2 * layers
    # One tensor in two places would be taken for one input.
    cached = [torch.zeros(ROWS, heads, length, size) for length in lengths]
    tokens = torch.full((ROWS, 2), config.bos_token_id)
    examples = (tokens, torch.ones(ROWS, TOKENS).long(), *cached)
    shapes = [{0: batch, 1: new}, {0: batch, 1: states}]
    open_ones = [{0: batch, 2: before}] * 2 * layers + [{0: batch, 2: states}] * 2 * layers
    names = [f"{layer}_{part}" for layer in range(layers) for part in _KEPT]
    inputs = [*STEP_INPUTS, *(f"own_{name}" for name in names), *(f"memory_{n}" for n in names)]
    outputs = [STEP_OUTPUT, *(f"kept_{name}" for name in names)]
    _write(Step(head).eval(), examples, (*shapes, tuple(open_ones)), inputs, outputs, path)


def write_person_graph(person: PersonTower, length: int, path: Path) -> None:
    """Write the graph of the tower of people, for histories of `length` events, padded."""
    width = person.constant.shape[0]
    given = (
        torch.zeros(ROWS, length, width),
        torch.ones(ROWS, length, dtype=torch.bool),
        torch.zeros(ROWS, length),
    )
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in given)
    names = ["history", "mask", "ages"], ["parts", "constant"]
    _write(person.eval(), given, shapes, *names, path)


def write_encoder_graph(encoder: nn.Module, image_size: int, path: Path) -> None:
    """Write the graph of an image encoder: `pixels` (B, 3, S, S) in [0, 255] to `features`
    (B, P, D)."""
    pixels = torch.zeros(ROWS, 3, image_size, image_size)
    shapes = ({0: torch.export.Dim("batch")},)
    _write(encoder.eval(), (pixels,), shapes, ["pixels"], ["features"], path)


def quantise(path: Path, quantised: Path) -> None:
    """Write a graph again with weights in 8-bit integers, a scale a channel; activations are
    rounded as they come (dynamic quantisation), each tensor by its own range, so that an answer
    depends a little on the rows beside it."""
    with _silent(logging.getLogger()):
        quantize_dynamic(str(path), str(quantised), per_channel=True, weight_type=QuantType.QInt8)
    _save(onnx.load(str(quantised)), quantised)


@contextlib.contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Errors alone are logged meanwhile."""
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def shortest(config: FuselineConfig, modality: str) -> int:
    """How few positions of a modality's features the graph takes: one, which stands for the absent
    modality, but where the model's own layers need them all."""
    image = config.image_encoder
    needs_all = modality == "image" and image is not None and image["top_layers"]
    return int(config.features[modality]["positions"]) if needs_all else 1


def _positions(name: str, config: FuselineConfig) -> Any:
    """The open dimension of an input's positions; None where it has none, or all are needed."""
    modality, _, part = name.rpartition("_")
    if part != "features":
        return None
    most = config.features[modality]["positions"]
    least = shortest(config, modality)
    return torch.export.Dim(f"{modality}_positions", min=least, max=most) if least < most else None


def _example(name: str, config: FuselineConfig) -> Tensor:
    if name == "input_ids":
        return torch.full((ROWS, TOKENS), config.special_tokens["mask"])
    if name == "attention_mask":
        return torch.ones(ROWS, TOKENS, dtype=torch.long)
    if name.endswith("_mask"):
        return torch.ones(ROWS, dtype=torch.bool)
    shape = config.features[name.removesuffix("_features")]
    return torch.zeros(ROWS, shape["positions"], shape["dim"])


def _write(
    module: nn.Module,
    examples: tuple[Tensor, ...],
    shapes: Any,
    inputs: list[str],
    outputs: list[str],
    path: Path,
) -> None:
    with (
        _silent(logging.getLogger("torch.onnx")),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        torch.no_grad(),
    ):
        # Of its own progress, and of libraries that it would also know.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            examples,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=inputs,
            output_names=outputs,
            verbose=False,
        )
    assert program is not None  # only the exporter before this one gives none
    _save(program.model_proto, path)


def _save(graph: onnx.ModelProto, path: Path) -> None:
    """Write a graph without what tells where it was traced: the same model, the same bytes."""
    for holder in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info):
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    for function in graph.functions:
        function.ClearField("metadata_props")
    path.write_bytes(graph.SerializeToString(deterministic=True))
