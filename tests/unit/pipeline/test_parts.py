"""Finished parts are made once, come back as they were, and a kill leaves no half of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fuseline.pipeline.parts import Parts

VALUES = [
    {"z": 1, "a": [0.1 + 0.2, 1e-300, -0.0], "ü": None, "n": {"deep": True}},
    [],
    None,
    "text\nwith lines",
    {"1": float(np.float64(2) / 3)},
]
ARRAYS = {
    "file": np.arange(3),
    "allow_pickle": np.array([True, False]),
    "norms.text_embedding": np.array([0.1, np.nan, np.inf], dtype=np.float32),
    "empty": np.zeros((0, 4)),
    "bytes": np.frombuffer(b"\0\xff", dtype=np.uint8),
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("kept", [True, False])
def test_values_come_back_as_they_were_made(tmp_path: Path, value: object, kept: bool) -> None:
    parts = Parts(tmp_path / "work" if kept else None)
    made = []
    for _ in range(2):
        found = parts.values("part", lambda: made.append(1) or value)
        assert found == value
        if isinstance(value, dict):
            assert list(found) == list(value), "the order of keys is the order of rows elsewhere"
    assert len(made) == (1 if kept else 2)
    assert (tmp_path / "work").exists() == kept


def test_arrays_come_back_to_the_last_bit(tmp_path: Path) -> None:
    for _ in range(2):
        found = Parts(tmp_path).arrays("part", lambda: ARRAYS)
        assert set(found) == set(ARRAYS)
        for name, value in ARRAYS.items():
            assert found[name].dtype == value.dtype
            assert found[name].tobytes() == value.tobytes()
            assert found[name].shape == value.shape


def test_nothing_is_loaded_that_could_run_code(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Parts(tmp_path).arrays("part", lambda: {"objects": np.array([object()], dtype=object)})


def test_a_part_that_failed_or_was_torn_is_made_again(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    with pytest.raises(ZeroDivisionError):
        parts.values("part", lambda: 1 / 0)
    (tmp_path / "part.json.partial").write_text('{"torn')
    assert parts.values("part", lambda: 2) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["part.json"]


def test_parts_of_other_names_do_not_meet(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    assert parts.values("one", lambda: 1) == 1
    assert parts.values("two", lambda: 2) == 2
    assert set(parts.arrays("one", lambda: {"x": np.zeros(1)})) == {"x"}
