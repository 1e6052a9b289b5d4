"""Any picture as upright 8-bit colours: high bit depths keep their range, by both ways in."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from fuseline.data.ingest.images import check_image
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.media.pictures import scaled, upright
from fuseline.data.modalities.image.pixels import decode_pixels, picture_to_pixels
from tests.unit.data.ingest.test_check_image import LIMITS

SIDE = 16
RAMP = np.linspace(0.0, 1.0, SIDE * SIDE).reshape(SIDE, SIDE)
RGB = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)


def png(values: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG of 16 bits a channel; values (H, W, C)."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(rows), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + name.encode()
        + data
        + struct.pack(">I", zlib.crc32(name.encode() + data))
        for name, data in parts.items()
    )


def tiff(values: np.ndarray, packing: str = "raw") -> bytes:
    """A TIFF of 16 bits a channel; values (H, W, 3) or (H, W, 4)."""
    name = "rgb48le" if values.shape[2] == 3 else "rgba64le"
    codec: Any = av.CodecContext.create("tiff", "w")
    codec.height, codec.width, codec.pix_fmt = *values.shape[:2], name
    codec.options, codec.time_base = {"compression_algo": packing}, Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(values.astype(np.uint16), format=name)
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


def saved(values: np.ndarray, kind: str = "TIFF", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, kind, **options)
    return out.getvalue()


def whole(values: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(values * (2**bits - 1)).astype(np.uint16)


def opaque(values: np.ndarray, bits: int) -> np.ndarray:
    alpha = np.full((*values.shape[:2], 1), 2**bits - 1, np.uint16)
    return np.concatenate([whole(values, bits), alpha], axis=-1)


GREY = RAMP[..., None]
# The file, and what is to be seen of it, from 0 to 1.
FILES: dict[str, tuple[bytes, np.ndarray]] = {
    **{f"grey PNG, {b} bits used": (png(whole(GREY, b)), GREY) for b in (1, 4, 8, 10, 12, 14, 16)},
    **{f"RGB PNG, {b} bits used": (png(whole(RGB, b)), RGB) for b in (8, 10, 12, 16)},
    **{f"RGBA PNG, {b} bits used": (png(opaque(RGB, b)), RGB) for b in (8, 12, 16)},
    "grey PNG with alpha": (png(opaque(GREY, 10)), GREY),
    **{f"RGB TIFF, {p}": (tiff(whole(RGB, 11), p), RGB) for p in ("raw", "lzw", "deflate")},
    "RGB TIFF, 16 bits": (tiff(whole(RGB, 16)), RGB),
    "RGBA TIFF": (tiff(opaque(RGB, 12)), RGB),
    "grey TIFF": (saved(whole(RAMP, 12)), GREY),
    "grey TIFF of 32 bits": (saved(whole(RAMP, 12).astype(np.int32)), GREY),
    "TIFF of fractions": (saved(RAMP.astype(np.float32)), GREY),
    "TIFF of floats to 255": (saved((255 * RAMP).astype(np.float32)), GREY),
    "TIFF of floats to 4095": (saved((4095 * RAMP).astype(np.float32)), GREY),
    "TIFF around nought": (saved((RAMP - 0.5).astype(np.float32)), GREY),
    "TIFF of integers around nought": (saved(whole(RAMP, 10).astype(np.int32) - 300), GREY),
    "PGM of 16 bits": (saved(whole(RAMP / 4, 16), "PPM"), GREY / 4),
    "PGM of 12 bits": (b"P5 16 16 4095\n" + whole(RAMP / 2, 12).astype(">u2").tobytes(), GREY / 2),
}


@pytest.mark.parametrize("name", FILES)
def test_high_bit_depths_keep_their_range(name: str) -> None:
    content, seen = FILES[name]
    wanted = np.broadcast_to(seen, (SIDE, SIDE, 3)) * 255
    checked = check_image(content, LIMITS)
    assert checked.changes
    assert not checked.findings
    kept = np.asarray(Image.open(io.BytesIO(checked.bytes)))
    # Of few bits, the values themselves are coarse.
    error = 255 / 15 if "4 bits" in name else 255 / 2 if "1 bits" in name else 1.5
    assert kept.shape == (SIDE, SIDE, 3)
    assert np.abs(kept - wanted).max() <= error
    # What a model is given the file itself as sees the same.
    for pixels in (decode_pixels(content, SIDE), decode_pixels(checked.bytes, SIDE)):
        assert np.array_equal(pixels.transpose(1, 2, 0), kept)


def test_deep_pictures_that_differ_in_their_low_bits_are_no_copies() -> None:
    rng = np.random.default_rng(0)
    prints = {
        check_image(png(rng.integers(0, 256, (SIDE, SIDE, channels))), LIMITS).fingerprint
        for channels in (1, 3)
        for _ in range(6)
    }
    assert len(prints) == 12


def turned(mode: str, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.fromarray(whole(RGB, 8).astype(np.uint8)).convert(mode).save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        turned("RGB", "PNG"),
        turned("CMYK", "TIFF"),
        saved(whole(RGB, 8).astype(np.uint8), "GIF"),
        png(np.concatenate([whole(RGB, 16), whole(GREY, 16)], axis=-1)),
        png(whole(RGB, 16), tRNS=struct.pack(">HHH", *whole(RGB, 16)[3, 4])),
        png(whole(GREY, 16), tRNS=struct.pack(">H", whole(GREY, 16)[3, 4, 0])),
    ],
    ids=["turned PNG", "turned CMYK", "GIF", "alpha", "colour gone", "grey gone"],
)
def test_what_is_kept_is_what_a_model_is_given(content: bytes) -> None:
    kept = check_image(content, LIMITS).bytes
    assert kept != content
    assert np.array_equal(decode_pixels(content, SIDE), decode_pixels(kept, SIDE))


def test_one_colour_that_is_transparent_becomes_white() -> None:
    for values in (whole(RGB, 16), whole(GREY, 16)):
        gone = values[3, 4]
        content = png(values, tRNS=struct.pack(f">{len(gone)}H", *gone))
        pixels = decode_pixels(content, SIDE)
        assert pixels[:, 3, 4].tolist() == [255, 255, 255]
        assert (pixels[:, 8, 8] < 255).any()


def test_a_picture_that_is_loaded_and_closed_is_taken_as_it_is() -> None:
    picture = Image.open(io.BytesIO(png(whole(RGB, 16))))
    picture.load()
    assert picture_to_pixels(picture, SIDE).shape == (3, SIDE, SIDE)


def test_a_deep_picture_that_is_cut_short_is_refused() -> None:
    content = png(whole(RGB, 16))
    with pytest.raises(OSError, match=r"truncated|broken"):
        upright(Image.open(io.BytesIO(content[:200])))
    with pytest.raises(Refusal, match="Cannot be decoded"):
        check_image(content[:200], LIMITS)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 1, 1], [0, 255, 255]),
        ([0, 3, 2], [0, 255, 170]),
        ([0, 200, 255], [0, 200, 255]),
        ([0, 2047, 4095], [0, 127, 255]),
        ([0, 0, 0], [0, 0, 0]),
        ([-5, 0, 5], [0, 128, 255]),
        ([-5, -5, -5], [0, 0, 0]),
    ],
)
def test_white_is_the_largest_number_of_as_many_bits(values: list[int], wanted: list[int]) -> None:
    assert scaled(np.array(values)).tolist() == wanted


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no finite numbers"):
        scaled(np.array([0.0, bad]))
