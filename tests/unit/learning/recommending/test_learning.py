"""The head, the trend's fit and the scorer, on people of two tastes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.data.histories import NOTHING, Histories
from fuseline.data.trend import RATES, trend
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.recommending.events import Events, TimedBatches, rows_to_learn
from fuseline.learning.recommending.neighbours import Neighbours, item_weights
from fuseline.learning.recommending.scorer import Scorer, begin_with, encode_items
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.training.recommending import ListDevelopment, development_events
from tests.support.events import interactions, tastes
from tests.support.tasks import data
from tests.support.tiny_models import config

FACTS = {
    "num_items": 24, "width": 8, "num_heads": 2, "history": 5, "events_per_row": 2,
    "horizon_days": 4.0,
}  # fmt: skip
ENTRY = {
    "name": "recommendation", "kind": "recommendation", "target": None, "weight": 1.0,
    "facts": FACTS,
    "head": {"kind": "recommendation", "num_items": 24, "width": 8, "num_heads": 2},
}  # fmt: skip
ALL = tastes()
ITEMS = replace(data(24), labels=np.ones(24, dtype=bool))


def made() -> tuple:
    torch.manual_seed(0)
    model = FuselineForTasks(config(tasks=[ENTRY])).eval()
    (task,) = build_tasks([ENTRY])
    numbers, at = rows_to_learn(ALL, 4.0, 0)
    known = ALL.between(end=ALL.dev_from)
    rows = Events(
        ITEMS, Histories.of(known), known, known.user[numbers], known.item[numbers], at, 5, 2
    )
    begin_with(model, ITEMS, "fp32", 0)
    return task, model, rows


def one_batch(rows: Events) -> dict:
    return rows.batch(next(iter(TimedBatches(rows.at, 12, 0))))


def test_logits_are_of_new_items_first_and_of_kept_ones_behind() -> None:
    task, model, rows = made()
    batch = one_batch(rows)
    logits = model(**batch).logits
    events, new = len(batch["taken"]), len(batch["row_numbers"])
    assert logits.shape == (new + events, events)
    assert torch.isinf(logits[:new, new:]).all()
    # What is kept was encoded by the same weights.
    torch.testing.assert_close(logits[:new, :new], logits[new : 2 * new, :new])
    losses = task.losses(logits, batch)
    assert losses.shape == (new,)
    assert torch.isfinite(losses).all()


def test_what_a_person_had_or_takes_too_is_no_wrong_answer() -> None:
    _, model, rows = made()
    batch = one_batch(rows)
    hidden = torch.isinf(model(**batch).logits[len(batch["row_numbers"]) :])
    for row, (user, item) in enumerate(zip(batch["users"], batch["taken"], strict=True)):
        for place, (other, taken) in enumerate(zip(batch["users"], batch["taken"], strict=True)):
            no_answer = other == user or taken == item or taken in batch["history"][row]
            assert hidden[row, place] == (bool(no_answer) and row != place)


def test_new_items_reach_the_backbone_and_kept_ones_the_head() -> None:
    task, model, rows = made()
    batch = one_batch(rows)
    task.losses(model(**batch).logits, batch).mean().backward()
    assert sum(p.grad.abs().sum() for p in model.fuseline.parameters() if p.grad is not None) > 0
    assert model.heads[0].own.weight.grad.abs().sum() > 0


def test_items_alone_get_what_their_content_says() -> None:
    _, model, _ = made()
    assert model(**ITEMS.batch([0, 1, 2])).logits.shape == (3, 8)


def test_a_divergence_is_nothing_between_equals_and_more_between_others() -> None:
    task, model, rows = made()
    batch = one_batch(rows)
    logits = model(**batch).logits.detach()
    assert task.divergence(logits, logits, batch).abs().max() < 1e-6
    assert (task.divergence(logits * 30, logits, batch) > 0).any()


def test_a_right_row_is_among_the_first() -> None:
    task, _, rows = made()
    batch = rows.batch(np.flatnonzero(rows.at == rows.at[0]))
    events, new = len(batch["taken"]), len(batch["row_numbers"])
    best = torch.cat([torch.eye(new, events), torch.eye(events)])
    assert task.right(best, batch).all()
    assert events > 10
    assert not task.right(-best, batch).any()


def test_the_trend_is_counted_as_the_development_lists_want_it() -> None:
    """All items are taken at first, and then for six days each by others every day."""
    rows = [(1 + 10 * d + u, d // 6, 1 + d + u / 100) for d in range(60) for u in range(10)]
    rows += [(0, item, item / 100) for item in range(24)]
    # Those who are asked were there before.
    rows += [(user, 23, 0.5) for user in range(1, 601)]
    late = interactions(rows, dev_day=51, test_day=54)
    task, model, _ = made()
    lists = ListDevelopment(task, ITEMS, late, development_events(late, ITEMS, FACTS), "fp32", 0)
    found = lists.choose(model)
    # The item of these days has more events within a day than any other, and fewer within thirty.
    counting = model.heads[0].rates.numpy()
    assert {RATES[way] for way in np.flatnonzero(counting)} == set(found["trend"])
    assert counting.sum() == pytest.approx(found["trend_share"])
    assert not any("30" in way for way in found["trend"])
    assert float(model.heads[0].person.share) == pytest.approx(found["person_share"])
    assert lists(model)["ndcg_at_10"] > 0.9


def test_items_that_go_together_count_where_lists_want_it() -> None:
    """Each item is followed by the next one, whoever it is that takes it: no vector was trained."""
    rows = [
        (user, item, 20 * group + item % 2 + user / 100)
        for user in range(60)
        for group in range(3)
        for item in (2 * ((user + 5 * group) % 12), 2 * ((user + 5 * group) % 12) + 1)
        if group < 2 or item % 2
    ]
    rows += [(u, 2 * ((u + 10) % 12), 30.0) for u in range(60)]
    paired = interactions(rows, dev_day=35, test_day=60)
    task, model, _ = made()
    lists = ListDevelopment(
        task, ITEMS, paired, development_events(paired, ITEMS, FACTS), "fp32", 0
    )
    before = lists(model)["ndcg_at_10"]
    found = lists.choose(model)
    assert found["neighbour_share"] == float(model.heads[0].neighbour_share) > 0
    assert found["neighbour_strength"] == float(model.heads[0].neighbour_strength)
    assert lists(model)["ndcg_at_10"] > max(0.9, before + 0.2)
    # They are nobody's doing who comes later.
    users = np.arange(10)
    late = Scorer(model, paired, paired.dev_from).scores(users)
    past = replace(paired.between(end=paired.dev_from), users=paired.users)
    np.testing.assert_array_equal(late, Scorer(model, past, paired.dev_from).scores(users))


def test_a_scorer_knows_nothing_from_its_time_on() -> None:
    _, model, _ = made()
    torch.nn.init.normal_(model.heads[0].own.weight)
    users = np.arange(10)
    found = Scorer(model, ALL, ALL.dev_from).scores(users)
    assert found.shape == (10, 24)
    past = replace(ALL.between(end=ALL.dev_from), users=ALL.users)
    np.testing.assert_array_equal(found, Scorer(model, past, ALL.dev_from).scores(users))


def test_training_finds_both_tastes() -> None:
    task, model, rows = made()
    development = ListDevelopment(
        task, ITEMS, ALL, development_events(ALL, ITEMS, FACTS), "fp32", 0
    )
    before = development(model)
    optimizer = torch.optim.Adam(model.heads[0].parameters(), 0.02)
    batches = TimedBatches(rows.at, 32, 0)
    for epoch in range(6):
        batches.set_epoch(epoch)
        for batch in map(rows.batch, batches):
            optimizer.zero_grad()
            task.losses(model(**batch).logits, batch).mean().backward()
            optimizer.step()
    after = development(model)
    assert after["ndcg_at_10"] > before["ndcg_at_10"] + 0.1
    assert set(after) == {"ndcg_at_10", "hit_rate_at_10", "loss", "right"}


def test_a_saved_model_has_the_same_items(tmp_path) -> None:
    _, model, _ = made()
    torch.nn.init.normal_(model.heads[0].own.weight)
    model.save_pretrained(tmp_path)
    loaded = FuselineForTasks.from_pretrained(tmp_path).eval()
    users = np.arange(5)
    found, again = (Scorer(one, ALL, ALL.dev_from).scores(users) for one in (model, loaded))
    np.testing.assert_allclose(found, again, rtol=1e-5)


def test_a_modality_alone_says_something_else() -> None:
    _, model, _ = made()
    whole, text = encode_items(model, ITEMS), encode_items(model, ITEMS, only="text")
    again = encode_items(model, ITEMS, only="text")
    for one, part, same in zip(whole, text, again, strict=True):
        assert one.shape == part.shape
        assert not torch.allclose(one, part)
        assert torch.equal(part, same)


def test_components_are_what_tells_items_apart() -> None:
    _, model, _ = made()
    content = model.heads[0].content
    found = encode_items(model, ITEMS).components.numpy()
    used = found.std(0) > 1e-6
    assert 0 < used.sum() < 24
    np.testing.assert_allclose(found.mean(0), 0.0, atol=1e-3)
    together = np.corrcoef(found[:, used].T)
    np.testing.assert_allclose(together, np.eye(len(together)), atol=0.02)
    vectors = content(content.kept(torch.arange(24)))
    assert vectors.std(0).min() > 0


def test_neighbours_say_what_the_whole_matrix_says() -> None:
    past = ALL.between(end=ALL.dev_from)
    compared, weights = item_weights(past, 24, 3.0)
    found = Neighbours.of(past, 24, 3.0)
    history = np.array([[compared[0], compared[2], NOTHING], [NOTHING] * 3])
    scores = found.scores(history)
    expected = np.zeros(24)
    expected[compared] = weights[0] + weights[2]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(scores[1], np.zeros(24))


def test_without_items_that_are_taken_often_there_are_no_neighbours() -> None:
    once = interactions([(user, user, user) for user in range(6)], dev_day=10, test_day=20)
    found = Neighbours.of(once, 6, 3.0)
    np.testing.assert_array_equal(found.scores(np.array([[0, 1]])), np.zeros((1, 6)))


@pytest.mark.parametrize("user", [0, 1])
def test_parts_of_a_person_sum_up(user: int) -> None:
    _, model, _ = made()
    head = model.heads[0]
    history, ages = Histories.of(ALL).before([user], ALL.dev_from, 5)
    features = torch.from_numpy(trend(ALL, ALL.dev_from, 24))
    vectors = head.vectors(torch.from_numpy(history), features)
    parts, constant = head.person(vectors, torch.ones(1, 5, dtype=bool), torch.from_numpy(ages))
    whole = head.people(torch.from_numpy(history), torch.from_numpy(ages), features)
    torch.testing.assert_close(constant + parts.sum(1), whole)
