"""Texts that a model writes, by the graph of its decoder.

Shapes: B rows, S states of all modalities, W width, K control tokens, L tokens so far,
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

# Inputs of a decoder's graph, in order, and its output.
STEP_INPUTS = ["tokens", "memory", "memory_mask"]
STEP_OUTPUT = "logits"


class TextWriter:
    """Writes the texts of one task.

    Args:
        graph: of the decoder: `tokens` (B, K + L), the control tokens in front, `memory` (B, S, W)
            and `memory_mask` (B, S) to the `logits` (B, V) of the next token.
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

    def logits(self, tokens: np.ndarray, memory: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(B, V) of the next token."""
        given = dict(zip(STEP_INPUTS, (tokens, memory, mask), strict=True))
        return self.graph(given)[STEP_OUTPUT]

    def tokens(self, start: np.ndarray, memory: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Ids (B, L) of texts; they may end before, and padding follows."""
        num_beams = self.beams.num_beams
        states, there = (np.repeat(one, num_beams, axis=0) for one in (memory, mask))

        def step(tokens: np.ndarray) -> np.ndarray:
            return self.logits(tokens, states, there)

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
        output: of the model's graph, the states to write from.
        writer: of the task.
        tokenizer: of the model.
        asked: values by control; those that the task has no such control for are passed over.
    """

    def __init__(
        self, output: str, writer: TextWriter, tokenizer: Tokenizer, asked: Mapping[str, str]
    ) -> None:
        self.output, self.writer, self.tokenizer, self.asked = output, writer, tokenizer, asked

    @property
    def reads(self) -> tuple[str, str]:
        """The outputs of the model's graph that are of no other use."""
        return self.output, self.writer.facts.memory_mask

    def __call__(self, outputs: Mapping[str, np.ndarray]) -> list[str]:
        """Texts of B rows, of the outputs that the model's graph gave for them."""
        memory, mask = (outputs[name] for name in self.reads)
        asked = {name: [value] * len(memory) for name, value in self.asked.items()}
        tokens = self.writer.tokens(self.writer.start(asked, len(memory)), memory, mask)
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
