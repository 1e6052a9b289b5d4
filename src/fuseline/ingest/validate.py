"""One raw row in, one row kept (perhaps cleaned) or refused (with its reason) out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fuseline.ingest.images import check_image
from fuseline.ingest.refusal import Refusal
from fuseline.ingest.split import split_of
from fuseline.ingest.text import clean_label, clean_text
from fuseline.params.ingest import IngestParams
from fuseline.sources import Media, RawRow

RAW_VALUE_CHARACTERS = 500

# A row of `contracts.EXAMPLES` or `contracts.QUARANTINE`.
Record = dict[str, Any]


class Validator:
    """Judges rows one by one; of those before, it remembers the ids that were kept.

    Args:
        params: limits and shares of the splits.
        fields: which of `text`, `image`, `label` the source claims to hold for every row.
    """

    def __init__(self, params: IngestParams, fields: frozenset[str]) -> None:
        self._params = params
        self._fields = fields
        self._seen: set[bytes] = set()

    def keep(self, row: RawRow) -> Record:
        """Return the row as an example.

        Raises:
            Refusal: with the first reason found; cheap checks come before decoding.
        """
        if row.problems:
            raise Refusal(row.problems[0].reason, row.problems[0].detail)
        changes: list[str] = []
        text = self._text(row, changes)
        label = self._label(row, changes)
        example_id, digest = self._id(row, changes)
        group = _tidy("group", row.group, changes) or example_id
        image = self._image(row.image, changes)
        if not text and not image:
            raise Refusal("missing_media", "The row has neither text nor an image.")
        self._seen.add(digest)
        return {
            "example_id": example_id,
            "source_row": row.source_row,
            "split": split_of(group, self._params.split),
            "group": group,
            "text": text,
            "label": label,
            "lang": _tidy("lang", row.lang, changes) or None,
            "image": image,
            "audio": None,
            "sanitised": changes,
        }

    def _text(self, row: RawRow, changes: list[str]) -> str | None:
        if "text" not in self._fields:
            return None
        limit = self._params.limits.max_text_characters
        if len(row.text or "") > limit:
            raise Refusal(
                "oversized_text",
                f"{len(row.text or '')} characters; ingest.limits.max_text_characters is {limit}.",
            )
        text, found = clean_text(row.text or "")
        if not text:
            raise Refusal("empty_text", "The text is empty or has no visible character.")
        changes += [f"text:{change}" for change in found]
        return text

    def _label(self, row: RawRow, changes: list[str]) -> str | None:
        if "label" not in self._fields:
            return None
        label = _tidy("label", row.label, changes)
        if not label:
            raise Refusal("unknown_label", "The label is missing or has no visible character.")
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

    def _image(self, image: Media | None, changes: list[str]) -> Record | None:
        if image is None:
            return None
        checked = check_image(image.bytes, self._params.limits)
        changes += [f"image:{change}" for change in checked.changes]
        return {"bytes": checked.bytes, "path": image.path}


def quarantined(row: RawRow, refusal: Refusal) -> Record:
    """The row as the quarantine holds it."""
    return {
        "source_row": row.source_row,
        "example_id": row.example_id,
        "reason": refusal.reason,
        "detail": refusal.detail,
        "raw": raw_json(row.raw),
    }


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


def _tidy(field: str, value: str | None, changes: list[str]) -> str:
    tidy, found = clean_label(value or "")
    changes += [f"{field}:{change}" for change in found]
    return tidy
