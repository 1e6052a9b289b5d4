from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseline.data.sources.base import Media, RawRow
from fuseline.data.sources.image_folder import ImageFolderSource
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for name in ("b/2.png", "b/10.png", "a/deep/er/x.png", "a/y.PNG"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def read(build_params: Build, root: Path) -> Callable[[], list[RawRow]]:
    return lambda: list(ImageFolderSource(build_params(image_folder={"path": str(root)})).rows())


Read = Callable[[], list[RawRow]]


def test_first_folder_is_the_label_and_the_path_the_id(read: Read) -> None:
    rows = read()
    assert [(row.example_id, row.label) for row in rows] == [
        ("a/deep/er/x.png", "a"),
        ("a/y.PNG", "a"),
        ("b/10.png", "b"),
        ("b/2.png", "b"),
    ]
    assert rows[0].image == Media(b"a/deep/er/x.png", "a/deep/er/x.png")
    assert {row.batch for row in rows} == {0}


def test_pictures_without_folders_have_no_label(build_params: Build, root: Path) -> None:
    params = build_params(image_folder={"path": str(root / "b")})
    source = ImageFolderSource(params)
    assert source.fields == {"image"}
    assert [row.label for row in source.rows()] == [None, None]


def test_picture_beside_labelled_ones_is_a_row_without_label(read: Read, root: Path) -> None:
    (root / "stray.png").write_bytes(b"stray")
    assert [row.label for row in read() if row.example_id == "stray.png"] == [None]


def test_what_is_no_picture_is_a_row_unless_it_is_hidden_or_notes(read: Read, root: Path) -> None:
    for name in ("a/.DS_Store", ".git/x.png", "a/README.md", "labels.csv", "a/Thumbs.db"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    assert len(read()) == 4
    for name in ("a/tool.exe", "a/sound.wav", "a/nothing"):
        (root / name).write_bytes(b"x")
    assert len(read()) == 7


def test_links_out_are_rows_that_are_refused(read: Read, root: Path) -> None:
    (root.parent / "secret.png").write_bytes(b"secret")
    (root / "a" / "z.png").symlink_to(root.parent / "secret.png")
    (root / "a" / "zz").symlink_to(root.parent)
    (root / "a" / "zzz.png").symlink_to(root / "b" / "2.png")
    out, folder, within = read()[2:5]
    assert [row.problems[0].reason for row in (out, folder)] == ["unsafe_path", "unsafe_path"]
    assert (out.image, folder.image) == (None, None)
    assert within.image == Media(b"b/2.png", "a/zzz.png")


def test_pipe_and_broken_link_are_missing_media(read: Read, root: Path) -> None:
    os.mkfifo(root / "a" / "z.png")
    (root / "a" / "zz.png").symlink_to("nowhere")
    assert [row.problems[0].reason for row in read()[2:4]] == ["missing_media"] * 2


def test_name_that_is_not_utf8_is_a_problem(read: Read, root: Path) -> None:
    (root / "a" / os.fsdecode(b"z\xff.png")).write_bytes(b"x")
    row = read()[2]
    assert (row.example_id, row.label) == (None, "a")
    assert row.problems[0].detail == "The file's name is not valid UTF-8."


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (None, ConfigError, r"ingest\.image_folder\.path: expected a folder, found null"),
        ("nowhere", ConfigError, "expected a folder, found none at 'nowhere'"),
        (".", ContractError, r"'set' holds no pictures"),
    ],
)
def test_wrong_path(
    build_params: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str | None,
    error: type[Exception],
    message: str,
) -> None:
    (tmp_path / "empty" / "set").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "set")
    with pytest.raises(error, match=message):
        ImageFolderSource(build_params(image_folder={"path": path}))
