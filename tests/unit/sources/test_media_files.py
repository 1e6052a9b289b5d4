from __future__ import annotations

from pathlib import Path

import pytest

from fuseline.sources.base import Media, Problem
from fuseline.sources.media_files import read_media


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = (tmp_path / "raw").resolve()
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.png").write_bytes(b"picture")
    return folder


def _reason(root: Path, name: str, max_bytes: int = 100) -> str:
    found = read_media(root, name, max_bytes)
    assert isinstance(found, Problem)
    assert str(root) not in found.detail
    return found.reason


@pytest.mark.parametrize("name", ["sub/a.png", "./sub/a.png", "sub//a.png"])
def test_file_is_read_under_its_relative_path(root: Path, name: str) -> None:
    assert read_media(root, name, 100) == Media(b"picture", "sub/a.png")


@pytest.mark.parametrize(
    "name", ["../secret.png", "sub/../../secret.png", "/etc/passwd", "C:\\a.png", "..\\secret.png"]
)
def test_paths_that_lead_out_are_unsafe(root: Path, name: str) -> None:
    assert _reason(root, name) == "unsafe_path"


def test_links_out_are_unsafe_and_links_within_are_read(root: Path) -> None:
    (root / "out.png").symlink_to(root.parent / "secret.png")
    (root / "folder").symlink_to(root.parent)
    (root / "in.png").symlink_to(root / "sub" / "a.png")
    assert _reason(root, "out.png") == "unsafe_path"
    assert _reason(root, "folder/secret.png") == "unsafe_path"
    assert read_media(root, "in.png", 100) == Media(b"picture", "in.png")


@pytest.mark.parametrize("name", ["nowhere.png", "sub", "a\0b.png", "x" * 5000])
def test_what_is_no_file_is_missing(root: Path, name: str) -> None:
    assert _reason(root, name) == "missing_media"


def test_loop_of_links_is_missing(root: Path) -> None:
    (root / "loop.png").symlink_to(root / "loop.png")
    assert _reason(root, "loop.png") == "missing_media"


def test_large_file_is_refused_unread(root: Path) -> None:
    with (root / "large.png").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no room, but could not be read
    assert _reason(root, "large.png") == "oversized_image"
