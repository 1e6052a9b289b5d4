"""Telling a medium by how its bytes begin; nothing is decoded."""

from __future__ import annotations

import re

from fuseline.data.media.containers import container_of
from fuseline.data.media.formats import SOUNDS, VIDEOS

_PICTURE = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP|P[1-7]\s", re.DOTALL
)
_SOUND_BRANDS = re.compile(rb"....ftyp(M4A|M4B|F4A)", re.DOTALL)
# What names a track's kind: the codec in Matroska, the handler in MP4.
_MATROSKA_TRACK = re.compile(rb"\x86.{1,8}?([AV])_[A-Z]", re.DOTALL)
_MP4_TRACK = re.compile(rb"hdlr.{8}(soun|vide)", re.DOTALL)
_MATROSKA_HEAD = 65_536
_FILMS_IN_OGG = (b"theora", b"fishead", b"OVP80")


def medium_of_bytes(content: bytes) -> str | None:
    """`image`, `audio` or `video` by the first bytes, else None."""
    if _PICTURE.match(content):
        return "image"
    container = container_of(content)
    if container is None:
        # Tags may be longer than what is at hand.
        return "audio" if content.startswith(b"ID3") else None
    if container == "ogg":
        return "video" if any(mark in content[:256] for mark in _FILMS_IN_OGG) else "audio"
    if container == "mp4":
        is_sound = _SOUND_BRANDS.match(content) or {*_MP4_TRACK.findall(content)} == {b"soun"}
        return "audio" if is_sound else "video"
    if container == "matroska":
        tracks = {*_MATROSKA_TRACK.findall(content[:_MATROSKA_HEAD])}
        return "audio" if tracks == {b"A"} else "video"
    return "video" if container in VIDEOS else "audio" if container in SOUNDS else None
