"""How a service answers: `service.yaml`, every key of it required and checked before it starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import regex
from pydantic import Field

from fuseline.config import Section, parse_section, read_yaml
from fuseline.errors import ConfigError
from fuseline.params.base import Count, Share
from fuseline.registry import suggestion
from fuseline.serving.chat.wording import words
from fuseline.serving.webhook import WebhookParams

Weight = Annotated[float, Field(ge=0.0)]
Phrases = list[Annotated[str, Field(min_length=1)]]
# A slot of a template, such as `{amount}`.
SLOT = re.compile(r"\{([^{}]*)\}")
CHOICES = ("first", "second")


class LimitParams(Section):
    """What there may be of everything.

    Attributes:
        message_characters: of one message; longer ones are refused.
        answer_characters: of what is quoted of the knowledge in one answer.
        knowledge_entries: of the knowledge file.
        history_turns: of a session that are kept; earlier ones are forgotten.
        sessions: that a server remembers at a time.
        session_minutes: without a message until one is forgotten.
    """

    message_characters: Count
    answer_characters: Count
    knowledge_entries: Count
    history_turns: Count
    sessions: Count
    session_minutes: Annotated[float, Field(gt=0.0)]


class RankingWeights(Section):
    """How much each ranking of the entries counts: by the words of question and answer, by the
    likeness of the message to the question, and to the answer. 0 leaves one out."""

    words: Weight
    question: Weight
    answer: Weight


class RetrievalParams(Section):
    """How entries are found.

    Attributes:
        rank_constant: of reciprocal rank fusion; a small one trusts first places more.
        weights: of the rankings.
        false_answers: share of the knowledge's own questions that would be answered though their
            answer was taken out; how evident an answer has to be follows from it.
        passages: entries that one answer is composed of at most.
    """

    rank_constant: Count
    weights: RankingWeights
    false_answers: Annotated[float, Field(gt=0.0, lt=0.5)]
    passages: Count


class AskBackParams(Section):
    """When two intents are close: both probabilities less than `gap` apart, and `together` or more
    between them."""

    gap: Share
    together: Share


class HandOverParams(Section):
    """When a person takes over, and where the record goes.

    Attributes:
        wishes, complaints: phrases that say so wherever they stand in a message.
        intents: that a person always answers.
        unsure_in_a_row: messages in a row that were not understood.
        file: of JSON lines that records are added to; null for none.
        webhook: that records are sent to; null for none.
    """

    wishes: Phrases
    complaints: Phrases
    intents: list[str]
    unsure_in_a_row: Count
    file: str | None
    webhook: WebhookParams | None


class SafetyParams(Section):
    """What passes in neither direction.

    Attributes:
        harmful: the screen for harmful texts: `none` or `word_list`.
        shown: contacts of the service itself, which answers may hold; other personal data in
            them is masked.
    """

    harmful: Literal["none", "word_list"]
    shown: Phrases


class SmallTalk(Section):
    """Whole messages, such as a greeting, and what is said to them."""

    phrases: Phrases
    text: str


class HandOverTexts(Section):
    """What is said as a person takes over, by the reason."""

    wish: str
    complaint: str
    intent: str
    nothing_found: str
    unsure: str


class Texts(Section):
    """What is said where no entry answers; `ask_back` has the slots `{first}` and `{second}`."""

    ask_back: str
    unsure: str
    harmful: str
    refused: str
    waiting: str
    hand_over: HandOverTexts


class ServiceConfig(Section):
    """The whole file.

    Attributes:
        knowledge: file of entries, its path relative to this file.
        new_intents: file of intents that were added without training, likewise; it need not be
            there.
        slots: patterns by name; a template's slot is filled with the first group, or the whole,
            of the first match in the message.
        names: of intents as people read them; others are read with their underscores as spaces.
        templates: by intent; the first whose slots the message fills is the answer.
        small_talk: greetings, thanks.
    """

    knowledge: str
    new_intents: str
    limits: LimitParams
    retrieval: RetrievalParams
    ask_back: AskBackParams
    hand_over: HandOverParams
    safety: SafetyParams
    slots: dict[str, str]
    names: dict[str, str]
    templates: dict[str, list[str]]
    small_talk: list[SmallTalk]
    texts: Texts


@dataclass(frozen=True)
class Service:
    """A checked configuration.

    Attributes:
        path: of its file.
        params: what it says.
    """

    path: Path
    params: ServiceConfig

    def file(self, name: str) -> Path:
        """A file that it names."""
        return self.path.parent / name


def read_service(path: Path) -> Service:
    """Read the file, and check what can be checked of it alone.

    Raises:
        ConfigError: it is missing, or a key or value is wrong.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: not found. Name the service.yaml of your service with --service; `fuseline"
            " init --recipe service` writes one."
        )
    params = parse_section({"service": read_yaml(path)}, "service", ServiceConfig, path)
    weights = params.retrieval.weights
    if not any((weights.words, weights.question, weights.answer)):
        raise ConfigError(f"{path}: service.retrieval.weights: expected one above 0, found none.")
    _check_files(path, params)
    _check_words(path, params)
    _check_slots(path, params)
    _check_templates(path, params)
    return Service(path, params)


def check_intents(service: Service, known: Iterable[str]) -> None:
    """Hold every intent that the file names to those there are.

    Raises:
        ConfigError: one is neither a label of the model nor was it added.
    """
    labels, params = sorted(known), service.params
    named: Mapping[str, Iterable[str]] = {
        "templates": params.templates,
        "names": params.names,
        "hand_over.intents": params.hand_over.intents,
    }
    for key, intents in named.items():
        for intent in intents:
            if intent not in labels:
                raise ConfigError(
                    f"{service.path}: service.{key}: no intent '{intent}'. The model and"
                    f" {params.new_intents} have {shown(labels)}.{suggestion(intent, labels)}"
                    " Correct it, or leave it out."
                )


def shown(names: list[str], most: int = 20) -> str:
    """Names in a message, not too many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _check_files(path: Path, params: ServiceConfig) -> None:
    """What is written takes the place of nothing else: of no folder either, which would go with
    all that is in it."""
    named = {"knowledge": params.knowledge, "new_intents": params.new_intents}
    named |= {"hand_over.file": params.hand_over.file} if params.hand_over.file else {}
    taken = {path.resolve(): "this file"}
    for key, name in named.items():
        file = (path.parent / name).resolve()
        if file in taken:
            raise ConfigError(
                f"{path}: service.{key}: expected a file of its own, found {taken[file]}."
                " Name another."
            )
        if file.is_dir():
            raise ConfigError(
                f"{path}: service.{key}: expected a file, found the folder {file}. Name a file."
            )
        taken[file] = f"that of service.{key}"


def _check_words(path: Path, params: ServiceConfig) -> None:
    """A phrase without a word would stand in every message without one."""
    named = {
        "hand_over.wishes": params.hand_over.wishes,
        "hand_over.complaints": params.hand_over.complaints,
        "small_talk": [phrase for one in params.small_talk for phrase in one.phrases],
        "names": list(params.names.values()),
    }
    for key, phrases in named.items():
        for phrase in phrases:
            if not words(phrase):
                raise ConfigError(
                    f"{path}: service.{key}: expected a word, found {phrase!r}. Write it in"
                    " letters, or leave it out."
                )


def _check_slots(path: Path, params: ServiceConfig) -> None:
    for name, pattern in params.slots.items():
        try:
            regex.compile(pattern)
        except (regex.error, RecursionError) as error:
            raise ConfigError(
                f"{path}: service.slots.{name}: not a regular expression ({error}): {pattern!r}."
                " Correct it; in YAML put it in single quotes."
            ) from None


def _check_templates(path: Path, params: ServiceConfig) -> None:
    known = list(params.slots)
    for intent, templates in params.templates.items():
        where = f"{path}: service.templates.{intent}"
        for template in templates:
            for slot in SLOT.findall(template):
                if slot not in params.slots:
                    raise ConfigError(
                        f"{where}: no slot '{slot}'. service.slots has {shown(known) or 'none'}."
                        f"{suggestion(slot, known)}"
                    )
        if not templates or SLOT.search(templates[-1]):
            raise ConfigError(
                f"{where}: expected a last template without slots, for messages that fill none."
                " Add one."
            )
    for slot in SLOT.findall(params.texts.ask_back):
        if slot not in CHOICES:
            raise ConfigError(
                f"{path}: service.texts.ask_back: expected the slots {{first}} and {{second}},"
                f" found {{{slot}}}."
            )
