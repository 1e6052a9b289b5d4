"""What a label is called in a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fuseline.errors import ConfigError
from fuseline.registry import suggestion

JOINTS = re.compile(r"\s+and\s+|[,/;|]")


def tidied(label: str) -> str:
    """A label's name as a text would spell it: lower case, `&` as `and`, no underscores.

    A name of nothing but signs stays as it is.
    """
    spelt = label.replace("&", " and ").replace("_", " ").lower()
    return " ".join(spelt.split()) or label


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a piece of a text, without the tokens that begin and end one."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


class LabelWords:
    """The words of every label.

    Args:
        label_names: C names.
        words: `prompt.label_words`, words by label name; a label that is not there goes by its
            own name.

    Raises:
        ConfigError: a label name that no row has.
    """

    def __init__(self, label_names: Sequence[str], words: Mapping[str, Sequence[str]]) -> None:
        self.label_names = list(label_names)
        for name in words:
            if name not in self.label_names:
                raise ConfigError(
                    f"prompt.label_words: unknown label '{name}'. Labels of the data:"
                    f" {', '.join(self.label_names)}.{suggestion(name, self.label_names)}"
                )
        self.words = words

    def phrases(self) -> list[list[str]]:
        """Per label what class prompts call it: its words, or its whole name."""
        return [list(self.words.get(name, [tidied(name)])) for name in self.label_names]

    def verbaliser(self) -> list[list[str]]:
        """Per label what may stand in a blank: its words, or the single parts of its name
        ("animals" and "nature" of "Animals & Nature")."""
        return [list(self.words.get(name, _parts(tidied(name)))) for name in self.label_names]

    def unnamed(self, tokenizer: Any) -> list[str]:
        """Labels that go by their own name, of which the tokenizer knows nothing, as of another
        script: all their prompts would be the same.

        Raises:
            ConfigError: of words that `prompt.label_words` gives a label it knows nothing either.
                Whoever gave them asks for prompts, and can give others.
        """
        unknown = [
            label
            for label, words in zip(self.label_names, self.verbaliser(), strict=True)
            if not any(_is_known(tokenizer, word) for word in words)
        ]
        for label in unknown:
            if label in self.words:
                raise ConfigError(
                    f"prompt.label_words: expected a word of label '{label}' that the tokenizer"
                    f" knows, found {', '.join(self.words[label])}. Give other words, or another"
                    " `tokenize.encoder`."
                )
        return unknown

    def names(self) -> list[str]:
        """Per label one phrase of all its words."""
        return [" and ".join(phrases) for phrases in self.phrases()]


def _is_known(tokenizer: Any, word: str) -> bool:
    """Whether any piece of a word is more than a mark of the space in front or of the unknown."""
    pieces = plain_ids(tokenizer, f" {word.strip()}")
    known = [piece for piece in pieces if piece != tokenizer.unk_token_id]
    return any(tokenizer.decode([piece]).strip() for piece in known)


def _parts(name: str) -> list[str]:
    return [part.strip() for part in JOINTS.split(name) if part.strip()] or [name]
