"""The seeded source: any number of rows whose label needs every modality at once."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from fuseline.data.sources.base import Media, RawRow, Source
from fuseline.data.sources.synthetic_media import clip, picture, sound
from fuseline.data.sources.synthetic_texts import WORDS, record, retelling, sentence, tags
from fuseline.params.ingest import IngestParams, TargetKind

# Every row draws from its own generators, seeded by this and its position alone: more rows,
# further modalities, or another `base.seed`, leave what was there as it was.
SEED = "fuseline-synthetic-1"
ROWS_PER_GROUP = 2


# Targets of each kind, for every task to have something to learn.
TARGETS: dict[str, TargetKind] = {
    "total": "number",
    "parts": "categories",
    "tags": "tags",
    "caption": "text",
    "retelling": "text",
}


class SyntheticSource(Source):
    """The label is the sum of one digit per modality, modulo the number of classes.

    The digits are drawn independently and evenly, so that all modalities but one, whichever they
    are, say nothing about the label. Of the targets, `total` is the sum itself, `parts` and
    `caption` name each digit, and `tags` marks the thing and the place of the sentence. `retelling`
    is the caption in one of three lengths, which nothing else about the row tells.
    """

    name = "synthetic"

    def __init__(self, params: IngestParams) -> None:
        self._params = params.synthetic

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({*self._params.modalities, "label"})

    @property
    def targets(self) -> Mapping[str, TargetKind]:
        """`tags` only with text."""
        with_text = "text" in self._params.modalities
        return {name: kind for name, kind in TARGETS.items() if with_text or name != "tags"}

    @property
    def num_rows(self) -> int:
        return self._params.num_rows

    def rows(self) -> Iterator[RawRow]:
        for position in range(self._params.num_rows):
            yield self._row(position)

    def _row(self, position: int) -> RawRow:
        digits, values, raw = self._modalities(position)
        total = sum(digits.values())
        label = f"class_{total % self._params.num_classes:02d}"
        parts = [f"{modality} {WORDS[digit]}" for modality, digit in digits.items()]
        rng = random.Random(f"{SEED}:{position}:retelling")
        targets = {
            "total": str(total),
            "parts": json.dumps(parts),
            "caption": ", ".join(parts),
            "retelling": retelling({name: WORDS[digit] for name, digit in digits.items()}, rng),
        }
        if "text" in values:
            targets["tags"] = tags(values["text"])
        return RawRow(
            source_row=position,
            example_id=f"synthetic-{position}",
            label=label,
            group=f"synthetic-{position // ROWS_PER_GROUP}",
            lang="en" if "text" in values else None,
            targets=targets,
            raw=raw | {"label": label},
            **values,
        )

    def _modalities(self, position: int) -> tuple[dict[str, int], dict[str, Any], dict[str, str]]:
        """Digits, values, and what the quarantine would show of them, by modality."""
        wanted, size = self._params.modalities, self._params.image_size
        digits: dict[str, int] = {}
        values: dict[str, Any] = {}
        raw: dict[str, str] = {}
        # A text seed is hashed by a fixed rule, unlike a tuple. Picture and words share it.
        rng = random.Random(f"{SEED}:{position}")
        figure, word = (rng.randrange(self._params.num_classes) for _ in range(2))
        words = sentence(word, rng)
        if "image" in wanted:
            digits["image"] = figure
            values["image"] = Media(picture(figure, size, rng), f"{position}.png")
            raw["figure"] = str(figure)
        if "text" in wanted:
            digits["text"] = word
            values["text"] = words
            raw |= {"word": WORDS[word], "text": words}
        for modality in ("audio", "video", "tabular"):
            if modality in wanted:
                rng = random.Random(f"{SEED}:{position}:{modality}")
                digit = rng.randrange(self._params.num_classes)
                digits[modality] = digit
                values[modality] = self._value(modality, digit, position, rng)
                raw[modality] = str(digit)
        return digits, values, raw

    def _value(self, modality: str, digit: int, position: int, rng: random.Random) -> Any:
        if modality == "audio":
            return Media(sound(digit, rng), f"{position}.wav")
        if modality == "video":
            return Media(clip(digit, self._params.image_size, rng), f"{position}.mp4")
        return record(digit, rng)
