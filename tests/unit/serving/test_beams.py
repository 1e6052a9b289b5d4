"""The searches write what Transformers' `generate` writes."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from fuseline.learning.model import FuselineForTasks
from fuseline.serving.beams import Limits, greedy, search
from tests.support.tiny_models import SPECIAL, config, rows

LONGEST, ROWS = 7, 9
CONTROLS = {"key": "it_controls", "values": {"style": ["a", "b", "c"]}, "dropout": 0.0}
LIMITS = Limits(SPECIAL["sep"], SPECIAL["pad"], LONGEST)


def writer(seed: int, controls: bool, likes_to_end: float) -> FuselineForTasks:
    head = {
        "kind": "decoder", "key": "labels", "vocab_size": 40, "num_layers": 1, "num_heads": 2,
        "max_length_tokens": LONGEST, **({"controls": CONTROLS} if controls else {}),
    }  # fmt: skip
    entry = {
        "name": "it", "kind": "generation", "target": "it", "weight": 1.0,
        "head": head, "facts": {"vocab_size": 40, "max_length_tokens": LONGEST},
    }  # fmt: skip
    torch.manual_seed(seed)
    model = FuselineForTasks(config(tasks=[entry])).eval()
    decoder = model.heads[0].decoder
    # Of a fresh model all rows get much the same text.
    for part in (*model.fuseline.modules(), *decoder.modules()):
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=0.4)
    with torch.no_grad():
        decoder.get_output_embeddings().bias[SPECIAL["sep"]] += likes_to_end
    return model


def step_of(model, batch, beams):
    """The decoder of a model as a function of tokens, for rows that each stand `beams` times."""
    head = model.heads[0]
    with torch.no_grad():
        memory, mask = head.memory(model.fuseline(**batch))
    states, there = (one.repeat_interleave(beams, 0) for one in (memory, mask))
    before = torch.zeros(ROWS * beams, 0, dtype=torch.long)

    def step(tokens: np.ndarray, origin: np.ndarray | None) -> np.ndarray:
        nonlocal before
        before = before if origin is None else before[origin]
        before = torch.cat([before, torch.from_numpy(tokens)], dim=1)
        with torch.no_grad():
            logits = head.decoder(
                input_ids=before,
                encoder_hidden_states=states,
                encoder_attention_mask=there,
                use_cache=False,
            ).logits
        return logits[:, -1].numpy()

    return step


def start_of(model, asked):
    """The control token, if there is one, and the token before the first."""
    head = model.heads[0]
    prefix = 40 + head.controls.tokens(head.controls.numbers(asked, ROWS)).numpy()
    return np.concatenate([prefix, np.full((ROWS, 1), SPECIAL["cls"])], axis=1)


def own(tokens):
    """Up to the end."""
    rows = [list(row) for row in tokens]
    return [row[: row.index(3)] if 3 in row else row for row in rows]


@pytest.mark.parametrize("likes_to_end", [0.0, 2.0, 4.0])
@pytest.mark.parametrize(("seed", "asked"), [(0, None), (1, {}), (2, {"style": "b"})])
def test_every_search_writes_what_transformers_writes(seed, asked, likes_to_end):
    model = writer(seed, asked is not None, likes_to_end)
    batch = {k: v for k, v in rows(ROWS).batch(np.arange(ROWS)).items() if k != "labels"}
    start = start_of(model, asked or {})
    lengths = set()
    for beams, penalty in product((1, 2, 4), (-1.0, 0.0, 1.0, 2.5)):
        options = {"num_beams": beams, "do_sample": False}
        options |= {"length_penalty": penalty} if beams > 1 else {}
        wanted = own(model.generate(batch, controls=asked, **options).tolist())
        step = step_of(model, batch, beams)
        found = (
            greedy(step, start, LIMITS)
            if beams == 1
            else search(step, start, LIMITS, beams, penalty)
        )
        assert own(found.tolist()) == wanted, (beams, penalty)
        lengths |= {len(row) for row in wanted}
    # Some end, each in its own place.
    assert likes_to_end < 4.0 or len(lengths) > 1


def test_padding_follows_the_end():
    def step(tokens, origin):
        # Ends at once, goes on for ever.
        logits = np.zeros((2, 6), dtype=np.float32)
        logits[0, 3] = logits[1, 5] = 5.0
        return logits

    found = greedy(step, np.full((2, 1), 2), Limits(3, 0, 4))
    assert found.tolist() == [[3, 0, 0, 0], [5, 5, 5, 5]]
