"""A turn of a conversation: a message and what was understood of it, to what is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fuseline.serving.chat.composing import composed
from fuseline.serving.chat.config import Service
from fuseline.serving.chat.new_intents import NewIntents
from fuseline.serving.chat.reply import Choice, HandOver, Kind, Reason, Reply
from fuseline.serving.chat.retrieval import Found, Retriever
from fuseline.serving.chat.safety import ChatScreen
from fuseline.serving.chat.session import Question, Session, Turn
from fuseline.serving.chat.slots import Slots, filled
from fuseline.serving.chat.understanding import Understood
from fuseline.serving.chat.wording import PhraseList, words
from fuseline.serving.cleaning import Refused

# Answers to what was asked back, besides the names of the intents.
_FIRST, _SECOND = {"1", "first", "former"}, {"2", "second", "latter"}


class Dialogue:
    """Decides what is said. The same messages in the same order get the same replies.

    Args:
        service: what it is told.
        retriever: of the knowledge.
        added: intents that were added without training.
        screen: of messages and replies.
    """

    def __init__(
        self, service: Service, retriever: Retriever, added: NewIntents, screen: ChatScreen
    ) -> None:
        self.service, self.params, self.retriever = service, service.params, retriever
        self.added, self.screen = added, screen
        self._slots = Slots(self.params.slots)
        self._wishes = PhraseList(self.params.hand_over.wishes)
        self._complaints = PhraseList(self.params.hand_over.complaints)
        self._small_talk = [(PhraseList(one.phrases), one.text) for one in self.params.small_talk]

    def begin(self) -> Session:
        """A new conversation."""
        return Session.begun(self.params.limits.history_turns)

    def turn(
        self, session: Session, message: str, understood: Understood | Refused
    ) -> tuple[Reply, HandOver | None]:
        """What is said to a message, and the record where a person takes over by it.

        Args:
            session: the conversation, which remembers both.
            message: as it came.
            understood: what the model says of it, or why it does not take it.
        """
        most = self.params.limits.message_characters
        if len(message) > most:
            # Neither read nor remembered: to look for personal data in it could take minutes.
            plain = f"[MORE THAN {most} CHARACTERS]"
            understood = Refused(0, None, "too_long", plain)
        else:
            plain = self.screen.masked(message)
        session.turns.append(Turn("user", plain[:most]))
        reply, record = self._decided(session, plain, understood)
        reply = replace(reply, text=self.screen.published(reply.text))
        if reply.kind in ("ask", "unsure"):
            session.unsure += 1
        elif reply.kind == "answer":
            session.unsure = 0
        if reply.kind != "ask":
            session.pending = None
        session.turns.append(Turn("service", reply.text))
        if record:
            session.handed_over = True
            record = replace(record, transcript=tuple(session.turns))
        return reply, record

    def _decided(
        self, session: Session, message: str, understood: Understood | Refused
    ) -> tuple[Reply, HandOver | None]:
        reply = self._without_model(session, message, understood)
        if reply or isinstance(understood, Refused):
            return reply or Reply("refused", self.params.texts.refused), None
        reason = self._asked_for(message)
        if reason:
            return self._handed_over(reason, message, understood)
        if chosen := self._chosen(session, message):
            assert session.pending is not None
            return self._answered(chosen, None, session.pending.message, understood)
        return self._understood(session, message, understood)

    def _without_model(
        self, session: Session, message: str, understood: Understood | Refused
    ) -> Reply | None:
        """What is said whatever the message means."""
        texts = self.params.texts
        if session.handed_over:
            return Reply("hand_over", texts.waiting)
        if isinstance(understood, Refused):
            return Reply("refused", texts.refused)
        if self.screen.is_harmful(message) and not self._asked_for(message):
            return Reply("refused", texts.harmful)
        for phrases, text in self._small_talk:
            if phrases.equals(message):
                return Reply("answer", text, by="small_talk")
        return None

    def _asked_for(self, message: str) -> Reason | None:
        """Why a person is asked for in so many words."""
        if self._wishes.within(message):
            return "wish"
        return "complaint" if self._complaints.within(message) else None

    def _chosen(self, session: Session, message: str) -> str | None:
        """The intent that answers what was asked back."""
        if session.pending is None:
            return None
        said = words(message)
        spaced = f" {' '.join(said)} "
        one, other = (f" {' '.join(words(self._name(name)))} " for name in session.pending.choices)
        # Where one name is part of the other, who says the longer one means it.
        first = one in spaced and not (one in other and other in spaced)
        second = other in spaced and not (other in one and one in spaced)
        first |= bool(_FIRST & set(said))
        second |= bool(_SECOND & set(said))
        if first == second:
            return None
        return session.pending.choices[0 if first else 1]

    def _understood(
        self, session: Session, message: str, understood: Understood
    ) -> tuple[Reply, HandOver | None]:
        """By what the model says."""
        if added := self.added.match(understood.vector):
            return self._answered(added, None, message, understood)
        (intent, confidence), *others = understood.best
        if understood.in_scope and understood.sure:
            return self._answered(intent, confidence, message, understood)
        if understood.in_scope and others and self._close(confidence, others[0][1]):
            choices = (intent, others[0][0])
            if all(map(self._can_answer, choices)):
                return self._asked_back(session, choices, message, understood)
        return self._looked_up(session, message, understood)

    def _close(self, first: float, second: float) -> bool:
        params = self.params.ask_back
        return first - second < params.gap and first + second >= params.together

    def _can_answer(self, intent: str) -> bool:
        return intent in self.params.templates or intent in self.retriever.intents

    def _answered(
        self, intent: str, confidence: float | None, message: str, understood: Understood
    ) -> tuple[Reply, HandOver | None]:
        """To a known intent: a template, an entry of it, or whatever the knowledge has."""
        known = Reply(
            "answer",
            "",
            intent=intent,
            confidence=confidence,
            in_scope=True,
            slots=self._slots.found(message),
        )
        if intent in self.params.hand_over.intents:
            return self._given_up("intent", known, understood, ())
        if templates := self.params.templates.get(intent):
            return replace(known, by="template", text=filled(templates, known.slots or {})), None
        if intent in self.retriever.intents:
            found = self.retriever.search(message, understood.vector, intent)
            # The intent is what says that its best entry answers.
            return self._quoted(known, [found[0], *self.retriever.answering(found[1:])], message)
        found = self.retriever.search(message, understood.vector)
        if answering := self.retriever.answering(found):
            return self._quoted(known, answering, message)
        return self._given_up("nothing_found", known, understood, found)

    def _looked_up(
        self, session: Session, message: str, understood: Understood
    ) -> tuple[Reply, HandOver | None]:
        """To a message of no intent that is sure: what the knowledge has, if it has anything."""
        found = self.retriever.search(message, understood.vector)
        known = Reply("answer", "", in_scope=understood.in_scope, slots=self._slots.found(message))
        if answering := self.retriever.answering(found):
            return self._quoted(known, answering, message)
        if not understood.in_scope:
            return self._given_up("nothing_found", known, understood, found)
        return self._not_sure(session, "unsure", self.params.texts.unsure, known, understood, found)

    def _asked_back(
        self, session: Session, choices: tuple[str, str], message: str, understood: Understood
    ) -> tuple[Reply, HandOver | None]:
        session.pending = Question(choices, message)
        first, second = (self._name(intent) for intent in choices)
        text = filled([self.params.texts.ask_back], {"first": first, "second": second})
        known = Reply(
            "ask",
            text,
            in_scope=True,
            slots=self._slots.found(message),
            choices=[Choice(intent, self._name(intent)) for intent in choices],
        )
        return self._not_sure(session, "ask", text, known, understood, ())

    def _not_sure(
        self,
        session: Session,
        kind: Kind,
        text: str,
        known: Reply,
        understood: Understood,
        found: Sequence[Found],
    ) -> tuple[Reply, HandOver | None]:
        """Say so, or hand over where it was said often enough."""
        if session.unsure + 1 >= self.params.hand_over.unsure_in_a_row:
            return self._given_up("unsure", known, understood, found)
        return replace(known, kind=kind, text=text), None

    def _quoted(
        self, known: Reply, found: Sequence[Found], message: str
    ) -> tuple[Reply, HandOver | None]:
        most = self.params.limits.answer_characters
        text, used = composed(found, message, self.retriever.words, most)
        return replace(known, by="knowledge", text=text, sources=used), None

    def _handed_over(
        self, reason: Reason, message: str, understood: Understood
    ) -> tuple[Reply, HandOver | None]:
        """As it was asked for, with what the model says of the message."""
        known = Reply("answer", "", slots=self._slots.found(message))
        return self._given_up(reason, known, understood, ())

    def _given_up(
        self, reason: Reason, known: Reply, understood: Understood, found: Sequence[Found]
    ) -> tuple[Reply, HandOver | None]:
        text = getattr(self.params.texts.hand_over, reason)
        reply = replace(known, kind="hand_over", text=text, reason=reason, choices=())
        return reply, HandOver(reason, (), reply, understood.best, found)

    def _name(self, intent: str) -> str:
        return self.params.names.get(intent, intent.replace("_", " "))
