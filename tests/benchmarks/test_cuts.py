"""Cuts keep their shape, and a run of one prints scores beside the twin's."""

import io
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from benchmarks import cuts
from fuseline.data.sources.base import Media, RawRow
from tests.support.workspace import SMALL_PARAMS

KEPT = ("tokenize.", "extract_features.image.", "pretrain.", "finetune.")
LETTERS = "abcdefghijkl"


def row(number: int, label: str) -> RawRow:
    pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    words = " ".join(LETTERS[int(digit)] * 3 for digit in f"{number:04d}")
    return RawRow(
        source_row=number, example_id=f"e{number}", text=f"{label} {words}", label=label,
        group=f"e{number}", image=Media(file.getvalue(), None), raw={},
    )  # fmt: skip


@pytest.fixture
def emoji(monkeypatch):
    rows = [row(number, "cat" if number % 4 else "dog") for number in range(80)]
    monkeypatch.setattr(cuts, "_emoji", lambda _: rows)
    return rows


def test_each_class_has_its_share(emoji):
    even = Counter(one.label for one in cuts.chosen(emoji, cuts.Cut(30)))
    assert even == {"cat": 15, "dog": 15}
    uneven = Counter(one.label for one in cuts.chosen(emoji, cuts.Cut(42, ratio=6.0)))
    assert uneven == {"cat": 36, "dog": 6}


def test_a_run_prints_scores_beside_the_twins(emoji, monkeypatch, capsys):
    monkeypatch.setitem(cuts.CUTS, "tiny", cuts.Cut(40))
    small = {key: value for key, value in SMALL_PARAMS.items() if key.startswith(KEPT)}
    cuts.main(["tiny"], [0], small)
    lines = capsys.readouterr().out.splitlines()
    (found,) = [json.loads(line) for line in lines if line.startswith("{")]
    assert (found["cut"], found["salt"]) == ("tiny", 0)
    own, twin = found["figures"][1], found["figures"][3]
    assert found["figures"][4] == pytest.approx(own - twin)
    assert lines[-1].startswith("| tiny | ")
