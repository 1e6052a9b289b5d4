"""A dialogue of its parts, each held to the model that answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from fuseline.errors import ContractError
from fuseline.registry import suggestion
from fuseline.serving.chat.config import Service, check_intents, shown
from fuseline.serving.chat.dialogue import Dialogue
from fuseline.serving.chat.knowledge import Entry, read_knowledge
from fuseline.serving.chat.new_intents import AddedIntent, Bank, NewIntents, read_added
from fuseline.serving.chat.retrieval import Retriever
from fuseline.serving.chat.safety import ChatScreen
from fuseline.serving.chat.understanding import check_model, labels_of, vectors_of
from fuseline.serving.predictor import Options, Predictor


def options(*, int8: bool, threads: int) -> Options:
    """How a model answers that a dialogue asks."""
    form = "int8" if int8 else "onnx"
    return Options(form, threads, probabilities=True, vectors=True)


def build_dialogue(service: Service, predictor: Predictor) -> Dialogue:
    """Read what the service names, and put it together.

    Args:
        service: checked by itself.
        predictor: that gives probabilities and vectors.

    Raises:
        ConfigError: the model cannot tell intents, or the service names one that it has not.
        ContractError: the knowledge or the added intents are wrong.
    """
    check_model(predictor.contract)
    params, screen = service.params, ChatScreen(service.params.safety)
    added = read_added(service.file(params.new_intents))
    known = {*labels_of(predictor.contract), *(one.intent for one in added)}
    check_intents(service, known)
    path = service.file(params.knowledge)
    entries = read_knowledge(path, params.limits.knowledge_entries, screen)
    _check_entries(path, entries, known)
    questions = vectors_of(predictor, [one.question for one in entries], f"{path}: questions")
    answers = vectors_of(predictor, [one.answer for one in entries], f"{path}: answers")
    retriever = Retriever(entries, questions, answers, params.retrieval)
    return Dialogue(service, retriever, new_intents(predictor, added), screen)


def new_intents(predictor: Predictor, added: Sequence[AddedIntent]) -> NewIntents:
    """Added intents as a model tells them."""
    vectors = {
        one.intent: vectors_of(predictor, one.sentences, f"intent '{one.intent}'") for one in added
    }
    return NewIntents(vectors, Bank.read(predictor.folder))


def _check_entries(path: Path, entries: Sequence[Entry], known: Collection[str]) -> None:
    labels = sorted(known)
    for entry in entries:
        if entry.intent and entry.intent not in known:
            raise ContractError(
                f"{path}: row {entry.row}: no intent '{entry.intent}'. The model and the added"
                f" ones have {shown(labels)}.{suggestion(entry.intent, labels)} Correct it, or"
                " leave the cell empty."
            )
