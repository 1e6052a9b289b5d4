"""Screens for harmful texts, by the name in `ingest.safety.harmful.screen`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fuseline.data.ingest.safety.classifier import ClassifierScreen
from fuseline.data.ingest.safety.word_list import WordListScreen
from fuseline.params.ingest import HarmfulParams
from fuseline.registry import lookup


class Screen(Protocol):
    """A judge of texts."""

    def is_harmful(self, text: str) -> bool:
        """Whether the text is harmful, as far as this screen can see."""


class NoScreen:
    """Judges nothing harmful."""

    def is_harmful(self, text: str) -> bool:
        """Always False."""
        del text
        return False


SCREENS: dict[str, Callable[[], Screen]] = {"none": NoScreen, "word_list": WordListScreen}


def build_screen(params: HarmfulParams) -> Screen:
    """The screen of a name; any other name must be a folder with a text classifier.

    Raises:
        ConfigError: neither.
    """
    if params.screen not in SCREENS and Path(params.screen).is_dir():
        return ClassifierScreen(Path(params.screen), params.threshold)
    return lookup(SCREENS, params.screen, where="ingest.safety.harmful.screen")()
