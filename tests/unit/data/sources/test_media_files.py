from __future__ import annotations

import base64
from pathlib import Path

import pytest

from fuseline.config import read_yaml
from fuseline.data.sources.base import Media, Problem
from fuseline.data.sources.media_files import embedded_bytes, read_media
from fuseline.params.base import MEDIA
from fuseline.params.ingest import LimitParams
from tests.support.repository import PARAMS_FILE

LIMITS = LimitParams.model_validate(read_yaml(PARAMS_FILE)["ingest"]["limits"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = (tmp_path / "raw").resolve()
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.png").write_bytes(b"picture")
    return folder


def _reason(root: Path, name: str, medium: str = "image") -> str:
    found = read_media(root, name, medium, LIMITS)
    assert isinstance(found, Problem)
    assert str(root) not in found.detail
    return found.reason


@pytest.mark.parametrize("name", ["sub/a.png", "./sub/a.png", "sub//a.png"])
def test_file_is_read_under_its_relative_path(root: Path, name: str) -> None:
    assert read_media(root, name, "image", LIMITS) == Media(b"picture", "sub/a.png")


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
    assert read_media(root, "in.png", "image", LIMITS) == Media(b"picture", "in.png")


@pytest.mark.parametrize("name", ["nowhere.png", "sub", "a\0b.png", "x" * 5000])
def test_what_is_no_file_is_missing(root: Path, name: str) -> None:
    assert _reason(root, name) == "missing_media"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sub\\a.png", "; it uses '\\' where '/' is expected."),
        ("https://a.org/a.png", "; web addresses are not fetched; download the file."),
        ("HTTP://a.org/a\\b.png", "; web addresses are not fetched; download the file."),
        ("nowhere.png", "'nowhere.png' is no file in the source's folder."),
    ],
)
def test_what_is_missing_is_told_why(root: Path, name: str, hint: str) -> None:
    found = read_media(root, name, "image", LIMITS)
    assert isinstance(found, Problem)
    assert found.reason == "missing_media"
    assert found.detail.endswith(hint)


def test_loop_of_links_is_missing(root: Path) -> None:
    (root / "loop.png").symlink_to(root / "loop.png")
    assert _reason(root, "loop.png") == "missing_media"


@pytest.mark.parametrize("medium", MEDIA)
def test_large_file_is_refused_unread(root: Path, medium: str) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no room, but could not be read
    assert _reason(root, "large", medium) == f"oversized_{medium}"
    found = read_media(root, "large", medium, LIMITS)
    assert isinstance(found, Problem)
    assert f"max_{medium}_bytes" in found.detail


def test_each_medium_has_a_limit_of_its_own(root: Path) -> None:
    (root / "clip").write_bytes(bytes(LIMITS.max_image_bytes + 1))
    assert _reason(root, "clip", "image") == "oversized_image"
    assert isinstance(read_media(root, "clip", "video", LIMITS), Media)


@pytest.mark.parametrize(
    ("name", "files", "near"),
    [
        ("IMG_1.JPG", ["img_1.jpg"], "img_1.jpg"),
        ("img_1.jpg", ["IMG_1.JPG", "img_2.jpg"], "IMG_1.JPG"),
        ("photos/A.png", ["Photos/a.PNG"], "Photos/a.PNG"),
        ("a.jpeg", ["a.jpg"], "a.jpg"),
        ("a.jpg", ["a.png"], "a.png"),
        ("a", ["a.png"], "a.png"),
        (" a.png", ["a.png"], "a.png"),
        ("a.png ", ["a.png"], "a.png"),
        ("caf\u00e9.png", ["cafe\u0301.png"], "cafe\u0301.png"),
        ("./x/a.png", ["X/a.png"], "X/a.png"),
        ("b.png", ["a.png"], None),
        ("nowhere/a.png", ["a.png"], None),
        ("A", ["a/b.png"], None),
    ],
)
def test_the_near_name_is_told(
    tmp_path: Path, name: str, files: list[str], near: str | None
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    problem = read_media(tmp_path.resolve(), name, "image", LIMITS)
    assert isinstance(problem, Problem)
    told = f"; there is {near!r}" if near else ""
    assert problem.detail == f"{name!r} is no file in the source's folder{told}."


def test_a_near_name_outside_of_the_folder_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "root" / "Out.png").symlink_to(tmp_path / "secret.png")
    problem = read_media((tmp_path / "root").resolve(), "out.png", "image", LIMITS)
    assert isinstance(problem, Problem)
    assert "there is" not in problem.detail


PICTURE = b"\x89PNG" + bytes(range(256)) * 2


@pytest.mark.parametrize(
    "cell",
    [
        "data:image/png;base64," + base64.b64encode(PICTURE).decode(),
        "data:;base64," + base64.b64encode(PICTURE).decode(),
        "DATA:image/svg+xml;charset=utf-8;base64," + base64.b64encode(PICTURE).decode(),
        base64.b64encode(PICTURE).decode(),
        base64.encodebytes(PICTURE).decode(),
    ],
)
def test_base64_is_decoded(cell: str) -> None:
    assert embedded_bytes(cell) == PICTURE


@pytest.mark.parametrize(
    "cell",
    [
        "a.png",
        "photos/abcd",
        "x" * 255,
        "photos/" + "a" * 300 + ".png",
        "data:image/png,plain",
        "data:image/png;base64,!!!",
        "x" * 301,
        "",
    ],
)
def test_a_path_is_no_base64(cell: str) -> None:
    assert embedded_bytes(cell) is None
