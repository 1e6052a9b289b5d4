"""What a text can be asked to be like: values of references, and whether a written text fits one.

Words are those of `words` in `learning/phrases.py`.
"""

from __future__ import annotations

import math
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import regex

from fuseline.errors import ContractError
from fuseline.learning.phrases import refusal_of, words
from fuseline.params.finetune import ANSWER, ControlName, DecoderParams

Facts = dict[str, Any]
# Of each language, commonest first. Cavnar and Trenkle keep 300, for texts longer than captions.
NUM_PIECES = 1000


@dataclass(frozen=True)
class Reference:
    """A text to write, as the tokenizer normalises it, and the language that its row names."""

    text: str
    lang: str | None = None


class Control(ABC):
    """One thing to ask for.

    Args:
        facts: what `learn` gave: `values`, and what the control needs to tell them.
    """

    name: ClassVar[ControlName]

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @property
    def values(self) -> list[str]:
        """Known ones."""
        values: list[str] = self.facts["values"]
        return values

    @classmethod
    def learn(cls, references: Sequence[Reference], params: DecoderParams, where: str) -> Facts:
        """What must be known of the references to train on: JSON.

        Raises:
            ContractError: their values are all the same, and so nothing can be asked for.
        """
        facts = cls._learn(references, params)
        control = cls(facts)
        found = {control.of(reference) for reference in references} - {None}
        if len(found) < 2:
            raise ContractError(
                f"{where}: expected texts of several values of {cls.name} in the training split,"
                f" found {', '.join(map(str, found)) or 'none'}. Take {cls.name} out of"
                " finetune.generation.controls, or choose another target."
            )
        return facts | {"values": sorted(map(str, found))}

    @classmethod
    def _learn(cls, references: Sequence[Reference], params: DecoderParams) -> Facts:
        del references, params
        return {}

    def of(self, reference: Reference) -> str | None:
        """Its value, None for one that has none."""
        return self.told(reference.text)

    @abstractmethod
    def told(self, text: str) -> str | None:
        """The value that a text alone tells."""

    def fits(self, text: str, value: str) -> bool:
        """Whether a written text obeys."""
        return self.told(text) == value


class Language(Control):
    """The language that the row names; a written text's is the likeliest of those trained on, by
    naive Bayes over runs of one to three characters (as Cavnar and Trenkle 1994, who compare
    ranks instead)."""

    name = "language"

    @classmethod
    def _learn(cls, references: Sequence[Reference], params: DecoderParams) -> Facts:
        del params
        counts: dict[str, Counter[str]] = {}
        for reference in references:
            if reference.lang:
                counts.setdefault(reference.lang, Counter()).update(_pieces(reference.text))
        # What is common in one language is counted in all. Ties by the alphabet, so that facts do
        # not hang on the order of rows.
        common = {
            piece
            for found in counts.values()
            for piece in sorted(found, key=lambda piece: (-found[piece], piece))[:NUM_PIECES]
        }
        pieces = sorted(common)
        # One string each, since a model's configuration gives every entry of a list its own line.
        return {
            "pieces": " ".join(pieces),
            "counts": {
                lang: " ".join(str(found[piece]) for piece in pieces)
                for lang, found in sorted(counts.items())
            },
        }

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        pieces = facts["pieces"].split(" ")
        self._likelihoods = {
            lang: _likelihoods(pieces, [int(count) for count in counts.split(" ")])
            for lang, counts in facts["counts"].items()
            if pieces != [""]
        }

    def of(self, reference: Reference) -> str | None:
        return reference.lang or None

    def told(self, text: str) -> str | None:
        pieces = _pieces(text)
        sums = {
            lang: [known[piece] for piece in pieces if piece in known]
            for lang, known in self._likelihoods.items()
        }
        told = {lang: math.fsum(found) for lang, found in sums.items() if found}
        return max(sorted(told), key=lambda lang: told[lang], default=None)


class Length(Control):
    """`short`, `medium` or `long` by the number of words: thirds of the references, as nearly as
    whole numbers allow."""

    name = "length"

    @classmethod
    def _learn(cls, references: Sequence[Reference], params: DecoderParams) -> Facts:
        del params
        lengths = sorted(len(words(reference.text)) for reference in references)
        # Cutting off the longest as well would leave nothing beyond.
        cuts = sorted(set(lengths) - {max(lengths, default=0)}) or [max(lengths, default=0)]
        below = {
            cut: sum(length <= cut for length in lengths) / max(1, len(lengths)) for cut in cuts
        }
        nearest = [min(cuts, key=lambda cut: abs(below[cut] - share)) for share in (1 / 3, 2 / 3)]
        return {"short": nearest[0], "medium": nearest[1]}

    def told(self, text: str) -> str | None:
        length = len(words(text))
        if length <= self.facts["short"]:
            return "short"
        return "medium" if length <= self.facts["medium"] else "long"


class Style(Control):
    """`question`, `exclamation`, `statement` or `fragment`, by what ends the text: the one mark of
    style that needs no judgement and that every tokenizer keeps."""

    name = "style"

    def told(self, text: str) -> str | None:
        end = text.rstrip(" \"'”’“‘»」』)]")[-1:]
        if end in ("?", "？", "؟"):
            return "question"
        if end in ("!", "！"):
            return "exclamation"
        return "statement" if end in (".", "…", "。", "।") else "fragment"


class Refusal(Control):
    """The class of refusals that begins the text, or `answer`."""

    name = "refusal"

    @classmethod
    def _learn(cls, references: Sequence[Reference], params: DecoderParams) -> Facts:
        del references
        phrases = params.refusals.items()
        return {"phrases": {str(kind): [words(text) for text in texts] for kind, texts in phrases}}

    def told(self, text: str) -> str | None:
        return refusal_of(text, self.facts["phrases"]) or ANSWER


CONTROLS: dict[str, type[Control]] = {
    control.name: control for control in (Language, Length, Style, Refusal)
}


def _pieces(text: str) -> list[str]:
    """Runs of one to three characters of its words, accents and all, a low line at either end."""
    found = regex.findall(r"[\w\p{M}]+", unicodedata.normalize("NFKC", text).casefold())
    spaced = f"_{'_'.join(found)}_"
    return [
        piece
        for size in (1, 2, 3)
        for start in range(len(spaced) - size + 1)
        if (piece := spaced[start : start + size]).strip("_")
    ]


def _likelihoods(pieces: Sequence[str], counts: Sequence[int]) -> dict[str, float]:
    """Logarithms of their shares, each counted once more so that none is impossible."""
    total = sum(counts) + len(counts)
    return {
        piece: math.log((count + 1) / total) for piece, count in zip(pieces, counts, strict=True)
    }
