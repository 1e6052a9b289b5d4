from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from fuseline.data.ingest.images import check_image
from fuseline.data.ingest.refusal import Refusal
from fuseline.params.ingest import LimitParams

LIMITS = LimitParams(
    max_text_characters=10,
    max_image_bytes=100_000,
    max_image_pixels=10_000,
    max_images=1,
    max_audio_bytes=1,
    max_audio_seconds=1.0,
    max_video_bytes=1,
    max_video_seconds=1.0,
    max_video_frames=1,
)


def _encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _picture(mode: str = "RGB", size: tuple[int, int] = (20, 10)) -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("RGBA", "PNG"), ("L", "PNG"), ("RGB", "JPEG"), ("RGB", "WEBP")],
)
def test_plain_images_keep_their_bytes(mode: str, kind: str) -> None:
    content = _encoded(_picture(mode), kind)
    checked = check_image(content, LIMITS)
    assert (checked.bytes, checked.changes) == (content, [])


@pytest.mark.parametrize(
    ("content", "change"),
    [
        (_encoded(_picture("P")), "mode_P"),
        (_encoded(_picture("LA")), "mode_LA"),
        (_encoded(_picture("1")), "mode_1"),
        (_encoded(_picture("CMYK"), "JPEG"), "mode_CMYK"),
        (_encoded(Image.new("I;16", (20, 10), 40_000)), "mode_I;16"),
    ],
)
def test_unusual_modes_become_rgb(content: bytes, change: str) -> None:
    checked = check_image(content, LIMITS)
    assert checked.changes == [change]
    with Image.open(io.BytesIO(checked.bytes)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (20, 10))


def test_sixteen_bits_keep_their_brightness() -> None:
    checked = check_image(_encoded(Image.new("I;16", (4, 4), 32_768)), LIMITS)
    assert Image.open(io.BytesIO(checked.bytes)).getpixel((0, 0)) == (128, 128, 128)


def test_sixteen_bit_colours_become_eight_and_say_so() -> None:
    """Pillow reads them as eight without a word."""
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + struct.pack(">6H", *[65535, 32768, 0] * 2) for _ in range(2))
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    checked = check_image(content, LIMITS)
    assert checked.changes == ["sixteen_bits"]
    with Image.open(io.BytesIO(checked.bytes)) as image:
        assert image.getpixel((0, 0)) == (255, 128, 0)
    assert check_image(checked.bytes, LIMITS).changes == []


def test_transparent_pixels_of_a_palette_become_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    checked = check_image(_encoded(image, transparency=0), LIMITS)
    assert Image.open(io.BytesIO(checked.bytes)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_become_their_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    content = _encoded(
        frames[0],
        kind,
        save_all=True,
        append_images=frames[1:],
        **({"lossless": True} if kind == "WEBP" else {}),
    )
    checked = check_image(content, LIMITS)
    assert "first_frame" in checked.changes
    with Image.open(io.BytesIO(checked.bytes)) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert image.getpixel((0, 0)) == (255, 0, 0)


def test_rotated_photographs_become_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    checked = check_image(_encoded(_picture(size=(20, 10)), "JPEG", exif=exif), LIMITS)
    assert checked.changes == ["upright"]
    with Image.open(io.BytesIO(checked.bytes)) as image:
        assert image.size == (10, 20)
        assert not image.getexif()


GOOD = _encoded(_picture())


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "zero bytes"),
        (b"this is no picture", "No image of a known format"),
        (GOOD[: len(GOOD) // 2], "Cannot be decoded"),
        (_encoded(_picture(), "JPEG")[:-20], "truncated"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "No image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "No image of a known format"),
        (_encoded(Image.new("F", (4, 4), float("nan")), "TIFF"), "no finite numbers"),
        (_encoded(Image.new("F", (4, 4), float("inf")), "TIFF"), "no finite numbers"),
    ],
)
def test_unreadable(content: bytes, detail: str) -> None:
    with pytest.raises(Refusal, match=detail) as refusal:
        check_image(content, LIMITS)
    assert refusal.value.reason == "unreadable_image"


@pytest.mark.parametrize(
    ("content", "findings"),
    [
        (_encoded(_picture()), []),
        (_encoded(Image.new("RGB", (9, 9), "navy")), ["constant"]),
        (_encoded(Image.new("L", (9, 9))), ["constant"]),
        (_encoded(Image.new("RGB", (9, 9), "navy"), "JPEG"), ["constant"]),
        (_encoded(Image.new("RGBA", (9, 9), (0, 0, 0, 0))), ["constant"]),
        (_encoded(Image.new("I;16", (9, 9), 1000)), ["constant"]),
        (_encoded(Image.new("1", (9, 9), 1)), ["constant"]),
        (_encoded(_picture("1")), []),
    ],
)
def test_pictures_of_one_colour_are_found(content: bytes, findings: list[str]) -> None:
    assert check_image(content, LIMITS).findings == findings


def test_too_many_bytes_are_not_decoded() -> None:
    with pytest.raises(Refusal, match=r"100001 bytes; ingest\.limits\.max_image_bytes is 100000"):
        check_image(b"x" * 100_001, LIMITS)


def test_too_many_pixels() -> None:
    content = _encoded(Image.new("RGB", (101, 100)))
    with pytest.raises(Refusal, match="101 x 100 pixels") as refusal:
        check_image(content, LIMITS)
    assert refusal.value.reason == "oversized_image"


@pytest.mark.parametrize("side", [200, 10_000, 30_000])
def test_the_limit_that_is_quoted_is_the_keys_own(side: int) -> None:
    """Whoever counts the pixels first."""
    content = _encoded(Image.new("1", (side, side)))
    limits = LIMITS.model_copy(update={"max_image_bytes": 10**9})
    with pytest.raises(Refusal, match=r"ingest\.limits\.max_image_pixels is 10000\.$") as refusal:
        check_image(content, limits)
    assert refusal.value.reason == "oversized_image"
    assert str(Image.MAX_IMAGE_PIXELS) not in str(refusal.value)


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_a_bomb_is_refused_even_where_the_limit_would_allow_it(side: int) -> None:
    """Pillow only warns of the smaller one."""
    content = _encoded(Image.new("1", (side, side)))
    limits = LIMITS.model_copy(update={"max_image_bytes": 10**9, "max_image_pixels": 10**12})
    with pytest.raises(Refusal, match="decompression bomb") as refusal:
        check_image(content, limits)
    assert refusal.value.reason == "oversized_image"
