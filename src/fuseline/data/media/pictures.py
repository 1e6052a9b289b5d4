"""Any picture as one that every reader understands alike: upright, on white, in 8 bits.

The only place where that is done: what `ingest` keeps and what a model is given are so the same.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

# Of the format, what FFmpeg calls it, and where the file says how many bits a channel has.
_DEEP_FORMATS = {"PNG": "png_pipe", "TIFF": "tiff_pipe"}
_TIFF_BITS_PER_SAMPLE = 258  # the tag
# Formats whose largest value stands in the file, and is scaled to by the library.
_SCALED = ("PPM",)
_MOST_BITS = 16
_OPAQUE = 255


def depth(picture: Image.Image) -> int:
    """Bits of a channel of colour as the file has them, to be asked before the picture is loaded:
    the library then gives eight without a word."""
    if picture.format == "TIFF":
        return int(max(picture.tag_v2.get(_TIFF_BITS_PER_SAMPLE, (8,))))  # type: ignore[attr-defined]
    tiles: Any = getattr(picture, "tile", None)
    is_deep = picture.format == "PNG" and tiles and ";16" in str(tiles[0].args)
    return _MOST_BITS if is_deep else 8


def upright(picture: Image.Image) -> Image.Image:
    """The picture upright, on white, in a mode of 8 bits: RGB, grey, or another that converts.

    Values of more bits keep their range: white is the largest number of as many bits as the
    picture's largest value needs, so that 12 bits in a file of 16 are as bright as in one of 12.
    Fractions are of 1. Where some value is below nought, the least is black and the largest white.

    Raises:
        ValueError: values that are no finite numbers, or a file that cannot be decoded.
    """
    bits = depth(picture)
    if picture.mode.startswith(("I", "F")):
        picture = _grey(picture)
    elif bits > 8 and picture.mode in ("RGB", "RGBA"):
        picture = _deep_colours(picture)
    return on_white(ImageOps.exif_transpose(picture))


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in front of white; itself where nothing of it is transparent."""
    if not picture.has_transparency_data:
        return picture
    seen = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if seen.getchannel("A").getextrema() == (_OPAQUE, _OPAQUE):
        return seen.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)


def is_constant(picture: Image.Image) -> bool:
    """Whether all pixels are one colour."""
    extrema: Any = picture.getextrema()
    channels = extrema if isinstance(extrema[0], tuple) else [extrema]
    return all(low == high for low, high in channels)


def scaled(values: np.ndarray, white: float | None = None) -> np.ndarray:
    """Values of any kind as uint8, by the rule of `upright`.

    Args:
        values: of any shape.
        white: the value that is white, where it is known.

    Raises:
        ValueError: some are no finite numbers.
    """
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("it holds values that are no finite numbers")
    black, largest = min(float(wide.min()), 0.0), float(wide.max())
    if white is None:
        white = largest if black < 0 else _white(largest, is_whole=values.dtype.kind in "iu")
    span = (white - black) or 1.0
    return np.rint((wide - black) * (255 / span)).clip(0, 255).astype(np.uint8)


def _white(largest: float, *, is_whole: bool) -> float:
    if not is_whole and largest <= 1.0:
        return 1.0
    bits = max(1, int(np.ceil(np.log2(largest + 1)))) if largest > 0 else 1
    return float(2**bits - 1)


def _grey(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    white = float(2**_MOST_BITS - 1) if picture.format in _SCALED else None
    grey = Image.fromarray(scaled(values, white))
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, _OPAQUE).astype(np.uint8)))
    return _with_orientation(grey, picture.getexif())


def _deep_colours(picture: Image.Image) -> Image.Image:
    """Colours of 16 bits, which the library would cut to the upper eight; where the picture is
    loaded already they are cut."""
    file: Any = getattr(picture, "fp", None)
    if not getattr(picture, "tile", None) or file is None:
        return picture
    exif = picture.getexif()
    file.seek(0)
    content = file.read()
    # Finds damage that the other decoder would pass over.
    Image.open(BytesIO(content)).load()
    values = _decoded(content, _DEEP_FORMATS[str(picture.format)])
    colours = scaled(values[..., :3])
    deep = Image.fromarray(colours)
    if picture.mode == "RGBA":
        deep.putalpha(Image.fromarray(scaled(values[..., 3])))
    transparent = picture.info.get("transparency")
    if isinstance(transparent, tuple):
        is_gone = (values[..., :3] == np.array(transparent)).all(axis=-1)
        deep.putalpha(Image.fromarray(np.where(is_gone, 0, _OPAQUE).astype(np.uint8)))
    return _with_orientation(deep, exif)


def _decoded(content: bytes, kind: str) -> np.ndarray:
    """(H, W, 4) uint16."""
    # Loaded where a picture needs it: few do.
    import av

    try:
        with av.open(BytesIO(content), "r", format=kind) as container:
            frame = next(iter(container.decode(video=0)))
            values: np.ndarray = frame.to_ndarray(format="rgba64le")
    except (av.FFmpegError, StopIteration) as error:
        raise ValueError(f"its 16 bits a channel cannot be decoded: {error}") from None
    return values


def _with_orientation(made: Image.Image, exif: Image.Exif) -> Image.Image:
    """The new picture with what the old says of how it is to be turned."""
    turn = exif.get(ExifTags.Base.Orientation)
    if turn is not None:
        kept = Image.Exif()
        kept[ExifTags.Base.Orientation] = turn
        made.info["exif"] = kept.tobytes()
    return made
