"""Each format of the one list is read, and told by its name and by its bytes alike."""

from __future__ import annotations

import pytest

from fuseline.config import load_section
from fuseline.data.ingest.images import check_image
from fuseline.data.ingest.recordings import check_audio, check_video
from fuseline.data.media.containers import container_of
from fuseline.data.media.formats import (
    PICTURES,
    SOUNDS,
    UNREAD,
    VIDEOS,
    container_endings,
    endings_of_medium,
)
from fuseline.data.media.names import medium_of_name
from fuseline.params.ingest import IngestParams
from fuseline.workbench.scaffold.media_kinds import medium_of_bytes
from tests.support.media import real_media, stream
from tests.support.repository import PARAMS_FILE

CHECKS = {"image": check_image, "audio": check_audio, "video": check_video}


@pytest.mark.parametrize("name", real_media())
def test_what_the_name_says_is_read_as_such(name: str) -> None:
    content, medium = real_media()[name], medium_of_name(name)
    assert medium is not None
    limits = load_section("ingest", IngestParams, PARAMS_FILE).limits
    assert CHECKS[medium](content, limits)
    assert medium_of_bytes(content) == medium


@pytest.mark.parametrize(
    ("kind", "codec"), [("matroska", "flac"), ("webm", "libopus"), ("mp4", "aac"), ("mov", "aac")]
)
def test_a_container_of_films_with_sound_alone_is_a_sound(kind: str, codec: str) -> None:
    content = stream(kind, codec)
    assert medium_of_bytes(content) == "audio"
    # Of the first bytes alone, which say nothing of tracks, the container is all there is.
    assert medium_of_bytes(content[:32]) == "video"


def test_there_is_a_file_of_every_format() -> None:
    contents = real_media()
    sounds = [name for name in contents if medium_of_name(name) == "audio"]
    videos = [name for name in contents if medium_of_name(name) == "video"]
    assert {container_of(contents[name]) for name in sounds} == set(SOUNDS)
    # Films in Ogg are read; no encoder here writes any.
    assert {container_of(contents[name]) for name in videos} == set(VIDEOS) - {"ogg"}
    endings = {name.rpartition(".")[2] for name in contents}
    assert all(endings & set(PICTURES[kind]) for kind in PICTURES)


@pytest.mark.parametrize("ending", ["aiff", "AIF", "aac", "au", "caf", "m4a", "oga", "weba", "mka"])
def test_sounds_of_rarer_names_are_sounds(ending: str) -> None:
    assert medium_of_name(f"a/b.{ending}") == "audio"


def test_no_ending_is_of_two_media_or_both_read_and_not() -> None:
    read = {medium: set(endings_of_medium(medium)) for medium in CHECKS}
    assert not read["image"] & (read["audio"] | read["video"])
    assert not read["audio"] & read["video"]
    assert not {ending for endings in UNREAD.values() for ending in endings} & set.union(
        *read.values()
    )


def test_a_container_of_both_has_the_names_of_both() -> None:
    assert {".m4a", ".mp4"} <= set(container_endings("mp4"))
    assert container_endings("") == ()
