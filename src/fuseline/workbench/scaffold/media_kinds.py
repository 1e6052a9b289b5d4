"""Telling a medium by the ending of a name, or by how its bytes begin; nothing is decoded."""

from __future__ import annotations

import re

IMAGE_ENDINGS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
# Pictures that people have and that ingest refuses: they must be converted.
CONVERTED_ENDINGS = ("heic", "heif", "avif")
AUDIO_ENDINGS = ("wav", "flac", "ogg", "mp3", "opus", "m4a")
VIDEO_ENDINGS = ("mp4", "webm", "mkv", "mov", "avi")

MEDIUM_OF = {
    **dict.fromkeys((*IMAGE_ENDINGS, *CONVERTED_ENDINGS), "image"),
    **dict.fromkeys(AUDIO_ENDINGS, "audio"),
    **dict.fromkeys(VIDEO_ENDINGS, "video"),
}

_BEGINNINGS = (
    (re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP", re.DOTALL), "image"),
    (re.compile(rb"RIFF....WAVE|fLaC|OggS|ID3|\xff[\xe2-\xfb]", re.DOTALL), "audio"),
    (re.compile(rb"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI ", re.DOTALL), "video"),
)


def medium_of_name(name: str) -> str | None:
    """`image`, `audio` or `video` by the ending of a path, else None."""
    return MEDIUM_OF.get(ending_of(name))


def ending_of(name: str) -> str:
    """What follows the last dot, in lower case; empty where there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def medium_of_bytes(content: bytes) -> str | None:
    """`image`, `audio` or `video` by the first bytes, else None."""
    return next((kind for pattern, kind in _BEGINNINGS if pattern.match(content)), None)
