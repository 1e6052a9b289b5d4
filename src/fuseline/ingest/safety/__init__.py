"""Personal data and harmful content in texts: found, masked, reported or refused."""

from __future__ import annotations

from dataclasses import dataclass

from fuseline.ingest.refusal import Refusal
from fuseline.ingest.safety.harmful import build_screen
from fuseline.ingest.safety.personal import find_personal_data, mask
from fuseline.params.ingest import SafetyParams


@dataclass(frozen=True)
class ScreenedText:
    """A text as it may be kept.

    Attributes:
        text: with personal data masked, where the params say so.
        changes: kinds of personal data that were masked, such as `email`.
        findings: what was found and left: kinds of personal data, and `harmful`.
    """

    text: str
    changes: list[str]
    findings: list[str]


class SafetyScreen:
    """Screens texts one by one.

    Raises:
        ConfigError: `ingest.safety.harmful.screen` names neither a screen nor a classifier.
    """

    def __init__(self, params: SafetyParams) -> None:
        self._params = params
        self._harmful = build_screen(params.harmful)

    def screen(self, text: str) -> ScreenedText:
        """Screen one cleaned text.

        Raises:
            Refusal: `personal_data` or `harmful_content`, where the params say quarantine. Its
                detail names what was found and quotes none of it.
        """
        finds = find_personal_data(text)
        kinds = sorted({find.kind for find in finds})
        if finds and self._params.personal_data == "quarantine":
            named = ", ".join(kind.replace("_", " ") for kind in kinds)
            raise Refusal("personal_data", f"The text holds personal data: {named}.")
        findings = [*self._judged(text)]
        if self._params.personal_data == "keep":
            return ScreenedText(text, [], [*kinds, *findings])
        return ScreenedText(mask(text, finds), kinds, findings)

    def masked(self, text: str) -> str:
        """The text as tables may show it that keep raw values, such as the quarantine: personal
        data masked, except where the params keep it."""
        if self._params.personal_data == "keep":
            return text
        return mask(text, find_personal_data(text))

    def _judged(self, text: str) -> list[str]:
        if not self._harmful.is_harmful(text):
            return []
        if self._params.harmful.action == "quarantine":
            raise Refusal(
                "harmful_content", f"The screen '{self._params.harmful.screen}' judged it harmful."
            )
        return ["harmful"]
