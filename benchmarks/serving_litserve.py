"""The predictor behind LitServe, which cleans rows in the process of the model.

python -m benchmarks.serving_litserve models/export --port 8001
"""

from __future__ import annotations

from typing import Any

import litserve

from benchmarks.served_predictor import (
    MAX_BATCH_ROWS,
    MAX_WAIT_MS,
    answered,
    cleaned,
    predictor,
    told,
)


class Api(litserve.LitAPI):
    """Up to 32 rows at once."""

    def setup(self, device: str) -> None:
        del device  # there is none but the processor
        self.model = predictor()

    # LitServe reads a JSON body where the argument has no type.
    def decode_request(self, request):
        return cleaned(self.model, request)

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def predict(self, x: list[Any]) -> list[dict[str, Any]]:
        return answered(self.model, x)

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    port = told()
    api = Api(max_batch_size=MAX_BATCH_ROWS, batch_timeout=MAX_WAIT_MS / 1000)
    server = litserve.LitServer(api, accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
