from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fuseline.data.dataset import MultimodalData

MakeData = Callable[..., MultimodalData]


@pytest.fixture
def make_data() -> MakeData:
    """Build rows of random text and image features; every argument may be overridden."""

    def make(num_rows: int = 24, num_classes: int = 3, seed: int = 0, **changes) -> MultimodalData:
        generator = np.random.default_rng(seed)
        lengths = generator.integers(3, 12, num_rows)
        values = generator.normal(size=(num_rows, 4, 6)).astype(np.float16)
        columns = {
            "example_ids": [f"row{row:03d}" for row in range(num_rows)],
            "splits": np.array(["train", "dev", "test"] * num_rows)[:num_rows],
            "groups": np.arange(num_rows),
            "langs": np.zeros(num_rows, dtype=np.int64),
            "input_ids": [
                np.array([2, *generator.integers(5, 20, n - 2), 3], dtype=np.int64) for n in lengths
            ],
            "text_mask": np.ones(num_rows, dtype=bool),
            "features": {"image": values},
            "feature_mask": {"image": np.ones(num_rows, dtype=bool)},
            "labels": generator.integers(0, num_classes, num_rows),
            "label_names": [f"class{index}" for index in range(num_classes)],
            "pad_token_id": 0,
        }
        return MultimodalData(**(columns | changes))

    return make
