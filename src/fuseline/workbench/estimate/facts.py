"""What of the rows decides how long stages take: how many there are, and what they hold."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from fuseline.contracts import SPLITS
from fuseline.data.sources import SOURCES, Source
from fuseline.params.base import MODALITIES
from fuseline.params.ingest import IngestParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.pipeline.metrics_file import read_metrics
from fuseline.registry import lookup

INGESTED, TOKENIZED = Path("metrics/ingest.json"), Path("metrics/tokenize.json")
# Rows of a source that are read for a look at what rows hold.
LOOKED_AT = 32
COUNTED_SECONDS = 2.0
# Where a text was not tokenised yet: word pieces are about so long, and two tokens frame them.
CHARACTERS_A_TOKEN = 4.0
FRAME_TOKENS = 2.0
# Where nothing was ingested yet: what the labels are is known behind the last row only.
LABELS = 10


@dataclass(frozen=True)
class Facts:
    """Some rows.

    Attributes:
        rows: how many are kept.
        splits: how many of them lie in each split.
        held: how many have each modality.
        labels: names of the first target.
        tokens: of a text on average, special ones included.
        told: what rows these are.
        encoder: the text encoder that was chosen for them; None where none was yet.
    """

    rows: float
    splits: dict[str, float]
    held: dict[str, float]
    labels: float
    tokens: float
    told: str
    encoder: str | None = None

    def scaled(self, rows: float) -> Facts:
        """Other rows like these."""
        times = rows / self.rows if self.rows else 0.0
        return replace(
            self,
            rows=rows,
            told=f"{rows:,.0f} rows, like {self.told}",
            splits={name: times * count for name, count in self.splits.items()},
            held={name: times * count for name, count in self.held.items()},
        )


def ingested(root: Path, tokenize: TokenizeParams) -> Facts:
    """Of the rows that the last run kept.

    Raises:
        ContractError: no metrics of such a run, or they lack a figure.
    """
    found = read_metrics(root / INGESTED)
    known = root / TOKENIZED
    most = float(tokenize.max_length_tokens)
    tokenized = read_metrics(known) if known.exists() else {}
    return Facts(
        rows=found["rows_kept"],
        splits={name: found["splits"][name] for name in SPLITS},
        held={name: found["modalities"][name] for name in MODALITIES},
        labels=max(found["num_labels"], 2),
        tokens=min(tokenized.get("mean_length_tokens", most), most),
        told=f"{found['rows_kept']:,} rows of data/examples",
        # Metrics of earlier versions do not name it.
        encoder=tokenized.get("encoder"),
    )


def counted(
    params: IngestParams, tokenize: TokenizeParams, rows: int | None = None
) -> Facts | None:
    """Of the rows of the source, by a look at the first of them.

    Args:
        rows: how many there are; None to ask the source.

    Returns:
        None where the source does not tell soon how many rows it has.

    Raises:
        ConfigError: the source is not there.
        ContractError: it is not what its name says.
    """
    source = lookup(SOURCES, params.source, where="ingest.source")(params)
    number = rows if rows is not None else _number(source)
    if number is None:
        return None
    first = list(islice(source.rows(), LOOKED_AT))
    characters = [len(row.text) for row in first if row.text]
    tokens = FRAME_TOKENS + sum(characters) / max(len(characters), 1) / CHARACTERS_A_TOKEN
    split = params.split
    return Facts(
        rows=number,
        splits={name: number * getattr(split, name) for name in SPLITS},
        held={
            name: number * sum(getattr(row, name) is not None for row in first) / max(len(first), 1)
            for name in MODALITIES
        },
        labels=LABELS,
        tokens=min(tokens, tokenize.max_length_tokens),
        told=f"{number:,} rows of the source '{params.source}'",
    )


def _number(source: Source) -> int | None:
    """Rows of a source, counted where it does not know; None where that takes long."""
    if source.num_rows is not None:
        return source.num_rows
    count, last = 0, time.monotonic() + COUNTED_SECONDS
    for _ in source.rows():
        count += 1
        if time.monotonic() > last:
            return None
    return count
