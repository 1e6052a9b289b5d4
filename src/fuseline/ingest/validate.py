"""One raw row in, one row that may be kept (perhaps cleaned) or refused (with its reason) out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from fuseline.ingest.candidate import Candidate, Record
from fuseline.ingest.images import ENDINGS, check_image
from fuseline.ingest.recordings import check_audio, check_video
from fuseline.ingest.refusal import Refusal
from fuseline.ingest.safety import SafetyScreen
from fuseline.ingest.text import clean_label, clean_text
from fuseline.params.ingest import IngestParams
from fuseline.sources import Media, RawRow

RAW_VALUE_CHARACTERS = 500

# How data frames and spreadsheets spell "no value"; as a label it is none.
NO_LABELS = frozenset({"nan", "null", "n/a", "#n/a", "<na>"})

# What a spreadsheet would run; tables that we write as CSV put a quote before it.
_FORMULA = ("=", "+", "-", "@")
_HTML = re.compile(r"<(?:/[a-z]|!--|[a-z][a-z0-9]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)


class Validator:
    """Judges rows one by one; of those before, it remembers the ids that were kept.

    Args:
        params: limits and what is screened for.
        fields: which of `text`, `image`, `audio`, `video`, `tabular`, `label` the source maps.
    """

    def __init__(self, params: IngestParams, fields: frozenset[str]) -> None:
        self._params = params
        self._fields = fields
        self._screen = SafetyScreen(params.safety)
        self._seen: set[bytes] = set()

    def keep(self, row: RawRow) -> Candidate:
        """Return the row as a candidate.

        Raises:
            Refusal: with the first reason found; cheap checks come before decoding.
        """
        if row.problems:
            raise Refusal(row.problems[0].reason, row.problems[0].detail)
        changes: list[str] = []
        findings: list[str] = []
        label = self._label(row, changes, findings)
        example_id, digest = self._id(row, changes)
        text = self._text(row, changes, findings)
        fingerprints: dict[str, bytes] = {}
        record: Record = {
            "example_id": example_id,
            "source_row": row.source_row,
            "group": _tidy("group", row.group, changes) or None,
            "text": text,
            "label": label,
            "lang": _tidy("lang", row.lang, changes) or None,
            "image": self._image(row.image, changes, fingerprints),
            "audio": self._recording("audio", row.audio, check_audio, fingerprints),
            "video": self._recording("video", row.video, check_video, fingerprints),
            "tabular": _cells(row.tabular, changes),
            "license": _tidy("license", row.license, changes) or None,
            "provenance": _tidy("provenance", row.provenance, changes) or None,
            "sanitised": changes,
            "findings": findings,
        }
        self._seen.add(digest)
        return Candidate(record, row.batch, fingerprints)

    def quarantined(self, row: RawRow, refusal: Refusal) -> Record:
        """The row as the quarantine holds it, with personal data masked as the params say."""
        return {
            "source_row": row.source_row,
            "example_id": row.example_id,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "raw": raw_json(
                {name: value and self._screen.masked(value) for name, value in row.raw.items()}
            ),
        }

    def _text(self, row: RawRow, changes: list[str], findings: list[str]) -> str | None:
        limit = self._params.limits.max_text_characters
        given = row.text or ""
        if len(given) > limit:
            raise Refusal(
                "oversized_text",
                f"{len(given)} characters; ingest.limits.max_text_characters is {limit}.",
            )
        text, found = clean_text(given)
        if text:
            changes += [f"text:{change}" for change in found]
            return self._screened(text, changes, findings)
        has_cells = bool(row.tabular) and any((row.tabular or {}).values())
        if row.image or row.audio or row.video or has_cells:
            changes += ["text:empty"] if given else []
            return None
        if "text" in self._fields:
            raise Refusal("empty_text", "No visible text, and no other medium.")
        raise Refusal("missing_media", "The row has neither text nor a medium.")

    def _screened(self, text: str, changes: list[str], findings: list[str]) -> str:
        screened = self._screen.screen(text)
        changes += [f"text:{change}" for change in screened.changes]
        findings += [f"text:{finding}" for finding in screened.findings]
        if text.startswith(_FORMULA):
            findings.append("text:formula")
        if "<" in text and _HTML.search(text):
            findings.append("text:html")
        return screened.text

    def _label(self, row: RawRow, changes: list[str], findings: list[str]) -> str | None:
        if "label" not in self._fields:
            return None
        label = _tidy("label", row.label, changes)
        if not label:
            raise Refusal("unknown_label", "The label is missing or has no visible character.")
        if label.casefold() in NO_LABELS:
            raise Refusal("unknown_label", f"{label!r} stands for a missing value.")
        if label.startswith(_FORMULA):
            findings.append("label:formula")
        return label

    def _id(self, row: RawRow, changes: list[str]) -> tuple[str, bytes]:
        """The id, and its digest: 16 bytes a row are all that is remembered of it."""
        example_id = _tidy("id", row.example_id, changes)
        if not example_id:
            raise Refusal("malformed_row", "The id has no visible character.")
        digest = hashlib.blake2b(example_id.encode(), digest_size=16).digest()
        if digest in self._seen:
            raise Refusal("duplicate_id", f"An earlier row, which was kept, is {example_id!r} too.")
        return example_id, digest

    def _image(
        self, image: Media | None, changes: list[str], fingerprints: dict[str, bytes]
    ) -> Record | None:
        if image is None:
            return None
        checked = check_image(image.bytes, self._params.limits)
        changes += [f"image:{change}" for change in checked.changes]
        ending = PurePosixPath(image.path or "").suffix.lower()
        if ending and ending not in ENDINGS.get(checked.format, (ending,)):
            changes.append("image:extension")
        fingerprints["image"] = checked.fingerprint
        return {"bytes": checked.bytes, "path": image.path}

    def _recording(
        self,
        medium: str,
        given: Media | None,
        check: Callable[..., bytes],
        fingerprints: dict[str, bytes],
    ) -> Record | None:
        if given is None:
            return None
        fingerprints[medium] = check(given.bytes, self._params.limits)
        return {"bytes": given.bytes, "path": given.path}


def raw_json(values: Mapping[str, str | None]) -> str:
    """A row's values as JSON, each cut to what a person would read; broken text is escaped."""
    shown = {
        name: f"{value[:RAW_VALUE_CHARACTERS]}… ({len(value)} characters)"
        if value and len(value) > RAW_VALUE_CHARACTERS
        else value
        for name, value in values.items()
    }
    text = json.dumps(shown, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(shown)
    return text


def _cells(tabular: Mapping[str, str | None] | None, changes: list[str]) -> Record | None:
    """Cells without control characters and outer whitespace; an empty cell is None."""
    if tabular is None:
        return None
    return {name: _tidy(name, cell, changes) or None for name, cell in tabular.items()}


def _tidy(field: str, value: str | None, changes: list[str]) -> str:
    if not value:
        return ""
    tidy, found = clean_label(value)
    if found:
        changes += [f"{field}:{change}" for change in found]
    return tidy
