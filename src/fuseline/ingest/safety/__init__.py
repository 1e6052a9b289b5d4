"""Personal data and harmful content in texts: found, masked, reported or refused."""

from __future__ import annotations

from dataclasses import dataclass

from fuseline.params.ingest import SafetyParams


@dataclass(frozen=True)
class ScreenedText:
    """A text as it may be kept.

    Attributes:
        text: with personal data masked, where the params say so.
        changes: what was masked, such as `email`.
        findings: what was found and left, such as `harmful`.
    """

    text: str
    changes: list[str]
    findings: list[str]


class SafetyScreen:
    """Screens texts one by one."""

    def __init__(self, params: SafetyParams) -> None:
        self._params = params

    def screen(self, text: str) -> ScreenedText:
        """Screen one cleaned text.

        Raises:
            Refusal: `personal_data` or `harmful_content`, where the params say quarantine.
        """
        return ScreenedText(text, [], [])
