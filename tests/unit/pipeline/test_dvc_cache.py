"""Links that DVC makes count as the files that they stand for; all others are followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuseline.config import read_yaml
from fuseline.data.sources.base import Media, Problem
from fuseline.data.sources.media_files import read_media
from fuseline.params.ingest import LimitParams
from fuseline.pipeline import dvc_cache
from fuseline.pipeline.dvc_cache import own_place
from fuseline.workbench.scaffold.bring import place_of
from tests.support.repository import PARAMS_FILE

LIMITS = LimitParams.model_validate(read_yaml(PARAMS_FILE)["ingest"]["limits"])
OBJECT = "files/md5/ab/cdef"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repository"
    (root / "data/raw/mine").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(root)
    dvc_cache._caches.cache_clear()
    return root


def put(cache: Path) -> Path:
    (cache / OBJECT).parent.mkdir(parents=True, exist_ok=True)
    (cache / OBJECT).write_bytes(b"content")
    return cache / OBJECT


def cache_of(kind: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if kind == "own":
        return root / ".dvc/cache"
    shared = root.parent / "shared cache"
    if kind == "of the main repository":
        shared = root.parent / "main/.dvc/cache"
        shared.parent.mkdir(parents=True)
        monkeypatch.setenv("DVC_ROOT", str(root.parent / "main"))
    else:
        (root / ".dvc/config.local").write_text(f"[cache]\n    dir = {shared}\n")
    return shared


@pytest.mark.parametrize("kind", ["own", "shared", "of the main repository"])
def test_a_link_into_the_cache_lies_where_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    table = root / "data/raw/mine/rows.csv"
    table.symlink_to(put(cache_of(kind, root, monkeypatch)))
    assert own_place(table) == table
    assert place_of(table, root, copy=False) == ("data/raw/mine/rows.csv", None)
    read = read_media(table.parent.resolve(), "rows.csv", "image", LIMITS)
    assert isinstance(read, Media)
    assert (read.bytes, read.path) == (b"content", "rows.csv")


@pytest.mark.parametrize("target", ["outside", "another's cache", "beside the cache"])
def test_any_other_link_that_leads_out_is_refused(root: Path, target: str) -> None:
    place = {
        "outside": root.parent / "outside",
        "another's cache": put(root.parent / "other/.dvc/cache"),
        "beside the cache": root / ".dvc/config",
    }[target]
    place.touch()
    link = root / "data/raw/mine/a.png"
    link.symlink_to(place)
    assert own_place(link) == place
    read = read_media(link.parent, "a.png", "image", LIMITS)
    assert isinstance(read, Problem)
    assert read.reason == "unsafe_path"


def test_a_folder_that_is_a_link_is_followed_before_the_last_one_is_judged(root: Path) -> None:
    """Its file may be a link of DVC's, and lies outside all the same."""
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.png").symlink_to(put(root / ".dvc/cache"))
    (root / "data/raw/mine/folder").symlink_to(elsewhere)
    assert own_place(root / "data/raw/mine/folder/a.png") == elsewhere / "a.png"


def test_a_file_and_a_name_of_nothing_lie_where_they_are(root: Path) -> None:
    (root / "data/raw/mine/a").write_text("a")
    assert own_place(Path("data/raw/mine/a")) == root / "data/raw/mine/a"
    assert own_place(Path("data/raw/mine/none")) == root / "data/raw/mine/none"
