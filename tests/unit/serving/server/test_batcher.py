import asyncio

import pytest

from fuseline.serving.cleaning import Cleaned
from fuseline.serving.server.batcher import Batcher
from fuseline.serving.server.metrics import Metrics


def row(number):
    return Cleaned(number, None, None, {})


class Model:
    """Notes the sizes of its batches; some rows are too much for it."""

    def __init__(self, bad=()):
        self.sizes, self.bad = [], bad

    def __call__(self, rows):
        self.sizes.append(len(rows))
        if any(one.row in self.bad for one in rows):
            raise RuntimeError
        return [{"row": one.row} for one in rows]


def answered(model, requests, max_rows=4, max_wait=0.05):
    async def run():
        batcher = Batcher(model, max_rows, max_wait, Metrics())
        batcher.start()
        asked = (batcher([row(number) for number in rows]) for rows in requests)
        found = await asyncio.gather(*asked, return_exceptions=True)
        batcher.close()
        return found

    return asyncio.run(run())


def test_rows_of_several_requests_are_answered_together():
    model = Model()
    found = answered(model, [[0, 1], [2], [3, 4, 5]])
    assert found == [[{"row": number} for number in rows] for rows in ([0, 1], [2], [3, 4, 5])]
    assert model.sizes == [4, 2]


def test_without_batching_each_is_answered_alone():
    model = Model()
    answered(model, [[0], [1], [2]], max_rows=1)
    assert model.sizes == [1, 1, 1]


def test_a_row_that_is_too_much_for_the_model_spoils_no_other():
    found = answered(Model(bad={1}), [[0], [1], [2, 3]])
    assert found[0] == [{"row": 0}]
    assert isinstance(found[1], RuntimeError)
    assert found[2] == [{"row": 2}, {"row": 3}]


def test_a_request_that_is_given_up_is_not_answered():
    model = Model()

    async def run():
        metrics = Metrics()
        batcher = Batcher(model, 4, 0.05, metrics)
        batcher.start()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher([row(0)]), 0.01)
        assert await batcher([row(1)]) == [{"row": 1}]
        batcher.close()
        return metrics

    metrics = asyncio.run(run())
    assert model.sizes == [1]
    assert b"fuseline_queue_rows 0.0" in metrics.page()


def test_no_rows_are_no_work():
    assert answered(Model(), [[]]) == [[]]
