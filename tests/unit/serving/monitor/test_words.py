"""Which texts fall to pieces, by what the pieces of a tokenizer are."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.serving.monitor.words import Pieces

TEXTS = ["the shares of the mill rose", "the orders of the plant fell"]


@pytest.mark.parametrize("words", [True, False])
def test_what_a_tokenizer_reads_is_not_strange(tmp_path: Path, words: bool) -> None:
    train_tokenizer(TEXTS, 500, words=words).save(str(tmp_path / "tokenizer.json"))
    looked_at = [*TEXTS, "σχεδόν άγνωστο", "farsh elimth"]
    found = Pieces(tmp_path, 0.3)(looked_at)
    # By character, words in another order of known ones are as good as any.
    assert found == [False, False, True, words]
