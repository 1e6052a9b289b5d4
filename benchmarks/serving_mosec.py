"""The predictor behind mosec, which cleans rows in processes of their own.

python -m benchmarks.serving_mosec models/export --port 8001
"""

from __future__ import annotations

import sys
from typing import Any

import mosec

from benchmarks.served_predictor import (
    MAX_BATCH_ROWS,
    MAX_WAIT_MS,
    answered,
    cleaned,
    predictor,
    told,
)

CLEANERS = 2


class Clean(mosec.Worker):
    """Rows of requests to cleaned ones."""

    def __init__(self) -> None:
        super().__init__()
        self.model = predictor()

    def forward(self, data: dict[str, Any]) -> Any:
        return cleaned(self.model, data)


class Model(mosec.Worker):
    """Up to 32 cleaned rows to answers."""

    def __init__(self) -> None:
        super().__init__()
        self.model = predictor()

    def forward(self, data: list[Any]) -> list[dict[str, Any]]:
        return answered(self.model, data)


if __name__ == "__main__":
    port = told()
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(port), "--timeout", "60000"]
    server = mosec.Server()
    server.append_worker(Clean, num=CLEANERS)
    server.append_worker(
        Model, num=1, max_batch_size=MAX_BATCH_ROWS, max_wait_time=MAX_WAIT_MS, timeout=60
    )
    server.run()
