from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.data.sources.base import Media
from fuseline.data.sources.hub_datasets import DatasetsSource
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
Open = Callable[..., DatasetsSource]

FEATURES = datasets.Features(
    {
        "text": datasets.Value("string"),
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
    }
)
ROWS = {
    "text": ["one", "two", None],
    "image": [{"bytes": b"in", "path": "/home/me/x.png"}, None, {"bytes": None, "path": "a.png"}],
    "label": [1, 0, 1],
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library forgives a network that fails, so the tries are counted."""
    tries = []

    def refuse(*args: Any, **kwargs: Any) -> None:
        tries.append(args)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.load, "increase_load_count", _counting(tries))
    yield
    assert not tries


def _counting(tries: list[Any]) -> Callable[[str], None]:
    """The library's own way to tell its hub which builder is used, without the hub."""

    def increase_load_count(name: str) -> None:
        if not datasets.config.HF_HUB_OFFLINE:
            tries.append(name)

    return increase_load_count


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for name in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE"):
        monkeypatch.setattr(datasets.config, name, folder / name)
    return folder


@pytest.fixture
def open_source(build_params: Build, tmp_path: Path) -> Open:
    def source(path: Any = tmp_path, columns: Any = None, **changes: Any) -> DatasetsSource:
        changes |= {"path": str(path), "columns": columns or {}}
        return DatasetsSource(build_params(datasets=changes))

    return source


def table() -> datasets.Dataset:
    return datasets.Dataset.from_dict(ROWS, features=FEATURES)


def as_parquet(folder: Path) -> None:
    pq.write_table(table().data.table, folder / "train-00000-of-00001.parquet")


def as_saved(folder: Path) -> None:
    table().save_to_disk(folder)


def as_saved_splits(folder: Path) -> None:
    datasets.DatasetDict(train=table(), test=table().select([0])).save_to_disk(folder)


@pytest.mark.parametrize("save", [as_parquet, as_saved, as_saved_splits])
def test_every_layout_gives_the_same_rows(
    open_source: Open,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: Callable[[Path], None],
) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    monkeypatch.chdir(tmp_path)  # where the library looks for what it puts into a saved set
    save(tmp_path)
    rows = list(open_source().rows())
    assert [(row.text, row.label) for row in rows] == [
        ("one", "dog"),
        ("two", "cat"),
        (None, "dog"),
    ]
    assert [row.image for row in rows] == [Media(b"in", "x.png"), None, Media(b"picture", "a.png")]
    assert not any(row.problems for row in rows)
    assert not list(cache.rglob("*"))


def test_splits_are_told_by_the_names_of_files(open_source: Open, tmp_path: Path) -> None:
    for split, text in (("train", "a"), ("test", "b")):
        (tmp_path / f"{split}.jsonl").write_text(f'{{"text": "{text}", "label": 3}}\n')
    columns = {"image": None}
    assert [row.text for row in open_source(columns=columns, split="test").rows()] == ["b"]
    with pytest.raises(
        ConfigError, match=r"split: expected one of train, test; found 'tset'.*mean"
    ):
        open_source(columns=columns, split="tset")
    with pytest.raises(ConfigError, match="split: expected one of train, test; found None"):
        open_source(columns=columns, split=None)


def test_only_split_needs_no_name(open_source: Open, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,x\nb,y\n")
    rows = list(open_source(columns={"image": None}, split=None).rows())
    assert [(row.text, row.label) for row in rows] == [("a", "x"), ("b", "y")]


def test_class_of_nothing_is_no_label(open_source: Open, tmp_path: Path) -> None:
    rows = {"text": ["a", "b"], "image": [None, None], "label": [-1, 0]}
    datasets.Dataset.from_dict(rows, features=FEATURES).save_to_disk(tmp_path)
    assert [row.label for row in open_source().rows()] == [None, "cat"]


def test_lists_where_text_belongs_are_a_problem(open_source: Open, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [["a"], ["b"]], "label": [1, 2]}), tmp_path / "r.parquet")
    for row in open_source(columns={"image": None}).rows():
        assert row.problems[0].detail == "column 'text': expected text, found list."


@pytest.mark.parametrize("path", ["/etc/hosts", "../secret.png", "https://example.org/a.png"])
def test_paths_lead_to_files_in_the_folder_only(
    open_source: Open, tmp_path: Path, path: str
) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "set").mkdir()
    images = [{"bytes": None, "path": path}, {"bytes": None, "path": str(tmp_path / "set/a.png")}]
    (tmp_path / "set" / "a.png").write_bytes(b"picture")
    rows = {"text": ["a", "b"], "image": images, "label": ["x", "y"]}
    pq.write_table(pa.table(rows), tmp_path / "set" / "r.parquet")
    unsafe, safe = open_source(tmp_path / "set").rows()
    assert unsafe.problems[0].reason in ("unsafe_path", "missing_media")
    assert (unsafe.image, safe.image) == (None, Media(b"picture", "a.png"))


def test_card_of_a_folder_leads_nowhere(open_source: Open, tmp_path: Path) -> None:
    as_parquet(tmp_path)
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: https://example.org/x.parquet\n---\n"
    )
    (tmp_path / f"{tmp_path.name}.py").write_text("raise SystemExit('remote code')")
    assert len(list(open_source().rows())) == 3


def test_damaged_file_is_a_problem_of_every_row_lost(open_source: Open, tmp_path: Path) -> None:
    rows = pa.table({"text": [f"row {row}" for row in range(90)], "label": ["x"] * 90})
    path = tmp_path / "r.parquet"
    pq.write_table(rows, path, row_group_size=30, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(content)
    source = open_source(columns={"image": None})
    found = list(source.rows())
    assert len(found) == source.num_rows == 90
    lost = [row for row in found if row.problems]
    assert len(lost) >= 30
    assert {row.problems[0].reason for row in lost} == {"malformed_row"}
    assert lost[0].problems[0].detail.startswith("the data set is damaged: ")


def test_setting_of_the_library_is_given_back(open_source: Open, tmp_path: Path) -> None:
    before = datasets.config.HF_HUB_OFFLINE
    as_parquet(tmp_path)
    open_source()
    assert before == datasets.config.HF_HUB_OFFLINE


def test_hub_id_needs_a_revision(open_source: Open) -> None:
    with pytest.raises(ConfigError, match=r"as a hub id it needs ingest\.datasets\.revision"):
        open_source("someone/something")
    with pytest.raises(ConfigError, match="found 'data/raw/no/set', which is neither"):
        open_source("data/raw/no/set")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"x", r"expected files ending in \.parquet"),
        ("r.parquet", b"no parquet", "not readable as a data set"),
        ("state.json", b"{}", "not readable as a data set"),
        ("data.pkl", b"x", r"expected files ending in \.parquet"),
    ],
)
def test_folder_without_data_is_refused(
    open_source: Open, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ContractError, match=message):
        open_source()


def test_wrong_column_lists_those_there_are(open_source: Open, tmp_path: Path) -> None:
    as_parquet(tmp_path)
    with pytest.raises(ConfigError, match=r"columns\.text: expected column 'txt'.*text, image, la"):
        open_source(columns={"text": "txt"})


@pytest.mark.parametrize("mapped", [["price"], []])
def test_odd_numbers_are_what_they_are_in_every_format(
    open_source: Open, tmp_path: Path, mapped: list[str]
) -> None:
    lines = [f'{{"text": "a", "price": {price}}}\n' for price in ("1.5", "NaN", "Infinity", "null")]
    (tmp_path / "train.jsonl").write_text("".join(lines))
    columns = {"image": None, "label": None, "tabular": mapped}
    rows = list(open_source(columns=columns).rows())
    assert all(not row.problems for row in rows)
    if mapped:
        assert [row.tabular for row in rows] == [
            {"price": "1.5"},
            {"price": None},
            {"price": "Infinity"},
            {"price": None},
        ]
