"""`init` edits params.yaml as YAML, whatever its style, and never leaves it wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.config import read_yaml
from fuseline.contracts import durable
from fuseline.params.whole import check
from fuseline.workbench.scaffold import replace_params
from tests.pipeline.shapes import SHAPES
from tests.support.repository import REPOSITORY

SHIPPED = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")


def by_dvc(*overrides: str) -> Callable[[Path], None]:
    """What `dvc exp run -S` makes of the file."""
    return lambda path: apply_overrides(str(path), list(overrides))


def by_program(**options: Any) -> Callable[[Path], None]:
    """What programs make of the file that read and write YAML."""

    def write(path: Path) -> None:
        yaml = YAML(typ="safe", pure=True)
        for name, value in options.items():
            setattr(yaml, name, value)
        yaml.dump(read_yaml(path), path)

    return write


def by_hand(pattern: str, replacement: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
        assert count
        path.write_text(text)

    return write


STYLES: dict[str, Callable[[Path], None]] = {
    "as shipped": lambda _: None,
    "DVC, a text": by_dvc("finetune.freezing.policy=head"),
    "DVC, a list": by_dvc("prompt.shots=[0,4]"),
    "DVC, the modalities": by_dvc("base.modalities=[text]", "ingest.source=synthetic"),
    "DVC, the tasks": by_dvc("finetune.tasks.0.weight=0.5"),
    "DVC, twice": lambda path: [by_dvc(f"base.seed={seed}")(path) for seed in (1, 2)] and None,
    "a program, in blocks": by_program(default_flow_style=False),
    "a program, in braces": by_program(default_flow_style=True),
    "a program, wide": by_program(default_flow_style=False, indent=6),
    "lists in blocks": by_hand(
        r"^  modalities: \[text, image\] .*$",
        "  modalities:   # what the model reads\n    # in this order\n    - text\n    - image",
    ),
    "comments in lists": by_hand(
        r"^  modalities: \[text, image\] .*$",
        "  modalities:\n  - text    # the caption\n  - image   # the photo\n  # and no sound",
    ),
    "lists over lines": by_hand(
        r"^      tabular: \[\]",
        "      tabular: [\n        price,\n        colour   # of it\n      ]",
    ),
    "columns in a line": by_hand(
        r"(?s)^    columns:  .*?^      provenance: null$",
        "    columns: {id: null, text: t, image: null, audio: null, video: null, tabular: [a],"
        " label: b, targets: {}, group: null, split: null, lang: null, license: null,"
        " provenance: null}",
    ),
    "radii in blocks": by_hand(
        r"^    epsilon: \{(text_embedding): ([\d.]+), (image_feature): ([\d.]+)\}(.*)$",
        r"    epsilon:\5\n      \1: \2\n      \3: \4",
    ),
    "quotes": by_hand(r"^  source: emoji ", "  source: 'emoji' "),
    "another order": by_hand(r"(?s)\A(.*)^(base:.*?)^(ingest:.*?)^tokenize:", r"\1\3\2tokenize:"),
    "no comments": by_hand(r" *#.*$", ""),
    "ends without a line's end": lambda path: path.write_text(SHIPPED.rstrip()) and None,
    "empty lines": by_hand(r"^  (source|seed):", r"\n\n  \1:"),
    "with a mark": lambda path: path.write_text("---\n" + SHIPPED) and None,
    "an alias": by_hand(r"^  datasets:\n    path: null", "  datasets:\n    path: &nothing null"),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    (folder / "data" / "raw").mkdir(parents=True)
    shutil.copy(REPOSITORY / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def init(path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["init", str(path), "--yes", *arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Data of three shapes, which decide different keys."""
    home = tmp_path_factory.mktemp("made")
    return {name: SHAPES[name].make(home / name) for name in ("text", "table", "sounds", "tar")}


@pytest.mark.parametrize("style", STYLES)
def test_a_file_of_any_style_is_edited(root: Path, made: dict[str, Path], style: str) -> None:
    params = root / "params.yaml"
    STYLES[style](params)
    before, text = read_yaml(params), params.read_bytes()
    replaced = ("# in this order", "# the caption", "# the photo", "# of it")
    comments = _comments(params, replaced)
    name = ("table", "sounds", "tar")[list(STYLES).index(style) % 3]
    result = init(made[name], "--copy")
    assert result.exit_code == 0, result.output
    after, shape = read_yaml(params), SHAPES[name]
    check(after)
    assert after["ingest"]["source"] == shape.source
    assert after["base"]["modalities"] == list(shape.modalities)
    assert (root / "params.yaml.bak").read_bytes() == text
    assert "kept as params.yaml.bak" in result.output
    untouched = {"tokenize", "leakage", "report", "prompt"}
    assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
    assert list(after) == list(before), "in their order"
    assert _comments(params, replaced) == comments


def _comments(path: Path, but: tuple[str, ...]) -> list[str]:
    found = re.findall(r"(?:^|\s)(#.*)$", path.read_text(), re.MULTILINE)
    return [comment.rstrip() for comment in found if comment.rstrip() not in but]


def test_one_set_after_another(root: Path, made: dict[str, Path]) -> None:
    """What one writes, the next starts from: nothing of the one before is left."""
    seen = []
    for name in ("sounds", "table", "sounds"):
        path = root / "data" / "raw" / f"{name}-{len(seen)}"
        shutil.copytree(made[name] if made[name].is_dir() else made[name].parent, path)
        target = path if made[name].is_dir() else path / made[name].name
        assert init(target).exit_code == 0
        content = read_yaml(root / "params.yaml")
        check(content)
        seen.append(content)
    first, last = seen[0], seen[-1]
    last["ingest"]["manifest"]["path"] = first["ingest"]["manifest"]["path"]
    for key in ("base", "finetune", "evaluate", "stress", "adversarial_finetune"):
        assert first[key] == last[key]
    assert first["ingest"]["manifest"] == last["ingest"]["manifest"]


def test_every_file_before_is_kept(root: Path, made: dict[str, Path]) -> None:
    for name in ("sounds", "table", "text"):
        assert init(made[name], "--copy").exit_code == 0 or name
        shutil.rmtree(root / "data" / "raw")
        (root / "data" / "raw").mkdir(parents=True)
    kept = sorted(path.name for path in root.glob("params.yaml*"))
    assert kept == ["params.yaml", "params.yaml.bak", "params.yaml.bak2", "params.yaml.bak3"]
    assert (root / "params.yaml.bak").read_text() == SHIPPED


def test_the_same_again_changes_nothing(root: Path, made: dict[str, Path]) -> None:
    path = root / "data" / "raw" / "mine"
    shutil.copytree(made["sounds"].parent, path)
    assert init(path).exit_code == 0
    text = (root / "params.yaml").read_text()
    result = init(path)
    assert (result.exit_code, "It is as it was before" in result.output) == (0, True)
    assert (root / "params.yaml").read_text() == text
    assert not (root / "params.yaml.bak2").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (by_hand(r"^  seed: 17", "  seed: many"), r"base\.seed: .*\n.*was wrong before any change"),
        (by_hand(r"^  seed: 17", "  seeed: 17"), r"base\.seeed: unknown key"),
        (by_hand(r"^  seed: 17", "  seed: [17"), "not readable as YAML"),
        (by_hand(r"^  modalities: .*$", ""), r"modalities: missing key"),
        (by_hand(r"(?s)^ingest:.*?^tokenize:", "ingest: null\ntokenize:"), "was wrong before"),
        (by_hand(r"(?s)^finetune:.*\Z", ""), "was wrong before"),
        (by_hand(r"^    policy: none ", "    policy: lora "), "would be wrong, and nothing"),
        (by_hand(r"^    over: both ", "    over: media "), None),
    ],
)
def test_what_would_be_wrong_is_not_written(
    root: Path, made: dict[str, Path], changes: Callable[[Path], None], message: str | None
) -> None:
    params = root / "params.yaml"
    changes(params)
    before = params.read_bytes()
    result = init(made["sounds"], "--copy")
    if message is None:
        assert result.exit_code == 0, result.output
        return
    assert result.exit_code == 2, result.output
    assert re.search(message, result.output), result.output
    assert params.read_bytes() == before
    assert sorted(path.name for path in root.iterdir()) == ["data", "params.yaml"]
    assert not list((root / "data" / "raw").iterdir()), "nothing is copied either"


def test_a_file_that_was_wrong_for_the_set_before_is_mended(
    root: Path, made: dict[str, Path]
) -> None:
    """As an `init` of former days left it: radii of spaces that are not there."""
    by_hand(r"^  modalities: .*$", "  modalities: [audio]")(root / "params.yaml")
    assert init(made["text"], "--copy").exit_code == 0
    check(read_yaml(root / "params.yaml"))


def test_both_files_are_on_the_disk_before_they_bear_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, synced = tmp_path / "params.yaml", []
    params.write_bytes(b"a: 1\r\n")
    monkeypatch.setattr(durable, "_sync", lambda path: synced.append(path.name))
    assert replace_params(params, "a: 2\n") == tmp_path / "params.yaml.bak"
    folder = tmp_path.name
    assert synced == ["params.yaml.bak.partial", folder, "params.yaml.partial", folder]
    assert (tmp_path / "params.yaml.bak").read_bytes() == b"a: 1\r\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml", "params.yaml.bak"]
