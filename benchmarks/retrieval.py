"""StackFAQ: answers found by words, by vectors, and by both; questions that have none, refused.

No query is learnt from: the vectors are those of the default's text encoder as it comes, the mean
of its states. That encoder was trained on titles of StackExchange, among much else, by its
authors, and this set is drawn from there. Needs `faq.jsonl` in `$FUSELINE_TEST_DATA/stackfaq`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from fuseline.data.modalities.text.tokenizer import encoder_folder
from fuseline.evaluation.trust.scope import unit
from fuseline.evaluation.trust.shares import share_interval
from fuseline.serving.chat.config import RankingWeights, RetrievalParams
from fuseline.serving.chat.knowledge import Entry
from fuseline.serving.chat.ranking import Words, fused
from fuseline.serving.chat.retrieval import Retriever

ENCODER = "minilm"
BATCH_ROWS = 64
MAX_TOKENS = 64
CONSTANTS = (1, 10, 60)
# Of words, question and answer.
WEIGHTS = ((1.0, 1.0, 0.0), (1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 3.0, 1.0), (0.0, 1.0, 1.0))
FALSE_ANSWERS = 0.05


@dataclass(frozen=True)
class Queries:
    """Texts that ask, and the question that each of them words otherwise."""

    texts: list[str]
    questions: np.ndarray


def main(num_questions: int | None = None) -> None:
    """Print the mean average precision of each way to rank, then what is answered and refused.

    Args:
        num_questions: the first of the file; all by default.
    """
    entries, groups, queries = read(num_questions)
    encode = Encoder()
    questions = encode([entry.question for entry in entries])
    answers = encode([entry.answer for entry in entries])
    asked = encode(queries.texts)
    relevant = groups[None] == queries.questions[:, None]
    words = Words([f"{entry.question}\n{entry.answer}" for entry in entries])
    by_words = np.stack([words.scores(text) for text in queries.texts])
    rankings = [by_words, asked @ questions.T, asked @ answers.T]
    for name, scores in zip(("words", "question", "answer"), rankings, strict=True):
        print(f"{name:<40}MAP {mean_average_precision(scores, relevant):.4f}", flush=True)
    for weights, constant in product(WEIGHTS, CONSTANTS):
        scores = np.stack(
            [
                fused(list(zip(weights, row, strict=True)), constant)
                for row in zip(*rankings, strict=True)
            ]
        )
        name = f"fused, weights {weights}, constant {constant}"
        print(f"{name:<48}MAP {mean_average_precision(scores, relevant):.4f}", flush=True)
    print(json.dumps(refusals(entries, groups, questions, answers, queries, asked)))


def read(num_questions: int | None) -> tuple[list[Entry], np.ndarray, Queries]:
    """Every answer as an entry, the number of its question, and the queries."""
    lines = (data_folder("stackfaq") / "faq.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines][:num_questions]
    entries = [
        Entry(number, row["question"], answer, None, str(number))
        for number, row in enumerate(rows)
        for answer in row["answers"]
    ]
    texts = [text for row in rows for text in row["queries"]]
    of = [number for number, row in enumerate(rows) for _ in row["queries"]]
    return entries, np.array([entry.row for entry in entries]), Queries(texts, np.array(of))


def data_folder(name: str) -> Path:
    """Where an outside data set lies."""
    data = os.environ.get("FUSELINE_TEST_DATA")
    if not data:
        sys.exit(f"benchmarks: set FUSELINE_TEST_DATA to the folder that holds {name}/.")
    return Path(data) / name


class Encoder:
    """Texts to unit vectors (N, W): the mean of the states of the default's text encoder."""

    def __init__(self) -> None:
        folder = encoder_folder(ENCODER)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), BATCH_ROWS):
            batch = self._tokenizer(
                list(texts[start : start + BATCH_ROWS]),
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            )
            mask = batch["attention_mask"][..., None]
            states = self._model(**batch).last_hidden_state
            found.append(((states * mask).sum(1) / mask.sum(1)).numpy())
        return unit(np.concatenate(found))


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Over queries (Q, N): the mean of the precision at each relevant entry; equal scores in the
    order of the entries."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(relevant, order, axis=1)
    precision = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(1) / hits.sum(1)).mean())


def refusals(
    entries: list[Entry],
    groups: np.ndarray,
    questions: np.ndarray,
    answers: np.ndarray,
    queries: Queries,
    asked: np.ndarray,
) -> dict[str, Any]:
    """Shares of queries that are answered, by the right question's answers, and answered though the
    answers of their question are taken out. The folds are five, by question: each is asked of the
    knowledge of the others, whose evidence knows nothing of it."""
    weights = RankingWeights(words=1.0, question=2.0, answer=1.0)
    params = RetrievalParams(
        rank_constant=10, weights=weights, false_answers=FALSE_ANSWERS, passages=1
    )

    def answered(kept: np.ndarray, chosen: np.ndarray) -> list[int | None]:
        known = [entry for entry, keep in zip(entries, kept, strict=True) if keep]
        retriever = Retriever(known, questions[kept], answers[kept], params)
        found = []
        for place in np.flatnonzero(chosen):
            first = retriever.answering(retriever.search(queries.texts[place], asked[place]))
            found.append(first[0].entry.row if first else None)
        return found

    everything = answered(np.ones(len(entries), bool), np.ones(len(asked), bool))
    made_up = [
        one is not None
        for fold in range(5)
        for one in answered(groups % 5 != fold, queries.questions % 5 == fold)
    ]
    right = [one == of for one, of in zip(everything, queries.questions, strict=True)]
    shares = {
        "answered": [one is not None for one in everything],
        "answered rightly": right,
        "answered, without an answer there": made_up,
    }
    return {name: _share(found) for name, found in shares.items()}


def _share(found: Sequence[bool]) -> dict[str, float]:
    interval = share_interval(sum(found), len(found))
    share = sum(found) / len(found)
    return {name: round(value, 4) for name, value in {"share": share, **interval}.items()}


if __name__ == "__main__":
    main()
