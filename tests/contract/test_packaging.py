"""What is published holds the package and, once, the pipeline at the root."""

from __future__ import annotations

import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.repository import REPOSITORY, tracked
from tests.support.wheel import build, clone

CARRIED = "fuseline/workbench/project/carried/"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("sources") / "fuseline")


@pytest.fixture(scope="module")
def wheel(sources: Path) -> Path:
    return build(sources, "wheel", sources.parent / "wheel")


def content(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_is_the_package_and_what_a_project_has_or_may_have(wheel: Path) -> None:
    found = {name: data for name, data in content(wheel).items() if ".dist-info/" not in name}
    package = {name.removeprefix("src/"): name for name in tracked("src")}
    pipeline = {
        CARRIED + name: name
        for name in [
            *("dvc.yaml", "params.yaml", "tune.yaml", "constraints.txt"),
            *(".gitignore", ".dvcignore", "data/raw/.gitkeep"),
            *tracked("stages", ".dvc", "recipes"),
        ]
    }
    expected = {name: (REPOSITORY / at).read_bytes() for name, at in (package | pipeline).items()}
    assert found.keys() == expected.keys()
    assert found == expected


def test_its_metadata_leaves_versions_to_the_constraints_of_a_project(wheel: Path) -> None:
    (metadata,) = (data for name, data in content(wheel).items() if name.endswith("/METADATA"))
    needed = [line for line in metadata.decode().splitlines() if line.startswith("Requires-Dist:")]
    assert 'Requires-Dist: torch; extra == "train"' in needed
    light = [line for line in needed if "extra" not in line or 'extra == "predict"' in line]
    assert not [line for line in light if "torch" in line or "dvc" in line]
    assert [line for line in needed if set("=<>~") & set(line.split(";")[0])] == []


def test_it_is_the_same_bytes_again_also_from_the_source_distribution(
    sources: Path, wheel: Path, tmp_path: Path
) -> None:
    """And after an earlier build, of which nothing is left over."""
    archive = build(sources, "sdist", tmp_path)
    with tarfile.open(archive) as unpacked:
        unpacked.extractall(tmp_path / "unpacked", filter="data")
    (root,) = (tmp_path / "unpacked").iterdir()
    left = sources / "build/lib" / CARRIED / "stages/removed.py"
    left.touch()
    for place in (sources, root):
        again = build(place, "wheel", tmp_path / place.name)
        assert again.read_bytes() == wheel.read_bytes(), place.name


def test_an_editable_installation_reads_the_files_where_they_are(sources: Path) -> None:
    assert not (sources / "src" / CARRIED).exists()
    assert not (REPOSITORY / "src" / CARRIED).exists()
