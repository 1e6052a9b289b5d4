"""Entries that answer a message, and messages that none answers."""

import numpy as np

from fuseline.serving.chat.config import RetrievalParams
from fuseline.serving.chat.knowledge import Entry
from fuseline.serving.chat.retrieval import Retriever
from tests.support.services import PARAMS, ROWS, entries, vector

PARAMS_OF = RetrievalParams.model_validate(PARAMS["retrieval"])


def retriever(rows: tuple = ROWS, params: RetrievalParams = PARAMS_OF) -> Retriever:
    found = entries(rows)
    vectors = np.stack([vector(place, len(rows) + 1) for place in range(len(found))])
    return Retriever(found, vectors, vectors, params)


def test_a_message_finds_its_entry_by_words_and_by_meaning() -> None:
    by_both = retriever().search("reset the password", vector(0))
    assert by_both[0].entry.row == 1
    by_meaning = retriever().search("credentials", vector(0))
    assert by_meaning[0].entry.row == 1
    assert retriever().answering(by_meaning)[0].entry.row == 1
    by_words = retriever().search("deliver abroad", vector(-1))
    assert retriever().answering(by_words)[0].entry.row == 4


def test_nothing_answers_what_is_like_nothing() -> None:
    known = retriever()
    assert known.answering(known.search("quantum gravity", vector(-1))) == []


def test_an_intent_narrows_the_search() -> None:
    assert [one.entry.row for one in retriever().search("password", vector(0), "ant")] == [6]
    assert retriever().intents == {"ant"}


def test_as_many_questions_without_answers_are_answered_as_was_asked() -> None:
    """Of 200 entries in random directions, each asked for with all that answers it taken out."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    known = [Entry(n, f"q{n} w{n % 7}", f"a{n} v{n % 11}", None, "s") for n in range(200)]
    params = PARAMS_OF.model_copy(update={"false_answers": 0.1})
    found = Retriever(known, vectors, vectors, params)
    answered = 0
    for place, entry in enumerate(known):
        others = [other for other in range(200) if other != place]
        alone = found._likeness(entry.question, found._questions[place])
        evidence = found._evidence(alone.words[others].max(), alone.meaning[others].max())
        answered += bool(evidence > 1.0)
    assert answered == 20
    assert found.search("q3", vectors[3]) == found.search("q3", vectors[3])


def test_entries_of_the_same_question_or_answer_are_no_wrong_answers() -> None:
    """Paraphrases do not raise what an answer has to be like."""
    twice = (*ROWS, *((f"{question} Please", answer, "") for question, answer, _ in ROWS))
    found = entries(twice)
    vectors = np.stack([vector(place % len(ROWS)) for place in range(len(found))])
    known = Retriever(found, vectors, vectors, PARAMS_OF)
    assert known.answering(known.search("credentials", vector(0)))


def test_where_nothing_is_like_anything_evidence_is_a_number_and_noise_is_none() -> None:
    """Entries without a word in common, by a model that tells none of them apart."""
    known = entries([(f"q{place}", f"a{place}", "") for place in range(6)])
    vectors = np.ones((6, 4), dtype=np.float32)
    vectors[:, 0] += 1e-6 * np.arange(6)
    found = Retriever(known, vectors, vectors, PARAMS_OF)
    of_none, of_one = found.search("else", vectors[5]), found.search("q3", vectors[0])
    assert found.answering(of_none) == []
    assert [one.entry.row for one in found.answering(of_one)] == [4]
    assert all(np.isfinite(one.evidence) for one in [*of_none, *of_one])
