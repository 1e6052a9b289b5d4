"""Decoding of sound and video, for the checks of `ingest` and for feature extraction."""

from __future__ import annotations


class MediaError(ValueError):
    """A file is empty, damaged, cut short or of no format that is read here."""


class MediaTooLarge(MediaError):
    """A file decodes to more than a limit allows; it was not decoded to its end."""
