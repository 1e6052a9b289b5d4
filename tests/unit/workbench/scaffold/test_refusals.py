"""What `init` refuses as a whole: one message with a way out, and nothing is written."""

from __future__ import annotations

import random
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.config import read_yaml
from fuseline.errors import FuselineError
from fuseline.workbench.scaffold import propose
from fuseline.workbench.scaffold import table as table_of
from tests.pipeline.shapes import LABELS, SHAPES, label_of, medium_of, text_of, write_csv
from tests.support.repository import REPOSITORY

ROWS = 60


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    (folder / "data" / "raw").mkdir(parents=True)
    shutil.copy(REPOSITORY / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def init(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["init", *map(str, arguments), "--yes"])


def table(root: Path, *columns: str, header: bool = True, **makers: Any) -> Path:
    """A CSV file, `columns` of the usual kinds and others by a function of the row."""
    usual = {"text": text_of, "label": label_of}
    makers = {name: usual[name] for name in columns} | makers
    rows = [{name: make(row) for name, make in makers.items()} for row in range(ROWS)]
    path = write_csv(root / "data" / "raw" / "rows.csv", rows)
    if not header:
        path.write_text(path.read_text().partition("\n")[2])
    return path.relative_to(root)


def number(row: int) -> str:
    return f"{random.Random(row).random():.4f}"


HEADERLESS = {
    "label, text": {"label": label_of, "text": text_of},
    "text, label": {"text": text_of, "label": label_of},
    "numbers": {"a": number, "b": lambda row: number(row + 99), "kind": label_of},
    "a date": {"d": lambda row: f"2001-03-{row % 28 + 1:02d}", "text": text_of},
    "a file": {"f": lambda row: f"a/{row}.wav", "n": number},
    "one column of sentences": {"text": lambda row: f"{text_of(row)}."},
    "whole numbers": {"age": lambda row: str(20 + row * 7 % 60), "yes": lambda row: row % 2},
}


@pytest.mark.parametrize("name", HEADERLESS)
def test_a_first_line_that_is_a_row_is_refused(root: Path, name: str) -> None:
    path = table(root, header=False, **HEADERLESS[name])
    before = (root / "params.yaml").read_bytes()
    result = init(path)
    assert result.exit_code == 2, result.output
    assert "found what looks like a row" in result.output
    assert (root / "params.yaml").read_bytes() == before
    # The remedy, to the letter.
    command = re.search(r"of your own choice: (sed -i .+?\.csv)\.", result.output)
    assert command
    subprocess.run(shlex.split(command[1]), check=True)
    assert "looks like a row" not in init(path).output
    assert len(path.read_text().splitlines()) == ROWS + 1


NAMED = {
    "years": {"country": label_of, "2019": number, "2020": number},
    "numbered": {"0": text_of, "1": label_of},
    "a year": {"text": text_of, "2020": number},
    "questions": {"How satisfied are you?": lambda row: row % 5, "Why do you say so?": text_of},
}
LIKE_A_VALUE = {"text": text_of, "label": lambda row: "other" if row % 17 else "label"}


@pytest.mark.parametrize("name", NAMED)
def test_odd_names_are_names(root: Path, name: str) -> None:
    assert init(table(root, **NAMED[name])).exit_code == 0


def test_names_that_look_like_a_row_can_be_told(root: Path) -> None:
    path = table(root, **LIKE_A_VALUE)
    assert "If they are names" in init(path).output
    assert init(path, "--use", "label=label").exit_code == 0


INTERACTIONS = {
    "users, titles, genres, ratings": {
        "user": lambda row: row % 9,
        "title": lambda row: f"The {LABELS[row % 3]} of {row % 7}",
        "genre": lambda row: ["drama", "comedy"][row % 2],
        "rating": lambda row: row % 5 + 1,
    },
    "ids": {
        "userId": lambda row: row % 9,
        "movieId": lambda row: row % 13,
        "rating": lambda row: row % 10 / 2,
        "timestamp": lambda row: 1_300_000_000 + row,
    },
    "clicks": {
        "customer_id": lambda row: row % 9,
        "sku": lambda row: f"S{row % 13}",
        "clicked": lambda row: row % 2,
    },
    "stars": {
        "reviewer": lambda row: f"r{row % 9}",
        "restaurant": lambda row: f"at the {LABELS[row % 3]} {row % 5}",
        "stars": lambda row: row % 5,
    },
    "plays": {
        "user_id": lambda row: row % 9,
        "artist_name": lambda row: f"band {row % 11}",
        "play_count": lambda row: row * row % 37,
    },
}


@pytest.mark.parametrize("name", INTERACTIONS)
def test_interactions_are_named_and_refused(root: Path, name: str) -> None:
    path = table(root, **INTERACTIONS[name])
    before = (root / "params.yaml").read_bytes()
    result = init(path)
    assert result.exit_code == 2, result.output
    assert "these look like interactions, users by items" in result.output
    assert "name this file in ingest.interactions" in result.output
    assert (root / "params.yaml").read_bytes() == before
    uses = shlex.split(result.output.partition("say so: ")[2].rstrip().rstrip("."))
    told = init(path, *uses)
    assert told.exit_code == 0, told.output
    columns = read_yaml(root / "params.yaml")["ingest"]["manifest"]["columns"]
    assert (list(columns["targets"].values()), columns["group"]) == (
        ["number"],
        next(iter(INTERACTIONS[name])),
    )


def test_what_users_write_is_content(root: Path) -> None:
    path = table(
        root,
        user_id=lambda row: row % 9,
        product_id=lambda row: row % 13,
        review=text_of,
        rating=lambda row: row % 5,
    )
    assert init(path).exit_code == 0


@pytest.mark.parametrize(
    ("makers", "remedy"),
    [
        ({"text": text_of}, "Add a column with a label or a number"),
        ({"text": text_of, "spans": lambda row: f"[{row}, {row + 1}]"}, "said above"),
        (
            {"text": text_of, "class": lambda _: "a"},
            "learn ('class' is the same in every row), and",
        ),
        ({"file": lambda row: f"{row}.png", "no": str}, "Add a column with a label or a number"),
        ({"file": lambda row: f"{row}.mp4", "fold": lambda row: row % 5}, "said above"),
        ({"body": text_of, "when": lambda row: f"2024-01-01 10:{row:02d}:00"}, "said above"),
    ],
)
def test_nothing_to_learn_is_shown_and_refused(root: Path, makers: Any, remedy: str) -> None:
    before = (root / "params.yaml").read_bytes()
    result = init(table(root, **makers))
    assert result.exit_code == 2, result.output
    assert "To learn: nothing was found." in result.output
    assert "nothing to learn was found" in result.output
    assert remedy in result.output
    assert (root / "params.yaml").read_bytes() == before


def _pictures(folder: Path, *names: str) -> Path:
    for place, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(medium_of("image", place))
    return folder


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.png", "b.png"], "two at least, found none"),
        (["cat/a.png", "cat/b.png"], "two at least, found cat"),
        (["train/cat/a.png", "test/cat/b.png"], "found folders for splits (test, train)"),
        (["test/cat/a.png", "Training/b.png", "Validation/c.png"], "pets/Training, or write"),
    ],
)
def test_folders_that_are_no_labels_are_refused(root: Path, names: list[str], message: str) -> None:
    result = init(_pictures(root / "data" / "raw" / "pets", *names))
    assert (result.exit_code, message in result.output) == (2, True), result.output


def test_folders_of_sounds_are_refused_with_a_table_to_write(root: Path) -> None:
    folder = root / "data" / "raw" / "words"
    for label in ("yes", "no"):
        (folder / label).mkdir(parents=True)
        (folder / label / "1.aiff").write_bytes(b"x")
    result = init(folder)
    assert result.exit_code == 2
    assert f"Write a table {folder}/rows.csv: the line audio,label" in result.output


def test_folders_beyond_the_first_thousand_pictures_are_labels(root: Path) -> None:
    names = [f"a/{row}.png" for row in range(1100)]
    folder = root / "data" / "raw" / "pets"
    for name in (*names, "b/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert "Labels by folder: a, b." in init(folder).output


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        (["x=label"], "has no column 'x'. It has: text, label"),
        (["texxt=label"], "Did you mean 'text'?"),
        (["text"], "expected COLUMN=USE, found 'text'"),
        (["text=labl"], "Did you mean 'label'?"),
        (["text=target:numbers"], "Did you mean 'target:number'?"),
        (["text=text", "text=label"], "'text' stands twice"),
        (["text=label", "label=label"], "label takes one column, found several"),
    ],
)
def test_a_wrong_use_is_one_message(root: Path, uses: list[str], message: str) -> None:
    path = table(root, "text", "label")
    result = init(path, *[word for use in uses for word in ("--use", use)])
    assert (result.exit_code, message in result.output) == (2, True), result.output


def test_no_message_prints_more_than_a_piece_of_a_cell(root: Path) -> None:
    """Tens of kilobytes of base64, in a row, in a header, in a name."""
    long = "iVBORw0KGgo" * 5_000
    path = table(root, "text", "label", photo=lambda _: long)
    assert len(init(path).output) < 3_000
    path.write_text(f"{long},label\n" + "some words here,x\nother words here,y\n" * 20)
    assert len(init(path).output) < 3_000
    path.write_text("\n".join(f"{long},{row}" for row in range(20)))
    assert len(init(path).output) < 3_000


def test_left_out_columns_are_shown_with_what_would_use_them(root: Path) -> None:
    path = table(
        root, "text", "label", ticket_no=lambda row: row * 7 % 61, id=lambda row: f"A{row}"
    )
    lines = init(path).output.splitlines()
    start = lines.index("Left out, and what would use it:")
    assert lines[start + 1] == (
        "  ticket_no: numbers the rows; --use 'ticket_no=id' names rows by it,"
        " --use 'ticket_no=group' keeps its rows together"
    )
    assert "To learn: classification of label." in lines


def test_radii_are_of_the_features_lengths(root: Path) -> None:
    """Of what is there, and only where there is none yet."""
    params = root / "params.yaml"
    params.write_text(
        params.read_text().replace(
            "epsilon: {text_embedding: 0.1, image_feature: 0.8}", "epsilon: {text_embedding: 0.3}"
        )
    )
    path = SHAPES["tar"].make(root / "data" / "raw" / "mine")
    assert init(path).exit_code == 0
    content = read_yaml(params)
    reported = {"text_embedding": 0.125, "audio_feature": 0.36, "tabular_feature": 0.12}
    assert content["evaluate"]["robustness"]["attack"]["epsilon"] == reported
    assert content["stress"]["transfer"]["attack"]["epsilon"] == reported
    trained = content["adversarial_finetune"]["attack"]["epsilon"]
    assert trained == {"text_embedding": 0.3, "audio_feature": 0.29, "tabular_feature": 0.096}
    assert content["pretrain"]["adversarial"]["attack"]["epsilon"] == {
        "text_embedding": 0.05,
        "audio_feature": 0.14,
        "tabular_feature": 0.048,
    }


def test_pixels_stay_the_space_of_pictures(root: Path) -> None:
    params = root / "params.yaml"
    params.write_text(
        params.read_text().replace(
            "epsilon: {text_embedding: 0.1, image_feature: 0.8}",
            "epsilon: {text_embedding: 0.1, image_pixel: 4}",
        )
    )
    assert init(_pictures(root / "data/raw/pets", "a/1.png", "b/1.png")).exit_code == 0
    attack = read_yaml(params)["adversarial_finetune"]["attack"]
    assert attack["epsilon"] == {"image_pixel": 4}


def test_what_named_columns_of_the_set_before_goes(root: Path) -> None:
    params = root / "params.yaml"
    text = params.read_text()
    for old, new in {
        "kinds: {}": "kinds: {height: numeric, gone: date}",
        "slices: []": "slices: [lang, material, gone]",
        "label_words: {}": "label_words: {cat: [feline]}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    params.write_text(text)
    assert init(SHAPES["table"].make(root / "data/raw/mine")).exit_code == 0
    content = read_yaml(params)
    assert content["extract_features"]["tabular"]["kinds"] == {"height": "numeric"}
    assert content["evaluate"]["trust"]["slices"] == ["lang", "material"]
    assert content["prompt"]["label_words"] == {}


_CELLS = ["", "1", "2.5", "x", "a few words here", "[none", "[1, 2]", "{}", '["a"]', "data:,", "٣"]
_CELLS += ["2024-01-01", "1e999", "9" * 40, "-", "n/a", "a.png", "b;c", "é" * 50, "True", "12:30"]
_NAMES = ["", "a", "id", "label", "Unnamed: 0", "user", "rating", "title", "split", "fold", "ts"]


def test_no_table_ends_in_a_crash(tmp_path: Path) -> None:
    """Cells of all kinds, drawn at random: a proposal or a message."""
    rng, ends = random.Random(11), set()
    for _ in range(300):
        names = rng.sample(_NAMES, rng.randint(1, 5))
        cells = rng.sample(_CELLS, rng.randint(1, 8))
        rows = [dict.fromkeys(names)] * rng.randint(1, 40)
        drawn = [{name: rng.choice(cells) for name in row} for row in rows]
        try:
            ends.add(bool(table_of(propose(write_csv(tmp_path / "rows.csv", drawn)))))
        except FuselineError as error:
            ends.add(str(error)[:0])
    assert ends == {True, ""}
