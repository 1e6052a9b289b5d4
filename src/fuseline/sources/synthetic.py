"""The seeded source: any number of rows whose label needs both the picture and the words."""

from __future__ import annotations

import colorsys
import random
from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageDraw

from fuseline.params.ingest import IngestParams
from fuseline.sources.base import Media, RawRow, Source

# Every row draws from its own generator, seeded by this and its position alone: more rows, or
# another `base.seed`, leave the rows that were there as they were.
SEED = "fuseline-synthetic-1"
ROWS_PER_GROUP = 2

_HUES = 8

# Outlines within the unit square: eight hues of each of eight shapes are 64 figures.
_SHAPES: dict[str, list[tuple[float, float]]] = {
    "octagon": [(0.3, 0), (0.7, 0), (1, 0.3), (1, 0.7), (0.7, 1), (0.3, 1), (0, 0.7), (0, 0.3)],
    "triangle": [(0.5, 0), (1, 1), (0, 1)],
    "bar": [(0, 0.35), (1, 0.35), (1, 0.65), (0, 0.65)],
    "hourglass": [(0, 0), (1, 0), (0, 1), (1, 1)],
    "corner": [(0, 0), (0.4, 0), (0.4, 0.6), (1, 0.6), (1, 1), (0, 1)],
    "post": [(0.35, 0), (0.65, 0), (0.65, 1), (0.35, 1)],
    "arrow": [(0, 0), (1, 0.5), (0, 1), (0.4, 0.5)],
    "stairs": [(0, 0), (0.5, 0), (0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1), (0.5, 0.5), (0, 0.5)],
}

# One word per class; `ingest.synthetic.num_classes` is at most their number.
_WORDS = """
anchor apple arrow badge basket bell bottle bridge brush button candle carpet castle chair clock
coin crown desk drum engine feather fence flag flute fork garden glove guitar hammer harp hat helmet
jacket kettle key kite ladder lamp leaf lemon lock magnet map mirror needle onion oven paddle pencil
piano pillow pocket ribbon rope saddle scarf shovel spoon statue table tent ticket violin wheel
""".split()  # noqa: SIM905
_PLACES = ("harbour", "market", "station", "museum", "village", "river", "library", "kitchen")
_QUALITIES = ("old", "new", "small", "heavy", "dusty", "shiny", "broken", "familiar")
_SENTENCES = (
    "We saw a {quality} {word} near the {place}.",
    "The {word} by the {place} looked {quality}.",
    "Somebody left a {word} at the {place}, a {quality} one.",
    "At the {place} there is a {quality} {word}.",
    "Is that {quality} thing in the {place} a {word}?",
    "No {word} in the {place} is as {quality} as this.",
)


class SyntheticSource(Source):
    """The label is (figure + word) modulo the number of classes.

    Figure and word are drawn independently and evenly, so that either of them alone says
    nothing about the label.
    """

    name = "synthetic"

    def __init__(self, params: IngestParams) -> None:
        self._params = params.synthetic

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({"text", "image", "label"})

    @property
    def num_rows(self) -> int:
        return self._params.num_rows

    def rows(self) -> Iterator[RawRow]:
        for position in range(self._params.num_rows):
            yield self._row(position)

    def _row(self, position: int) -> RawRow:
        # A text seed is hashed by a fixed rule, unlike a tuple.
        rng = random.Random(f"{SEED}:{position}")
        figure = rng.randrange(self._params.num_classes)
        word = rng.randrange(self._params.num_classes)
        text = _sentence(word, rng)
        label = f"class_{(figure + word) % self._params.num_classes:02d}"
        return RawRow(
            source_row=position,
            example_id=f"synthetic-{position}",
            text=text,
            label=label,
            group=f"synthetic-{position // ROWS_PER_GROUP}",
            lang="en",
            image=Media(_picture(figure, self._params.image_size, rng), f"{position}.png"),
            raw={"figure": str(figure), "word": _WORDS[word], "text": text, "label": label},
        )


def _sentence(word: int, rng: random.Random) -> str:
    return rng.choice(_SENTENCES).format(
        word=_WORDS[word], place=rng.choice(_PLACES), quality=rng.choice(_QUALITIES)
    )


def _picture(figure: int, size: int, rng: random.Random) -> bytes:
    """PNG of one figure, told by its hue and then its shape, somewhere on a grey ground."""
    ground = rng.randrange(200, 256)
    image = Image.new("RGB", (size, size), (ground, ground, ground))
    width = size * rng.uniform(0.5, 0.7)
    left, top = rng.uniform(0, size - width), rng.uniform(0, size - width)
    outline = list(_SHAPES.values())[figure // _HUES]
    points = [(left + x * width, top + y * width) for x, y in outline]
    ImageDraw.Draw(image).polygon(points, fill=_colour(figure % _HUES, rng))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _colour(hue: int, rng: random.Random) -> tuple[int, int, int]:
    """A strong colour of the hue, from 0 (red) to 255 a channel."""
    red, green, blue = colorsys.hsv_to_rgb(
        hue / _HUES, rng.uniform(0.8, 1.0), rng.uniform(0.7, 1.0)
    )
    return round(red * 255), round(green * 255), round(blue * 255)
