"""The entries of the knowledge that answer a message, or none.

Shapes: N entries, W width of a vector, Q questions of the knowledge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from fuseline.evaluation.trust.scope import unit
from fuseline.serving.chat.config import RetrievalParams
from fuseline.serving.chat.knowledge import Entry
from fuseline.serving.chat.ranking import Words, fused
from fuseline.serving.chat.wording import words

# Questions of the knowledge that the threshold is fitted on, at even distances.
MOST_QUESTIONS = 2000
# Likenesses that differ by less are the same: single precision tells no more.
LEAST_SPREAD = 1e-4


@dataclass(frozen=True)
class Found:
    """An entry for a message.

    Attributes:
        evidence: how alike the message is to it; above 1 it answers. At 0 lies what half of the
            knowledge's own questions have, once their answers are taken out.
    """

    entry: Entry
    evidence: float


@dataclass(frozen=True)
class _Likeness:
    """How alike a message is to N entries by `words`, and by the vectors of `question` and
    `answer`; (N,) each."""

    words: np.ndarray
    question: np.ndarray
    answer: np.ndarray

    @property
    def meaning(self) -> np.ndarray:
        """By the vector of either."""
        return np.asarray(np.maximum(self.question, self.answer))


class Retriever:
    """Finds entries. `false_answers` of the knowledge's own questions would still be answered
    once their answers are taken out: by that the evidence is scaled.

    Args:
        entries: N of them.
        questions, answers: (N, W) vectors of theirs.
        params: how.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        questions: np.ndarray,
        answers: np.ndarray,
        params: RetrievalParams,
    ) -> None:
        self.entries, self.params = entries, params
        self._questions, self._answers = unit(questions), unit(answers)
        self.words = Words([f"{one.question}\n{one.answer}" for one in entries])
        unanswered = self._without_answers()
        kept = 1.0 - params.false_answers
        self._middle = np.median(unanswered, axis=0)
        spread = np.quantile(unanswered, kept, axis=0) - self._middle
        self._spread = np.maximum(spread, LEAST_SPREAD)
        self._threshold = 1.0
        # It is 1 or more wherever questions differ in their likeness at all.
        self._threshold = max(1.0, float(np.quantile(self._evidence(*unanswered.T), kept)))

    def search(self, message: str, vector: np.ndarray, intent: str | None = None) -> list[Found]:
        """The entries for a message, as many as an answer is composed of: those that are evident
        before others, and of each the best by the fused rankings first.

        Args:
            message: its text.
            vector: (W,) of it.
            intent: whose entries alone are looked at; None for all.
        """
        alike = self._likeness(message, unit(vector[None])[0])
        weights = self.params.weights
        rankings = [
            (weights.words, alike.words),
            (weights.question, alike.question),
            (weights.answer, alike.answer),
        ]
        scores = fused(rankings, self.params.rank_constant)
        evidence = self._evidence(alike.words, alike.meaning)
        order = [
            place
            for place in np.lexsort((-scores, evidence <= 1.0))
            if intent is None or self.entries[place].intent == intent
        ]
        return [
            Found(self.entries[place], round(float(evidence[place]), 4))
            for place in order[: self.params.passages]
        ]

    def answering(self, found: Sequence[Found]) -> list[Found]:
        """Those of them that are evident enough to answer by."""
        return [one for one in found if one.evidence > 1.0]

    @property
    def intents(self) -> Collection[str]:
        """Of the entries."""
        return {entry.intent for entry in self.entries if entry.intent}

    def _likeness(self, message: str, vector: np.ndarray) -> _Likeness:
        return _Likeness(
            self.words.scores(message), self._questions @ vector, self._answers @ vector
        )

    def _evidence(self, by_words: np.ndarray, by_meaning: np.ndarray) -> np.ndarray:
        """The greater of the two likenesses, each on the scale of questions without answers.
        Vectors of a model that learnt intents may lie so close together within one that only words
        tell its entries apart; those of a general one tell more."""
        both = np.stack([by_words, by_meaning], axis=-1)
        scaled = ((both - self._middle) / self._spread).max(-1)
        return np.asarray(scaled / self._threshold)

    def _without_answers(self) -> np.ndarray:
        """(Q, 2): of questions of the knowledge the greatest likeness to an entry with another
        question and another answer, by words and by meaning."""
        asked = [" ".join(words(entry.question)) for entry in self.entries]
        question = np.unique(asked, return_inverse=True)[1]
        answer = np.unique([entry.answer for entry in self.entries], return_inverse=True)[1]
        best = []
        for place in range(0, len(asked), -(-len(asked) // MOST_QUESTIONS)):
            other = (question != question[place]) & (answer != answer[place])
            if other.any():
                alike = self._likeness(asked[place], self._questions[place])
                best.append((alike.words[other].max(), alike.meaning[other].max()))
        return np.array(best)
