"""What nothing can be learnt from is refused with its cause; each remedy is followed literally."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fuseline.config import parse_yaml
from fuseline.contracts import EXAMPLES, QUARANTINE, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.census import interval_width
from fuseline.errors import ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
Row = dict[str, str]
WORDS = "amber basil cedar delta ember fjord grove heron ivory jolly kayak lemon".split()  # noqa: SIM905
COLUMNS = {"text": "text", "image": None, "label": "label"}


def text(number: int) -> str:
    """A text unlike that of any other number."""
    return " ".join(WORDS[number // 12**place % 12] for place in range(4)) + f" {number * 7919}"


def title(number: int) -> str:
    """Long enough for a copy of it to be none by chance."""
    return f"{text(number)}: the {text(number + 1234)} and what became of {WORDS[number % 12]}"


def rows(number: int, **cells: Callable[[int], str]) -> list[Row]:
    return [
        {"text": text(place), **{name: cell(place) for name, cell in cells.items()}}
        for place in range(number)
    ]


def two(place: int) -> str:
    return "yes" if place % 2 else "no"


@pytest.fixture
def run(
    build_params: Build, write_csv: Callable[[list[Row]], Path], tmp_path: Path
) -> Callable[..., Counter[str]]:
    """Ingest rows as the params are shipped; the number of kept rows by split."""
    count = 0

    def ingest(table: list[Row], columns: dict[str, Any], **changes: Any) -> Counter[str]:
        nonlocal count
        count += 1
        manifest = {"path": str(write_csv(table)), "columns": COLUMNS | columns}
        changes = {"unlearnable": "refuse"} | changes
        params = build_params(source="manifest", manifest=manifest, **changes)
        folders = tmp_path / f"examples{count}", tmp_path / f"quarantine{count}"
        metrics = ingest_examples(params, *folders, raw=tmp_path / "raw")
        assert metrics["rows_in"] == metrics["rows_kept"] + metrics["rows_quarantined"]
        kept = read_table(folders[0], EXAMPLES, "examples").to_pylist()
        refused = read_table(folders[1], QUARANTINE, "quarantine").num_rows
        assert (len(kept), refused) == (metrics["rows_kept"], metrics["rows_quarantined"])
        splits = Counter(row["split"] for row in kept)
        assert splits == Counter({k: v for k, v in metrics["splits"].items() if v})
        return splits

    return ingest


def remedied(message: str) -> dict[str, Any]:
    """The changes of section `ingest` that a message asks for: `ingest.<key> to <value>`."""
    changes: dict[str, Any] = {}
    for key, value in re.findall(
        r"\bingest\.([a-z_.]+) to (\{[^}]*\}|\[[^]]*\]|\d+(?:\.\d+)?|\w+)", message
    ):
        place = changes
        *sections, last = key.split(".")
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = parse_yaml(f"value: {value}".encode(), "a message")["value"]
    return changes


# Rows, columns, params besides, the cause; then what the message says to set is set.
REMEDIED: dict[str, tuple[list[Row], dict[str, Any], dict[str, Any], str]] = {
    "train and test given": (
        rows(60, label=two, part=lambda n: "test" if n % 4 == 0 else "train"),
        {"split": "part"},
        {},
        r"dev: no row lies there \(train 45; dev 0; test 15 rows\)\. Every row has a split of its"
        r" own, so that the shares of ingest\.split play no part\. Set ingest\.split\.from_train to"
        r" \[dev\]: each then takes its share of the training rows",
    ),
    "train and dev given": (
        rows(60, label=two, part=lambda n: "valid" if n % 4 == 0 else "Training"),
        {"split": "part"},
        {},
        r"test: no row lies there .* Set ingest\.split\.from_train to \[test\]",
    ),
    "dev given, to rows without a label": (
        rows(
            60,
            label=lambda n: "" if n % 4 == 2 else two(n // 4),
            part=lambda n: ("train", "train", "dev", "test")[n % 4],
        ),
        {"split": "part"},
        {},
        r"dev: no row lies there .* play no part\. 15 rows were refused, most as unknown_label:"
        r" look whether they are those of that split\. Set ingest\.split\.from_train to \[dev\]",
    ),
    "train alone given": (
        rows(60, label=two, part=lambda _: "train"),
        {"split": "part"},
        {},
        r"dev and test: no row lies there .* Set ingest\.split\.from_train to \[dev, test\]",
    ),
    "train and test as numbers": (
        rows(60, label=two, part=lambda n: "1" if n % 4 == 0 else "0"),
        {"split": "part"},
        {"split": {"names": {"0": "train", "1": "test"}}},
        r"dev: no row lies there",
    ),
    "given, and no share of dev": (
        rows(60, label=two, part=lambda n: "test" if n % 4 == 0 else "train"),
        {"split": "part"},
        {"split": {"train": 0.8, "dev": 0.0, "test": 0.2}},
        r"Set ingest\.split\.from_train to \[dev\], ingest\.split\.train to 0\.65,"
        r" ingest\.split\.dev to 0\.15, ingest\.split\.test to 0\.2: each then takes",
    ),
    "no share of dev": (
        rows(60, label=two),
        {},
        {"split": {"train": 0.85, "dev": 0.0, "test": 0.15}},
        r"dev: no row lies there .* ingest\.split\.dev is 0\. Set ingest\.split\.train to 0\.7,",
    ),
    "no share of test": (
        rows(60, label=two),
        {},
        {"split": {"train": 0.5, "dev": 0.5, "test": 0.0}},
        r"test: no row lies there .* ingest\.split\.test is 0\.",
    ),
    "few groups": (
        rows(40, label=two, who=lambda n: f"buyer {n % 4}"),
        {"group": "who"},
        {},
        r"no row lies there .* The rows that ingest splits fall into 4 groups only\. Set"
        r" ingest\.split\.salt to \d+, by which no split is empty, or add rows\.",
    ),
    "few groups without labels": (
        rows(40, who=lambda n: f"user {n % 4}"),
        {"group": "who", "label": None},
        {},
        r"fall into 4 groups only\. Set ingest\.split\.salt to \d+",
    ),
    "one name of a group": (
        rows(60, label=two, who=lambda n: "all" if n % 3 else f"person {n}"),
        {"group": "who"},
        {},
        r"One group holds 40 rows, 67% of those that ingest splits, .* It is the group 'all' of row"
        r" .* What joined it: 39 rows bear the name of a group in it\. Name a column of smaller"
        r" groups in ingest\.manifest\.columns\.group, or set it to null\. To keep it as it is, set"
        r" ingest\.max_group_share to 1\.0\.",
    ),
    "users and items": (
        [
            {"text": title(item), "label": two(user + item), "who": f"u{user}"}
            for user in range(20)
            for item in range(20)
            if (user * 7 + item * 3) % 5 < 2
        ],
        {"group": "who", "tabular": ["who"]},
        {},
        r"rows copy one of it by their text, first .* row .*, which made one of \d+ groups.* Where"
        r" rows of one text are different things, such as what many users rate, set"
        r" ingest\.duplicates\.max_copies to 1",
    ),
    "one label": (
        rows(40, label=lambda _: "spam"),
        {},
        {},
        r"All training rows have one label, 'spam': there is nothing to tell apart\. Expected two"
        r" labels at least\. Name a column that has more in ingest\.manifest\.columns\.label\. To"
        r" pre-train all the same, .* set ingest\.unlearnable to warn",
    ),
    "one label in two spellings": (
        rows(40, label=lambda n: " spam " if n % 2 else "spam"),
        {},
        {},
        r"All training rows have one label, 'spam'",
    ),
    "all other labels rare": (
        rows(40, label=lambda n: f"rare {n}" if n < 4 else "spam"),
        {},
        {},
        r"one label, 'spam': .* 4 labels went to quarantine as rarer than ingest\.min_label_rows"
        r" \(3\)\. Lower ingest\.min_label_rows",
    ),
    "the other label in test rows alone": (
        rows(
            40,
            label=lambda n: "ham" if n < 8 else "spam",
            part=lambda n: "test" if n < 12 else "dev" if n < 20 else "train",
        ),
        {"split": "part"},
        {},
        r"one label, 'spam': .* 1 labels went to quarantine as labels without a training row\.",
    ),
    "a number that is one": (
        rows(40, label=two, price=lambda _: "5"),
        {"targets": {"price": "number"}},
        {},
        r"Target 'price': all \d+ training rows that have a value have '5\.0': a model that always"
        r" says so is right\. Take 'price' out of ingest\.manifest\.columns\.targets",
    ),
    "a number in several spellings": (
        rows(40, label=two, price=lambda n: ["5", "5.0", "5e0", ""][n % 4]),
        {"targets": {"price": "number"}},
        {},
        r"Target 'price': all \d+ training rows that have a value have '5\.0'",
    ),
    "a number that nobody states": (
        rows(40, label=two, price=lambda _: ""),
        {"targets": {"price": "number"}},
        {},
        r"Target 'price': no training row has a value",
    ),
    "a number that varies in test rows alone": (
        rows(
            40,
            label=two,
            part=lambda n: ("test", "dev", "train", "train")[n % 4],
            price=lambda n: str(n if n % 4 == 0 else 1),
        ),
        {"targets": {"price": "number"}, "split": "part"},
        {},
        r"Target 'price': all 20 training rows",
    ),
    "a category that is one": (
        rows(40, label=two, shape=lambda _: "round"),
        {"targets": {"shape": "category"}},
        {},
        r"Target 'shape': all \d+ training rows that have a value have 'round'",
    ),
    "one set of names": (
        rows(40, label=two, parts=lambda n: "a|b" if n % 2 else "b|a"),
        {"targets": {"parts": "categories"}},
        {},
        r"Target 'parts': all \d+ training rows",
    ),
    "one tag for all words": (
        rows(40, label=two, tags=lambda _: "O O O O O"),
        {"targets": {"tags": "tags"}},
        {},
        r"Target 'tags': every word of the training rows has the tag 'O'",
    ),
    "a target that no given dev row has": (
        rows(
            60,
            part=lambda n: ("train", "train", "dev", "test")[n % 4],
            kind=lambda n: "" if n % 4 == 2 else two(n // 4),
        ),
        {"label": None, "targets": {"kind": "category"}, "split": "part"},
        {},
        r"Target 'kind': none of the 15 rows of the dev split has a value, so that nothing could be"
        r" chosen by them\. Fill in some of them, or set ingest\.split\.from_train to \[dev\]",
    ),
    "one text to write": (
        rows(40, label=two, answer=lambda _: "I do not know."),
        {"targets": {"answer": "text"}},
        {},
        r"Target 'answer': all \d+ training rows",
    ),
}


@pytest.mark.parametrize("case", REMEDIED)
def test_it_is_refused_and_the_remedy_works(run: Callable[..., Counter[str]], case: str) -> None:
    table, columns, params, cause = REMEDIED[case]
    with pytest.raises(ContractError) as error:
        run(table, columns, **params)
    message = str(error.value)
    assert message.startswith("source 'manifest': nothing could be learnt from these rows.\n- ")
    assert re.search(cause, message, re.DOTALL), message
    changes = remedied(message)
    assert changes, message
    # What stays as it was given, and what the message changes.
    split = params.get("split", {}) | changes.get("split", {})
    splits = run(table, columns, **(params | changes | ({"split": split} if split else {})))
    if "split" in changes:
        assert set(splits) == {"train", "dev", "test"}


def test_columns_that_are_taken_out_or_replaced_settle_it(run: Callable[..., Counter[str]]) -> None:
    table = rows(60, label=two, one=lambda _: "x", price=lambda _: "5", who=lambda _: "all")
    for wrong, right in (
        ({"label": "one"}, {"label": "label"}),
        ({"label": "one"}, {"label": None}),
        ({"targets": {"price": "number"}}, {"targets": {}}),
        ({"group": "who"}, {"group": None}),
    ):
        with pytest.raises(ContractError, match="nothing could be learnt"):
            run(table, wrong)
        assert set(run(table, right)) == {"train", "dev", "test"}


def test_rows_of_one_split_other_than_training_are_refused(
    run: Callable[..., Counter[str]],
) -> None:
    table = rows(30, label=two, part=lambda n: "test" if n % 2 else "dev")
    with pytest.raises(ContractError, match=r"train: no row lies there .* Leave the split of the"):
        run(table, {"split": "part"})
    blank = [row | {"part": row["part"] if place < 4 else ""} for place, row in enumerate(table)]
    assert run(blank, {"split": "part"})["train"]


@pytest.mark.parametrize(
    ("spelt", "names"),
    [
        (("0", "1", "2"), {"0": "train", "1": "dev", "2": "test"}),
        (("0.0", "1.0", "2.0"), {"0": "train", "1": "dev", "2": "test"}),
        (("0", "1", "2"), {0: "train", 1: "dev", 2: "test"}),
        (("Lernen", "PRÜFUNG ", "eval"), {"lernen": "train", "prüfung": "test", "EVAL": "dev"}),
        (("a", "b", "c"), {"a": "train", "b": "dev", "c": "test"}),
    ],
)
def test_names_of_splits_are_told(
    run: Callable[..., Counter[str]], spelt: tuple[str, ...], names: dict[Any, str]
) -> None:
    table = rows(40, label=two, part=lambda n: spelt[(n // 2) % 5 % 3])
    with pytest.raises(ContractError, match=r"Say what it means in ingest\.split\.names, such as"):
        run(table, {"split": "part"})
    splits = run(table, {"split": "part"}, split={"names": names})
    assert set(splits) == {"train", "dev", "test"}
    assert splits.total() == 40


def test_unknown_meanings_and_splits_without_a_share_are_refused(build_params: Build) -> None:
    with pytest.raises(ValueError, match="names"):
        build_params(split={"names": {"0": "training"}})
    with pytest.raises(ValueError, match="from_train names test, whose share is 0"):
        build_params(split={"train": 0.8, "dev": 0.2, "test": 0.0, "from_train": ["test"]})


def test_what_is_taken_from_training_rows_keeps_its_groups_and_tests_stay(
    run: Callable[..., Counter[str]], tmp_path: Path
) -> None:
    table = rows(
        120,
        label=two,
        part=lambda n: "test" if n >= 100 else "train",
        who=lambda n: f"g{n // 4}",
    )
    # Copies of a training and of a test row, given as training rows.
    table += [table[3] | {"who": ""}, table[110] | {"who": "", "part": "train"}]
    splits = run(table, {"split": "part", "group": "who"}, split={"from_train": ["dev"]})
    kept = read_table(tmp_path / "examples1", EXAMPLES, "examples").to_pylist()
    by_group: dict[str, set[str]] = {}
    for row in kept:
        by_group.setdefault(row["group"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in by_group.values())
    assert {row["split"] for row in kept[100:120]} == {"test"}
    assert splits["test"] == 20
    assert 8 <= splits["dev"] <= 30
    refused = read_table(tmp_path / "quarantine1", QUARANTINE, "quarantine").to_pylist()
    assert [row["reason"] for row in refused] == ["straddles_splits"]
    assert "Its own split is train, but it copies row" in refused[0]["detail"]


def test_training_rows_stay_where_they_are_unless_they_are_asked_for(
    run: Callable[..., Counter[str]],
) -> None:
    table = rows(60, label=two, part=lambda n: ("train", "train", "dev", "test")[n % 4])
    assert run(table, {"split": "part"}) == Counter(train=30, dev=15, test=15)


@pytest.mark.parametrize("where", ["test", "dev", "dev and test"])
def test_a_label_without_training_rows_goes_to_quarantine(
    run: Callable[..., Counter[str]], tmp_path: Path, where: str
) -> None:
    lies = {"test": ["test"], "dev": ["dev"], "dev and test": ["dev", "test"]}[where]
    table = rows(60, label=two, part=lambda n: ("train", "train", "dev", "test")[n % 4])
    table += [
        {"text": text(100 + n), "label": "strange", "part": lies[n % len(lies)]} for n in range(6)
    ]
    splits = run(table, {"split": "part"}, shard_rows=8)
    assert splits == Counter(train=30, dev=15, test=15)
    refused = read_table(tmp_path / "quarantine1", QUARANTINE, "quarantine").to_pylist()
    assert [row["reason"] for row in refused] == ["untrained_label"] * 6
    assert refused[0]["detail"] == (
        "None of the 6 row(s) with the label 'strange' lies in the training split: give it training"
        " rows, or further groups."
    )


def test_a_label_whose_only_group_is_tested_goes_to_quarantine_until_it_has_others(
    run: Callable[..., Counter[str]], tmp_path: Path
) -> None:
    """Rows of one group share a split: where that is not the training split, nothing is trained."""

    def kept_labels(number: int, groups: int) -> set[str]:
        table = rows(60, label=two, who=lambda n: f"p{n}")
        table += [
            {"text": text(100 + n), "label": f"L{label}", "who": f"L{label} {n % groups}"}
            for label in range(12)
            for n in range(100 * label, 100 * label + 9)
        ]
        run(table, {"group": "who"})
        kept = read_table(tmp_path / f"examples{number}", EXAMPLES, "examples").to_pylist()
        trained = {row["label"] for row in kept if row["split"] == "train"}
        assert trained == {row["label"] for row in kept}
        return trained

    assert len(kept_labels(1, groups=1)) < 14
    assert len(kept_labels(2, groups=9)) == 14


def test_one_folder_of_pictures_is_refused_and_a_second_settles_it(
    build_params: Build, tmp_path: Path
) -> None:
    folder = tmp_path / "raw" / "pictures"
    params = build_params(
        source="image_folder", image_folder={"path": str(folder)}, unlearnable="refuse"
    )

    def draw(label: str, first: int) -> None:
        (folder / label).mkdir(parents=True)
        for number in range(20):
            picture = Image.effect_noise((24, 24), 40 + 10 * (number + first))
            picture.save(folder / label / f"{number}.png")

    draw("cats", 0)
    with pytest.raises(ContractError, match=r"one label, 'cats': .* Put a folder of pictures for"):
        ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path / "raw")
    draw("dogs", 100)
    ingest_examples(params, tmp_path / "e2", tmp_path / "q2", raw=tmp_path / "raw")


def test_rows_without_labels_need_none(run: Callable[..., Counter[str]]) -> None:
    assert set(run(rows(60), {"label": None})) == {"train", "dev", "test"}


def test_the_width_of_an_interval() -> None:
    """Of Wilson's interval, at one half."""
    assert interval_width(0) == 1.0
    assert interval_width(40) == pytest.approx(0.29601, abs=1e-5)
    assert interval_width(288) == pytest.approx(0.114729, abs=1e-6)
