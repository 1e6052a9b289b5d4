"""Texts that a model writes, by the graph of its decoder.

Shapes: B rows, S states of all modalities, H heads, D their size, K control tokens, L tokens,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import Tokenizer

from fuseline.errors import ConfigError
from fuseline.learning.phrases import own_tokens
from fuseline.registry import suggestion
from fuseline.serving.beams import Limits, greedy, search
from fuseline.serving.contract import Beams, DecoderFacts, ExportedTask
from fuseline.serving.sessions import Graph

# What a decoder's graph takes in front of the keys and values of its own tokens and of the memory,
# and what it gives in front of those to go on with.
STEP_INPUTS = ["tokens", "memory_mask"]
STEP_OUTPUT = "logits"


class Steps:
    """A decoder that goes on from call to call.

    Args:
        graph: of the decoder.
        facts: of it.
        memory: what B texts are written from, as the model's graph gives it: the mask (B, S), and
            of each layer keys and values (B, H, S, D).
    """

    def __init__(self, graph: Graph, facts: DecoderFacts, memory: Sequence[np.ndarray]) -> None:
        self.graph = graph
        mask, *parts = memory
        shape = (len(mask), facts.num_heads, 0, facts.head_size)
        self._kept = [np.zeros(shape, dtype=np.float32) for _ in parts]
        names = graph.inputs[len(STEP_INPUTS) :]
        self._own, held = names[: len(parts)], names[len(parts) :]
        self._memory = {STEP_INPUTS[1]: mask, **dict(zip(held, parts, strict=True))}

    def __call__(self, tokens: np.ndarray, origin: np.ndarray | None) -> np.ndarray:
        """As `Step` of the searches."""
        kept = self._kept if origin is None else [part[origin] for part in self._kept]
        own = dict(zip(self._own, kept, strict=True))
        logits, *self._kept = self.graph({STEP_INPUTS[0]: tokens} | own | self._memory).values()
        return logits


class TextWriter:
    """Writes the texts of one task.

    Args:
        graph: of the decoder.
        facts: of it.
        beams: how the best text is searched for.
    """

    def __init__(self, graph: Graph, facts: DecoderFacts, beams: Beams) -> None:
        self.graph, self.facts, self.beams = graph, facts, beams
        special = facts.special_tokens
        self.limits = Limits(special["sep"], special["pad"], facts.max_length_tokens)

    def start(self, asked: Mapping[str, Sequence[str | None]], rows: int) -> np.ndarray:
        """(B, K + 1) what texts begin with: values of the controls by name, one for each row, None
        for any; and the token before the first."""
        columns = []
        for one in self.facts.controls:
            values = asked.get(one.name, [None] * rows)
            columns.append([one.any if v is None else one.values[v] for v in values])
        columns.append([self.facts.special_tokens["cls"]] * rows)
        return np.array(columns, dtype=np.int64).reshape(-1, rows).T

    def steps(self, memory: Sequence[np.ndarray]) -> Steps:
        """The decoder, at the beginning of B texts."""
        return Steps(self.graph, self.facts, memory)

    def tokens(self, start: np.ndarray, memory: Sequence[np.ndarray]) -> np.ndarray:
        """Ids (B, L) of texts; they may end before, and padding follows."""
        num_beams = self.beams.num_beams
        step = self.steps([np.repeat(one, num_beams, axis=0) for one in memory])
        if num_beams == 1:
            return greedy(step, start, self.limits)
        return search(step, start, self.limits, num_beams, self.beams.length_penalty)

    def own(self, ids: Sequence[int]) -> list[int]:
        """The ids of a text that its letters are of."""
        special = self.facts.special_tokens
        silent = [special[name] for name in ("pad", "cls", "mask")]
        return own_tokens(ids, special["sep"], silent)


class TaskTexts:
    """The texts of one task, for rows that are all asked alike.

    Args:
        output: of the model's graph, the task's own.
        writer: of the task.
        tokenizer: of the model.
        asked: values by control; those that the task has no such control for are passed over.
    """

    def __init__(
        self, output: str, writer: TextWriter, tokenizer: Tokenizer, asked: Mapping[str, str]
    ) -> None:
        self.output, self.writer, self.tokenizer, self.asked = output, writer, tokenizer, asked

    @property
    def reads(self) -> list[str]:
        """The outputs of the model's graph that are of no other use."""
        return [self.output, *self.writer.facts.memory]

    def __call__(self, outputs: Mapping[str, np.ndarray]) -> list[str]:
        """Texts of B rows, of the outputs that the model's graph gave for them."""
        memory = [outputs[name] for name in self.reads]
        rows = len(memory[0])
        asked = {name: [value] * rows for name, value in self.asked.items()}
        tokens = self.writer.tokens(self.writer.start(asked, rows), memory)
        own = [self.writer.own(ids) for ids in tokens.tolist()]
        return [self.tokenizer.decode(ids, skip_special_tokens=False) for ids in own]


def check_controls(tasks: Sequence[ExportedTask], asked: Mapping[str, str]) -> None:
    """Make sure that what is asked of the texts can be asked for.

    Args:
        tasks: of the model.
        asked: values by control.

    Raises:
        ConfigError: no task has the control, or one that has it does not know the value.
    """
    known: dict[str, list[dict[str, int]]] = {}
    for task in tasks:
        for one in task.decoder.controls if task.decoder else ():
            known.setdefault(one.name, []).append(one.values)
    for name, value in asked.items():
        if name not in known:
            names = f"one of {', '.join(known)}" if known else "none, as this model has no controls"
            raise ConfigError(
                f"--control: expected {names}; found '{name}'.{suggestion(name, list(known))}"
            )
        for values in known[name]:
            if value not in values:
                raise ConfigError(
                    f"--control {name}: expected one of {', '.join(values)}; found '{value}'."
                    f"{suggestion(value, list(values))}"
                )
