"""Personal data and harmful content in texts and table cells: found, masked, reported or
refused."""

from __future__ import annotations

from dataclasses import dataclass

from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.safety.harmful import build_screen
from fuseline.data.ingest.safety.personal import Find, column_context, find_personal_data, mask
from fuseline.params.ingest import SafetyParams


@dataclass(frozen=True)
class ScreenedText:
    """A text or cell as it may be kept.

    Attributes:
        text: with personal data masked, where the params say so.
        changes: kinds of personal data that were masked, such as `email`.
        findings: what was found and left: kinds of personal data, and `harmful`.
    """

    text: str
    changes: list[str]
    findings: list[str]


class SafetyScreen:
    """Screens texts and cells one by one.

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
        screened = self._without_personal_data("text", text, find_personal_data(text))
        harm = self._judged(text)
        return ScreenedText(screened.text, screened.changes, [*screened.findings, *harm])

    def screen_cell(self, column: str, cell: str) -> ScreenedText:
        """Screen one cleaned cell of a table for personal data.

        Raises:
            Refusal: `personal_data`, where the params say quarantine.
        """
        finds = find_personal_data(cell, context=column_context(column))
        return self._without_personal_data(f"column {column!r}", cell, finds)

    def masked(self, column: str, value: str) -> str:
        """A raw value as tables may show it that keep such, like the quarantine: personal data
        masked, except where the params keep it."""
        if self._params.personal_data == "keep":
            return value
        return mask(value, find_personal_data(value, context=column_context(column)))

    def _without_personal_data(self, where: str, value: str, finds: list[Find]) -> ScreenedText:
        kinds = sorted({find.kind for find in finds})
        if finds and self._params.personal_data == "quarantine":
            named = ", ".join(kind.replace("_", " ") for kind in kinds)
            raise Refusal("personal_data", f"The {where} holds personal data: {named}.")
        if self._params.personal_data == "keep":
            return ScreenedText(value, [], kinds)
        return ScreenedText(mask(value, finds), kinds, [])

    def _judged(self, text: str) -> list[str]:
        if not self._harmful.is_harmful(text):
            return []
        if self._params.harmful.action == "quarantine":
            raise Refusal(
                "harmful_content", f"The screen '{self._params.harmful.screen}' judged it harmful."
            )
        return ["harmful"]
