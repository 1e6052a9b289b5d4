"""Pictures: by folder, in tables, in shards, as text, in formats that few read."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import datasets
import numpy as np
from PIL import Image

from benchmarks.small_sets.material import (
    ROWS,
    Row,
    SmallSet,
    converted,
    emoji,
    parquet,
    put,
    table,
)

_KINDS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "tiff": "TIFF", "bmp": "BMP"}


def _written(folder: Path, row: int, ending: str = "png") -> str:
    """Write a row's picture and return its path."""
    png, _, _ = emoji()[row]
    name = f"pictures/{row:03d}.{ending}"
    put(folder / name, png if ending == "png" else converted(png, _KINDS[ending]))
    return name


def _table(folder: Path) -> list[Row]:
    return [{"image": _written(folder, row), "kind": emoji()[row][2]} for row in range(ROWS)]


def by_folder(folder: Path) -> Path:
    for row, (png, _, label) in enumerate(emoji()):
        put(folder / label / f"{row:03d}.png", png)
    return folder


def by_split_and_folder(folder: Path) -> Path:
    for row, (png, _, label) in enumerate(emoji()):
        put(folder / ("train", "train", "test")[row // 3 % 3] / label / f"{row:03d}.png", png)
    return folder


def one_folder(folder: Path) -> Path:
    for row, (png, _, _) in enumerate(emoji()):
        put(folder / f"{row:03d}.png", png)
    return folder


def with_names(folder: Path) -> Path:
    rows = [row | {"name": emoji()[place][1]} for place, row in enumerate(_table(folder))]
    return table(folder / "rows.csv", rows)


def formats(folder: Path) -> Path:
    endings = list(_KINDS)
    rows = [
        {"file": _written(folder, row, endings[row % len(endings)]), "kind": emoji()[row][2]}
        for row in range(ROWS)
    ]
    return table(folder / "rows.csv", rows)


def sixteen_bits(folder: Path) -> Path:
    rows = []
    for row, (png, _, label) in enumerate(emoji()):
        grey = np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(np.uint16)
        file = io.BytesIO()
        Image.fromarray(grey * 16).save(file, "PNG")
        put(folder / f"scans/{row:03d}.png", file.getvalue())
        rows.append({"scan": f"scans/{row:03d}.png", "finding": label})
    return table(folder / "rows.csv", rows)


def drawings(folder: Path) -> Path:
    rows = []
    for row in range(ROWS):
        shape = ("circle r='9' cx='12' cy='12'", "rect width='20' height='9'")[row % 2]
        svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='24' height='24'><{shape}/></svg>"
        put(folder / f"{row:03d}.svg", svg.encode())
        rows.append({"image": f"{row:03d}.svg", "shape": ("round", "square")[row % 2]})
    return table(folder / "rows.csv", rows)


def front_and_back(folder: Path) -> Path:
    rows = []
    for row in range(ROWS):
        back = (row + 3) % ROWS
        rows.append(
            {"front": _written(folder, row), "back": _written(folder, back, "jpg")}
            | {"kind": emoji()[row][2]}
        )
    return table(folder / "rows.csv", rows)


def several_in_a_cell(folder: Path) -> Path:
    rows = []
    for row in range(ROWS):
        names = [_written(folder, row), _written(folder, (row + 3) % ROWS, "jpg")]
        rows.append({"photos": ";".join(names[: 1 + row % 2]), "kind": emoji()[row][2]})
    return table(folder / "rows.csv", rows)


def lists_of_pictures(folder: Path) -> Path:
    rows = []
    for row in range(ROWS):
        names = [_written(folder, row), _written(folder, (row + 3) % ROWS, "jpg")]
        rows.append({"photos": names, "kind": emoji()[row][2]})
    return parquet(folder / "rows.parquet", rows)


def shards(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for shard in range(2):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as tar:
            for row in range(shard, ROWS, 2):
                png, name, label = emoji()[row]
                for ending, content in {
                    "png": png,
                    "txt": name.encode(),
                    "cls": label.encode(),
                }.items():
                    member = tarfile.TarInfo(f"{row:05d}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return folder


def plain_tar(folder: Path) -> Path:
    """A folder for each label, packed."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "pictures.tar", "w") as tar:
        for row, (png, _, label) in enumerate(emoji()):
            member = tarfile.TarInfo(f"{label}/{row:03d}.png")
            member.size = len(png)
            tar.addfile(member, io.BytesIO(png))
    return folder / "pictures.tar"


def base64_cells(folder: Path) -> Path:
    rows = [{"picture": base64.b64encode(png).decode(), "kind": label} for png, _, label in emoji()]
    return table(folder / "rows.csv", rows)


def data_addresses(folder: Path) -> Path:
    rows = [
        {"picture": f"data:image/png;base64,{base64.b64encode(png).decode()}", "kind": label}
        for png, _, label in emoji()
    ]
    return table(folder / "rows.csv", rows)


def bytes_in_parquet(folder: Path) -> Path:
    rows = [{"image": png, "caption": name} for png, name, _ in emoji()]
    return parquet(folder / "rows.parquet", rows)


def _data_set() -> datasets.Dataset:
    names = sorted({label for _, _, label in emoji()})
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=names),
        }
    )
    rows = {
        "image": [{"bytes": png, "path": None} for png, _, _ in emoji()],
        "text": [name for _, name, _ in emoji()],
        "label": [names.index(label) for _, _, label in emoji()],
    }
    return datasets.Dataset.from_dict(rows, features=features)


def hub_folder(folder: Path) -> Path:
    put(folder / "README.md", b"---\nlicense: cc-by-sa-4.0\n---\nPictures.\n")
    (folder / "data").mkdir()
    _data_set().to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return folder


def saved_to_disk(folder: Path) -> Path:
    folder.mkdir(parents=True)
    datasets.DatasetDict(train=_data_set()).save_to_disk(folder / "set")
    return folder / "set"


def missing(folder: Path) -> Path:
    rows = _table(folder)
    for row in rows[::10]:
        (folder / row["image"]).unlink()
    return table(folder / "rows.csv", rows)


def other_case(folder: Path) -> Path:
    rows = [row | {"image": row["image"].upper()} for row in _table(folder)]
    return table(folder / "rows.csv", rows)


def absolute_paths(folder: Path) -> Path:
    rows = [row | {"image": f"/home/me/data/{row['image']}"} for row in _table(folder)]
    return table(folder / "rows.csv", rows)


def web_addresses(folder: Path) -> Path:
    rows = [
        {"image_url": f"https://example.org/{row:03d}.png", "kind": label}
        for row, (_, _, label) in enumerate(emoji())
    ]
    return table(folder / "rows.csv", rows)


def dangling_links(folder: Path) -> Path:
    rows = _table(folder)
    for row in rows[::10]:
        (folder / row["image"]).unlink()
        (folder / row["image"]).symlink_to("/nowhere/at/all.png")
    return table(folder / "rows.csv", rows)


def damaged(folder: Path) -> Path:
    rows = _table(folder)
    for row in rows[::8]:
        path = folder / row["image"]
        path.write_bytes(path.read_bytes()[:200])
    return table(folder / "rows.csv", rows)


SETS = {
    "by_folder": SmallSet("a folder of pictures for each label", by_folder, by_dvc=True),
    "by_split_and_folder": SmallSet("train/LABEL and test/LABEL", by_split_and_folder),
    "one_folder": SmallSet("pictures in one folder, no table", one_folder),
    "with_names": SmallSet("pictures, names and a kind", with_names),
    "formats": SmallSet("PNG, JPEG, WebP, GIF, TIFF and BMP", formats),
    "sixteen_bits": SmallSet("PNG of 16 bits, the low ones used", sixteen_bits),
    "drawings": SmallSet("SVG", drawings),
    "front_and_back": SmallSet("two columns of pictures", front_and_back, by_dvc=True),
    "several_in_a_cell": SmallSet("one or two pictures in a cell, parted by ;", several_in_a_cell),
    "lists_of_pictures": SmallSet("lists of paths in Parquet", lists_of_pictures),
    "shards": SmallSet("WebDataset: pictures, texts, classes", shards, by_dvc=True),
    "plain_tar": SmallSet("a tar of folders for each label", plain_tar),
    "base64_cells": SmallSet("base64 in the cells", base64_cells),
    "data_addresses": SmallSet("data URIs in the cells", data_addresses),
    "bytes_in_parquet": SmallSet("bytes and captions, no label", bytes_in_parquet, by_dvc=True),
    "hub_folder": SmallSet("a hub's data set, labels as numbers with names", hub_folder),
    "saved_to_disk": SmallSet("the same by save_to_disk", saved_to_disk),
    "missing": SmallSet("a tenth of the files is missing", missing),
    "other_case": SmallSet("names in capitals", other_case),
    "absolute_paths": SmallSet("absolute paths of another machine", absolute_paths),
    "web_addresses": SmallSet("addresses of pictures", web_addresses),
    "dangling_links": SmallSet("a tenth are links that lead nowhere", dangling_links),
    "damaged": SmallSet("an eighth was cut short", damaged),
}
