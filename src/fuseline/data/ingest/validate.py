"""One raw row in, one row that may be kept (perhaps cleaned) or refused (with its reason) out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from fuseline.contracts import SPLITS, TEXT_JOINT
from fuseline.data.ingest import images
from fuseline.data.ingest.candidate import Candidate, Record
from fuseline.data.ingest.fingerprints import placed_fingerprint
from fuseline.data.ingest.recordings import CheckedRecording, check_audio, check_video
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.safety import SafetyScreen
from fuseline.data.ingest.spellings import Spellings
from fuseline.data.ingest.targets import check_target
from fuseline.data.ingest.text import NO_LABELS, clean_label, clean_text, find_markup
from fuseline.data.media.formats import picture_endings
from fuseline.data.sources import Media, RawRow
from fuseline.data.sources.base import brief
from fuseline.data.sources.split_names import plain_name, split_named
from fuseline.params.ingest import IngestParams, TargetKind

RAW_VALUE_CHARACTERS = 500


@dataclass
class _Notes:
    """What becomes known of a row as it is checked."""

    changes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    fingerprints: dict[str, bytes] = field(default_factory=dict)
    masked_text: bool = False

    def changed(self, name: str, changes: list[str]) -> None:
        for change in changes:
            entry = f"{name}:{change}"
            if entry not in self.changes:
                self.changes.append(entry)

    def found(self, name: str, findings: list[str]) -> None:
        for finding in findings:
            entry = f"{name}:{finding}"
            if entry not in self.findings:
                self.findings.append(entry)


@dataclass(frozen=True)
class _Picture:
    """A picture as it is kept, and its fingerprint."""

    record: Record
    fingerprint: bytes


class Validator:
    """Judges rows one by one; of those before, it remembers the ids that were kept.

    Args:
        params: limits and what is screened for.
        fields: which of `text`, `image`, `audio`, `video`, `tabular`, `label` the source maps.
        targets: kinds of the target columns.

    Attributes:
        spellings: of the labels, under the name `label`, and of the targets that are names.

    Raises:
        ConfigError: a screen of `ingest.safety` cannot be built.
    """

    def __init__(
        self,
        params: IngestParams,
        fields: frozenset[str],
        targets: Mapping[str, TargetKind],
    ) -> None:
        self._limits = params.limits
        self._fields = fields
        self._targets = targets
        self._split_names = {plain_name(name): split for name, split in params.split.names.items()}
        self._screen = SafetyScreen(params.safety)
        self._separator = params.categories_separator
        self.spellings = Spellings(params.spellings)
        self._seen: set[bytes] = set()

    def keep(self, row: RawRow) -> Candidate:
        """Return the row as a candidate.

        Raises:
            Refusal: with the first reason found; cheap checks come before decoding.
        """
        if row.problems:
            raise Refusal(row.problems[0].reason, row.problems[0].detail)
        notes = _Notes()
        label = self._label(row, notes)
        split = self._split(row, notes)
        example_id, digest = self._id(row, notes)
        text = self._texts([row.text or "", *row.more_texts], notes)
        cells = self._cells(row.tabular, notes)
        targets = self._checked_targets(row.targets, text, notes)
        if not text and not cells:
            self._check_media(row)
        record: Record = {
            "example_id": example_id,
            "source_row": row.source_row,
            "split": split,
            "group": self._name("group", row.group, notes),
            "text": text,
            "label": label,
            "lang": self._name("lang", row.lang, notes),
            "tabular": cells,
            "targets": targets,
            "license": self._tidy("license", row.license, notes),
            "provenance": self._tidy("provenance", row.provenance, notes),
            **self._images([row.image, *row.more_images], notes),
            "audio": self._recording("audio", row.audio, check_audio, notes),
            "video": self._recording("video", row.video, check_video, notes),
            "sanitised": notes.changes,
            "findings": notes.findings,
        }
        self._seen.add(digest)
        return Candidate(record, row.batch, notes.fingerprints)

    def forget(self, example_id: str) -> None:
        """Leave the id of a candidate that was not kept in the end to other rows."""
        self._seen.discard(_digest(example_id))

    def quarantined(self, row: RawRow, refusal: Refusal) -> Record:
        """The row as the quarantine holds it, with personal data masked as the params say."""
        return {
            "source_row": row.source_row,
            "example_id": row.example_id,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "raw": raw_json(row.raw, mask=self._screen.masked),
        }

    def _texts(self, given: Sequence[str], notes: _Notes) -> str | None:
        """The texts of a row as one, each cleaned and screened alone; those without a visible
        character leave nothing behind."""
        texts = [self._text("text", text, notes) for text in given]
        return TEXT_JOINT.join(text for text in texts if text) or None

    def _text(self, name: str, given: str, notes: _Notes) -> str | None:
        self._check_length(name, given)
        text, changes = clean_text(given)
        if not text:
            notes.changed(name, ["empty"] if given else [])
            return None
        notes.changed(name, changes)
        screened = self._screen.screen(text)
        notes.changed(name, screened.changes)
        notes.masked_text |= name == "text" and bool(screened.changes)
        notes.found(name, [*screened.findings, *find_markup(text)])
        return screened.text

    def _check_media(self, row: RawRow) -> None:
        """Refuse a row without text and cells that has nothing else either."""
        if any((row.image, *row.more_images, row.audio, row.video)):
            return
        if "text" in self._fields:
            raise Refusal("empty_text", "No visible text, and no other medium.")
        raise Refusal("missing_media", "The row has neither text nor a medium.")

    def _label(self, row: RawRow, notes: _Notes) -> str | None:
        if "label" not in self._fields:
            return None
        label = self._name("label", row.label, notes)
        if label is None:
            raise Refusal("unknown_label", "The label is missing or has no visible character.")
        if label.casefold() in NO_LABELS:
            raise Refusal("unknown_label", f"{label!r} stands for a missing value.")
        settled = self.spellings.settle("label", label)
        notes.changed("label", ["spelling"] if settled != label else [])
        return settled

    def _split(self, row: RawRow, notes: _Notes) -> str | None:
        name = self._name("split", row.split, notes)
        if name is None:
            return None
        split = self._split_names.get(plain_name(name)) or split_named(name)
        if split is None:
            raise Refusal(
                "unknown_split",
                f"{brief(name)!r} names no split; expected {', '.join(SPLITS)}, or nothing where"
                " the row's group decides. Say what it means in ingest.split.names, such as"
                f' {{"{brief(name)}": train}}.',
            )
        return split

    def _id(self, row: RawRow, notes: _Notes) -> tuple[str, bytes]:
        """The id, and its digest: 16 bytes a row are all that is remembered of it."""
        example_id = self._tidy("id", row.example_id, notes)
        if example_id is None:
            raise Refusal("malformed_row", "The id has no visible character.")
        digest = _digest(example_id)
        if digest in self._seen:
            raise Refusal("duplicate_id", _seen_before(example_id, is_named=row.is_named))
        return example_id, digest

    def _images(self, pictures: Sequence[Media | None], notes: _Notes) -> Record:
        """The row's columns of pictures."""
        checked = [self._image(picture, notes) for picture in pictures]
        places = [place for place, picture in enumerate(checked) if picture]
        kept = [picture.record for picture in checked if picture]
        first = kept[0] if kept else None
        if self._limits.max_images == 1:
            if checked[0]:
                notes.fingerprints["image"] = checked[0].fingerprint
            return {"image": first}
        if kept:
            absent = [None] * (self._limits.max_images - len(checked))
            prints = [one.fingerprint if one else None for one in (*checked, *absent)]
            notes.fingerprints["image"] = placed_fingerprint(prints)
        return {"image": first, "more_images": kept[1:], "image_places": places}

    def _image(self, image: Media | None, notes: _Notes) -> _Picture | None:
        if image is None:
            return None
        checked = images.check_image(image.bytes, self._limits)
        notes.changed("image", checked.changes)
        notes.found("image", checked.findings)
        notes.changed("image", _wrong_extension(image, picture_endings(checked.format)))
        return _Picture({"bytes": checked.bytes, "path": image.path}, checked.fingerprint)

    def _recording(
        self,
        name: str,
        given: Media | None,
        check: Callable[..., CheckedRecording],
        notes: _Notes,
    ) -> Record | None:
        if given is None:
            return None
        checked = check(given.bytes, self._limits)
        notes.found(name, checked.findings)
        notes.changed(name, _wrong_extension(given, checked.endings))
        notes.fingerprints[name] = checked.fingerprint
        return {"bytes": given.bytes, "path": given.path}

    def _cells(self, cells: Mapping[str, str | None] | None, notes: _Notes) -> Record | None:
        """Cells without control characters, outer whitespace and personal data; an empty cell is
        None, and so is a row of empty cells."""
        clean = {name: self._cell(name, cell, notes) for name, cell in (cells or {}).items()}
        return clean if any(cell is not None for cell in clean.values()) else None

    def _checked_targets(
        self, cells: Mapping[str, str | None] | None, text: str | None, notes: _Notes
    ) -> Record | None:
        """Targets that are there, each as its kind demands; None where none is."""
        checked: Record = {}
        for name, cell in (cells or {}).items():
            kind = self._targets[name]
            tidy = (
                self._text("targets", cell or "", notes)
                if kind == "text"
                else self._tidy("targets", cell, notes)
            )
            if tidy is not None:
                checked[name] = check_target(
                    name,
                    kind,
                    tidy,
                    text,
                    separator=self._separator,
                    spellings=self.spellings,
                    masked=notes.masked_text,
                )
        return checked or None

    def _cell(self, name: str, cell: str | None, notes: _Notes) -> str | None:
        tidy = self._tidy("tabular", cell, notes)
        if tidy is None:
            return None
        screened = self._screen.screen_cell(name, tidy)
        notes.changed("tabular", screened.changes)
        notes.found("tabular", screened.findings)
        return screened.text

    def _name(self, name: str, value: str | None, notes: _Notes) -> str | None:
        """As `_tidy`, of a name that others must equal: without what nobody sees in it."""
        tidy = self._tidy(name, value, notes) or ""
        visible = self.spellings.visible(tidy)
        notes.changed(name, ["invisible"] if visible != tidy else [])
        return visible or None

    def _tidy(self, name: str, value: str | None, notes: _Notes) -> str | None:
        """The value on one line; None where nothing of it is visible."""
        if not value:
            return None
        self._check_length(name, value)
        tidy, changes = clean_label(value)
        notes.changed(name, changes)
        notes.found(name, find_markup(tidy))
        return tidy or None

    def _check_length(self, name: str, value: str) -> None:
        limit = self._limits.max_text_characters
        if len(value) > limit:
            raise Refusal(
                "oversized_text",
                f"{name}: {len(value)} characters; ingest.limits.max_text_characters is {limit}.",
            )


def _seen_before(example_id: str, *, is_named: bool) -> str:
    if is_named:
        return f"An earlier row is {brief(example_id)!r} too."
    return (
        "An earlier row holds the same, and no id tells the two apart. To keep both, name a column"
        " of ids in columns.id."
    )


def _digest(example_id: str) -> bytes:
    return hashlib.blake2b(example_id.encode(), digest_size=16).digest()


def raw_json(
    values: Mapping[str, str | None], *, mask: Callable[[str, str], str] | None = None
) -> str:
    """A row's values as JSON, each cut to what a person would read; broken text is escaped.

    Args:
        values: by name.
        mask: what a name's value passes through before it is shown.
    """
    shown = {
        name: value and _excerpt(value, mask and partial(mask, name))
        for name, value in values.items()
    }
    text = json.dumps(shown, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(shown)
    return text


def _excerpt(value: str, mask: Callable[[str], str] | None) -> str:
    # Masked before it is cut, so that nothing is cut in two and missed; but never as a whole: a
    # value may have millions of characters.
    start = value[: 2 * RAW_VALUE_CHARACTERS]
    masked = start if mask is None else mask(start)
    if len(value) <= RAW_VALUE_CHARACTERS:
        return masked
    return f"{masked[:RAW_VALUE_CHARACTERS]}… ({len(value)} characters)"


def _wrong_extension(media: Media, endings: tuple[str, ...]) -> list[str]:
    ending = PurePosixPath(media.path or "").suffix.lower()
    return ["extension"] if ending and ending not in endings else []
