"""Which container a file is, told by its content, and whether it is all there.

Decoders fill in for what is missing: of a file that was cut short they return what there is. So
the container's own sizes are compared with the bytes at hand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from fuseline.data.media import MediaError

# Sizes that writers leave where they cannot go back to fill them in.
_UNKNOWN_RIFF_SIZE = 0x7FFFF000
_EBML_SEGMENT = 0x18538067
_TS_PACKET_BYTES = 188
_ID3_HEADER_BYTES = 10
_AU_HEADER_BYTES = 24
_UNKNOWN_AU_SIZE = 0xFFFFFFFF
_ADTS_HEADER_BYTES = 7
_END_OF_STREAM = 0x04
# Brands of still pictures and their sequences, which share MP4's boxes.
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")
_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp")


def container_of(content: bytes) -> str | None:
    """A container of `formats.SOUNDS` or `formats.VIDEOS`; None if it is none."""
    if content[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": "wav", b"AVI ": "avi"}.get(content[8:12])
    if content.startswith(b"FORM"):
        return "aiff" if content[8:12] in (b"AIFF", b"AIFC") else None
    if content[4:8] in _MP4_FIRST_BOXES:
        is_picture = content[4:8] == b"ftyp" and content[8:12] in _PICTURE_BRANDS
        return None if is_picture else "mp4"
    for start, container in {
        b"OggS": "ogg",
        b"fLaC": "flac",
        b".snd": "au",
        b"caff": "caf",
        b"\x1a\x45\xdf\xa3": "matroska",
    }.items():
        if content.startswith(start):
            return container
    if content[: 3 * _TS_PACKET_BYTES : _TS_PACKET_BYTES] == b"GGG":
        return "mpegts"
    return _behind_id3(content)


def _behind_id3(content: bytes) -> str | None:
    """Tags may stand before MP3 and AAC, and before FLAC, though they should not."""
    start = _behind_tag(content)
    if content[start : start + 4] == b"fLaC":
        return "flac"
    # Eleven bits of a frame's start; the layer of all zeroes is AAC's, which has a twelfth.
    sync = content[start : start + 2]
    if len(sync) < 2 or sync[0] != 0xFF or sync[1] & 0xE0 != 0xE0:
        return None
    if sync[1] & 0x06:
        return "mp3"
    return "aac" if sync[1] & 0xF0 == 0xF0 else None


def _behind_tag(content: bytes) -> int:
    """Where a leading ID3 tag ends; 0 without one."""
    if not content.startswith(b"ID3") or len(content) < _ID3_HEADER_BYTES:
        return 0
    size = 0
    for byte in content[6:10]:
        size = size << 7 | byte & 0x7F
    return _ID3_HEADER_BYTES + size


def check_whole(content: bytes, container: str) -> None:
    """Compare the sizes that the container states with its bytes.

    Raises:
        MediaError: the file was cut short. Containers without sizes (MP3, MPEG-TS in whole
            packets) tell nothing.
    """
    checks = {
        "wav": _check_riff,
        "avi": _check_riff,
        "aiff": _check_form,
        "au": _check_au,
        "caf": _check_caf,
        "aac": _check_adts,
        "ogg": _check_ogg,
        "mp4": _check_boxes,
        "matroska": _check_segment,
        "mpegts": _check_packets,
    }
    if container in checks:
        checks[container](content)


def _cut_short(claimed: int, found: int) -> MediaError:
    return MediaError(f"cut short: {claimed} bytes are promised, {found} are there")


def _check_riff(content: bytes) -> None:
    """Walk the chunks of the first RIFF form; nested lists are not entered."""
    position = 12
    while position + 8 <= len(content):
        name = content[position : position + 4]
        (size,) = struct.unpack_from("<I", content, position + 4)
        found = len(content) - position - 8
        if size > found:
            if size < _UNKNOWN_RIFF_SIZE:
                raise _cut_short(size, found)
            return
        if name == b"data":
            return
        position += 8 + size + size % 2


def _check_form(content: bytes) -> None:
    (size,) = struct.unpack_from(">I", content, 4)
    if size + 8 > len(content):
        raise _cut_short(size + 8, len(content))


def _check_au(content: bytes) -> None:
    """The header states where the samples begin and how many bytes they are."""
    if len(content) < _AU_HEADER_BYTES:
        raise _cut_short(_AU_HEADER_BYTES, len(content))
    start, size = struct.unpack_from(">II", content, 4)
    if size != _UNKNOWN_AU_SIZE and start + size > len(content):
        raise _cut_short(start + size, len(content))


def _check_caf(content: bytes) -> None:
    position = 8
    while position + 12 <= len(content):
        (size,) = struct.unpack_from(">q", content, position + 4)
        # Of samples alone, a writer to a pipe leaves -1.
        if size < 0:
            return
        position += 12 + size
    if position != len(content):
        raise _cut_short(position, len(content))


def _check_adts(content: bytes) -> None:
    """Each frame of AAC states its length, its header included."""
    position = _behind_tag(content)
    while position < len(content):
        header = content[position : position + _ADTS_HEADER_BYTES]
        if len(header) < _ADTS_HEADER_BYTES or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
            raise MediaError("damaged or cut short: a frame does not start where the last one ends")
        size = (header[3] & 0x03) << 11 | header[4] << 3 | header[5] >> 5
        if size < _ADTS_HEADER_BYTES or size > len(content) - position:
            raise _cut_short(size, len(content) - position)
        position += size


def _check_boxes(content: bytes) -> None:
    position = 0
    while position + 8 <= len(content):
        (size,) = struct.unpack_from(">I", content, position)
        if size == 1 and position + 16 <= len(content):
            (size,) = struct.unpack_from(">Q", content, position + 8)
        if size == 0:
            return
        if size < 8:
            raise MediaError(f"a box of {size} bytes")
        if size > len(content) - position:
            raise _cut_short(size, len(content) - position)
        position += size
    if position != len(content):
        raise _cut_short(8, len(content) - position)


def _check_segment(content: bytes) -> None:
    position = 0
    while position < len(content):
        name, position = _ebml_number(content, position, keep_mark=True)
        size, position = _ebml_number(content, position, keep_mark=False)
        if size is None:
            return
        found = len(content) - position
        if size > found:
            raise _cut_short(size, found)
        if name == _EBML_SEGMENT:
            return
        position += size
    raise MediaError("cut short: no segment is there")


def _ebml_number(content: bytes, position: int, *, keep_mark: bool) -> tuple[int | None, int]:
    """A number of variable length and where it ends; None where all its bits say "unknown"."""
    first = content[position] if position < len(content) else 0
    length = 9 - first.bit_length()
    number = content[position : position + length]
    if not first or len(number) < length:
        raise MediaError("cut short: an element's header is not readable")
    value = int.from_bytes(number, "big")
    if keep_mark:
        return value, position + length
    value &= (1 << 7 * length) - 1
    return (None if value == (1 << 7 * length) - 1 else value), position + length


def _check_packets(content: bytes) -> None:
    rest = len(content) % _TS_PACKET_BYTES
    if rest:
        raise _cut_short(_TS_PACKET_BYTES, rest)


def _check_ogg(content: bytes) -> None:
    """Each stream must end with a page that says so."""
    ended: dict[bytes, bool] = {}
    for serial, flags in _ogg_pages(content):
        ended[serial] = bool(flags & _END_OF_STREAM)
    if not all(ended.values()):
        raise MediaError("cut short: the last page is missing")


def _ogg_pages(content: bytes) -> Iterator[tuple[bytes, int]]:
    position = 0
    while position < len(content):
        header = content[position : position + 27]
        if header[:4] != b"OggS":
            raise MediaError("damaged: a page does not start where the last one ends")
        table = content[position + 27 : position + 27 + header[26]] if len(header) == 27 else b""
        size = 27 + len(table) + sum(table)
        if len(header) < 27 or len(table) < header[26] or size > len(content) - position:
            raise MediaError("cut short: the last page is not whole")
        yield header[14:18], header[5]
        position += size
