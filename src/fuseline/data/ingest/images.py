"""Checking images by decoding them whole, and turning unusual ones into upright RGB."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from fuseline.data.ingest.fingerprints import image_fingerprint
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.media.formats import PICTURES
from fuseline.data.media.pictures import depth, is_constant, on_white, upright
from fuseline.params.ingest import LimitParams

# Pillow opens an MPO as the JPEG that it begins as.
FORMATS = tuple(kind for kind in PICTURES if kind != "MPO")
_PLAIN_MODES = ("RGB", "RGBA", "L")
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = 1

# What Pillow's decoders raise for damaged files, seen by feeding them 300,000 damaged ones.
_DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class CheckedImage:
    """An image that decodes.

    Attributes:
        fingerprint: see `fingerprints.image_fingerprint`.
        changes: names of the changes made to it.
        findings: `constant` where all pixels are one colour.
        format: Pillow's name of the format that it came in.
        bytes: of the file as it may be kept.
    """

    fingerprint: bytes
    changes: list[str]
    findings: list[str]
    format: str
    bytes: bytes


def check_image(content: bytes, limits: LimitParams) -> CheckedImage:
    """Decode an image and return bytes that every reader understands alike.

    Plain 8-bit RGB, RGBA and grey images keep their bytes. Others (palettes, CMYK, 16 bits,
    several frames, an EXIF rotation) become an RGB PNG of the first frame, upright, on white.

    Raises:
        Refusal: `oversized_image` or `unreadable_image`.
    """
    if not content:
        raise Refusal("unreadable_image", "The image has zero bytes.")
    if len(content) > limits.max_image_bytes:
        raise Refusal(
            "oversized_image",
            f"{len(content)} bytes; ingest.limits.max_image_bytes is {limits.max_image_bytes}.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow only warns of an image up to twice as large as it thinks safe.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(content, limits)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Refusal("oversized_image", _bomb(error, limits)) from None
    except UnidentifiedImageError:
        # The library's own sentence holds an address in memory, other in each run.
        known = ", ".join(FORMATS)
        raise Refusal("unreadable_image", f"No image of a known format ({known}).") from None
    except _DAMAGE as error:
        raise Refusal("unreadable_image", f"Cannot be decoded: {_one_line(error)}.") from None


def _bomb(error: Exception, limits: LimitParams) -> str:
    """Pillow looks at the size before this module can, and quotes a limit of its own."""
    counted = re.search(r"\d+", str(error))
    pixels = int(counted[0]) if counted else 0
    if pixels > limits.max_image_pixels:
        return f"{pixels} pixels; ingest.limits.max_image_pixels is {limits.max_image_pixels}."
    return (
        f"{pixels} pixels, a decompression bomb: above {Image.MAX_IMAGE_PIXELS} none is decoded,"
        f" though ingest.limits.max_image_pixels is {limits.max_image_pixels}."
    )


def _decode(content: bytes, limits: LimitParams) -> CheckedImage:
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > limits.max_image_pixels:
            raise Refusal(
                "oversized_image",
                f"{image.width} x {image.height} pixels; ingest.limits.max_image_pixels is"
                f" {limits.max_image_pixels}.",
            )
        bits = depth(image)
        image.load()
        changes = _unusual(image, bits)
        if changes:
            plain = _plain(content)
            stored = _as_png(plain)
        else:
            plain, stored = on_white(image), content
        return CheckedImage(
            image_fingerprint(plain),
            changes,
            ["constant"] if is_constant(plain) else [],
            str(image.format),
            stored,
        )


def _unusual(image: Image.Image, bits: int) -> list[str]:
    """What keeps the file from being a plain, upright, single 8-bit picture."""
    found = {
        f"mode_{image.mode}": image.mode not in _PLAIN_MODES,
        "sixteen_bits": image.mode in _PLAIN_MODES and bits > 8,
        "first_frame": getattr(image, "n_frames", 1) > 1,
        "upright": image.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT,
    }
    return [name for name, is_so in found.items() if is_so]


def _plain(content: bytes) -> Image.Image:
    """The first frame upright, on white, in 8-bit RGB."""
    # Opened anew: once loaded, more than eight bits a channel are gone, and counting an
    # animation's frames replaces the first.
    with Image.open(BytesIO(content), formats=FORMATS) as image:
        return upright(image).convert("RGB")


def _as_png(plain: Image.Image) -> bytes:
    file = BytesIO()
    # Colour profiles, texts and EXIF would travel along otherwise.
    plain.info.clear()
    plain.save(file, "PNG")
    return file.getvalue()


def _one_line(error: Exception) -> str:
    # An address in memory would differ in each run.
    said = re.sub(r" at 0x[0-9a-f]+", "", " ".join(str(error).split()))
    return said.rstrip(".") or type(error).__name__
