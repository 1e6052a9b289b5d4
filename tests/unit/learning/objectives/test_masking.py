"""Choosing what to mask: whole words together, spans of whole words, about the asked share."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from fuseline.errors import ConfigError
from fuseline.learning.objectives.masking import (
    MASKINGS,
    MAX_SPAN_WORDS,
    MAX_WORD_PIECES,
    own_columns,
    words_of,
)
from fuseline.learning.objectives.mlm import MaskedLanguageModelling
from fuseline.params.pretrain import ObjectiveParams
from tests.support.tiny_models import CONTINUES_WORD, objective_params, pretrainer, rows

ROWS, TOKENS = 64, 48
NO_ID = -1


def texts(seed=0):
    """Maskable tokens of texts of many lengths between two special ones, and their words."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, TOKENS - 2, (ROWS, 1), generator=generator)
    columns = torch.arange(TOKENS).expand(ROWS, -1)
    maskable = (columns > 0) & (columns <= lengths)
    continues = torch.rand(ROWS, TOKENS, generator=generator) < 0.4
    return maskable, words_of(maskable, continues)


def choose(name, maskable, words, share=0.15, seed=0):
    torch.manual_seed(seed)
    words = words if MASKINGS[name].whole_words else own_columns(maskable)
    return MASKINGS[name].choose(maskable, words, share)


def words_by_row(maskable, words):
    """By row the columns of each word, in order."""
    for row in range(len(words)):
        columns = maskable[row].nonzero().squeeze(1)
        starts = words[row][columns].unique().tolist()
        yield row, [columns[words[row][columns] == start].tolist() for start in starts]


every_kind = pytest.mark.parametrize("name", MASKINGS)
word_kinds = pytest.mark.parametrize("name", [n for n, m in MASKINGS.items() if m.whole_words])


def test_the_table_holds_what_the_params_allow():
    allowed = ObjectiveParams.model_fields["mlm_masking"].annotation.__args__
    assert set(allowed) == set(MASKINGS)


def test_pieces_join_the_word_in_front_of_them():
    maskable = torch.tensor([[0, 1, 1, 1, 1, 0, 1, 1]]).bool()
    continues = torch.tensor([[0, 1, 1, 0, 1, 1, 1, 0]]).bool()
    assert words_of(maskable, continues).tolist() == [[0, 1, 1, 3, 3, 5, 6, 7]]


def test_a_run_without_end_is_cut_into_words():
    maskable = torch.ones(1, 2 * MAX_WORD_PIECES + 1).bool()
    words = words_of(maskable, torch.ones_like(maskable))
    expected = [0] * MAX_WORD_PIECES + [MAX_WORD_PIECES] * MAX_WORD_PIECES + [2 * MAX_WORD_PIECES]
    assert words.tolist() == [expected]


@word_kinds
def test_the_pieces_of_a_word_are_chosen_together(name):
    maskable, words = texts()
    chosen = choose(name, maskable, words).chosen
    several = 0
    for row, columns_of_words in words_by_row(maskable, words):
        for columns in columns_of_words:
            assert len(set(chosen[row, columns].tolist())) == 1
            several += len(columns) > 1 and bool(chosen[row, columns[0]])
    assert several > 20


@every_kind
def test_only_maskable_tokens_and_at_least_one_of_every_text(name):
    maskable, words = texts()
    maskable[0] = False
    for seed in range(20):
        chosen = choose(name, maskable, words, share=0.01, seed=seed).chosen
        assert not (chosen & ~maskable).any()
        assert torch.equal(chosen.any(1), maskable.any(1))


@every_kind
@pytest.mark.parametrize("share", [0.15, 0.5])
def test_the_share_holds_on_average(name, share):
    maskable = torch.ones(200, TOKENS).bool()
    continues = torch.rand(200, TOKENS, generator=torch.Generator().manual_seed(99)) < 0.4
    words = words_of(maskable, continues)
    found = [choose(name, maskable, words, share, seed).chosen.float().mean() for seed in range(10)]
    assert torch.stack(found).mean() == pytest.approx(share, abs=0.01)


@every_kind
def test_the_same_seed_gives_the_same_choice(name):
    maskable, words = texts()
    first, second, other = (choose(name, maskable, words, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.chosen, second.chosen)
    assert torch.equal(first.units, second.units)
    assert not torch.equal(first.chosen, other.chosen)


@every_kind
def test_it_runs_where_only_deterministic_kernels_may(name):
    torch.set_deterministic_debug_mode("error")
    choose(name, *texts())


def spans_of(maskable, words, choice):
    """Words of every span, as their places in the text."""
    for row, columns_of_words in words_by_row(maskable, words):
        spans = {}
        for place, columns in enumerate(columns_of_words):
            if choice.chosen[row, columns[0]]:
                units = set(choice.units[row, columns].tolist())
                assert len(units) == 1, "a word belongs to one span"
                spans.setdefault(units.pop(), []).append(place)
        yield from spans.values()


def test_spans_are_words_in_a_row():
    maskable, words = texts()
    spans = [
        span
        for seed in range(10)
        for span in spans_of(maskable, words, choose("span", maskable, words, 0.4, seed))
    ]
    assert all(later == earlier + 1 for span in spans for earlier, later in pairwise(span))
    assert max(len(span) for span in spans) <= MAX_SPAN_WORDS
    assert sum(len(span) > 1 for span in spans) > len(spans) / 3


def test_spans_are_as_long_as_in_the_paper():
    """Mean 3.8 words, in texts so long that budgets and neighbours cut few of them."""
    maskable = torch.ones(10, 6000).bool()
    words = own_columns(maskable)
    choice = choose("span", maskable, words, share=0.02)
    found = torch.tensor([len(span) for span in spans_of(maskable, words, choice)])
    assert found.max() == MAX_SPAN_WORDS
    assert found.float().mean() == pytest.approx(3.8, abs=0.25)


def test_a_span_ends_where_the_text_is_interrupted():
    maskable = torch.ones(1, 9).bool()
    maskable[0, 4] = False
    for seed in range(30):
        choice = choose("span", maskable, own_columns(maskable), 0.9, seed)
        before, after = choice.units[0, :4], choice.units[0, 5:]
        assert not set(before.tolist()) & set(after.tolist())


def test_a_span_is_hidden_in_one_way():
    """All masks, all random tokens or all as they were, unlike the pieces of single words."""
    model, batch = pretrainer(), rows(40).batch(range(40))
    # A mask token that no random draw gives.
    config = SimpleNamespace(special_tokens={"mask": NO_ID})
    markers = SimpleNamespace(config=config, mlm_bias=model.mlm_bias)
    ids = batch["input_ids"]
    kinds = {}
    for name in ("whole_word", "span"):
        objective = MaskedLanguageModelling(
            objective_params(mlm_masking=name, mlm_mask_share=0.9), CONTINUES_WORD
        )
        kinds[name] = []
        for seed in range(5):
            torch.manual_seed(seed)
            choice = objective._choose(model, batch)
            masked = objective._corrupt(markers, ids, choice) == NO_ID
            assert not (masked & ~choice.chosen).any()
            words = objective._words(batch, choice.chosen)
            units = choice.units if name == "span" else words
            for row in range(len(ids)):
                for unit in units[row][choice.chosen[row]].unique():
                    inside = choice.chosen[row] & (units[row] == unit)
                    kinds[name].append(masked[row][inside].unique().numel())
    assert set(kinds["span"]) == {1}
    assert set(kinds["whole_word"]) == {1, 2}


@word_kinds
def test_a_tokenizer_that_does_not_tell_words_is_refused(name):
    with pytest.raises(ConfigError, match=rf"pretrain\.objectives\.mlm_masking: '{name}' needs"):
        MaskedLanguageModelling(objective_params(mlm_masking=name), None)
