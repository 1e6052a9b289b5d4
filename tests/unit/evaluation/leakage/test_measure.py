from __future__ import annotations

import json
import math

import pytest

from fuseline.contracts import LEAKAGE, hash_path, read_manifest, read_table
from fuseline.errors import ContractError
from fuseline.evaluation.leakage.measure import measure_leakage
from fuseline.evaluation.leakage.rows import read_compared_rows
from fuseline.evaluation.leakage.verdicts import verdicts
from fuseline.params.leakage import LeakageParams
from tests.support.kills import check_resuming
from tests.unit.evaluation.leakage.conftest import MakeTables, params


def leaky(make_tables: MakeTables):
    """The test rows' texts stand in the training split, one under another label."""
    rows = [
        {"split": split, "text": f"{word} number {place}", "label": word}
        for split in ("train", "test")
        for word in ("cat", "dog")
        for place in range(8)
    ]
    rows[-1]["label"] = "cat"
    vectors = {f"row{place:04d}": [place % 16, place % 5] for place in range(32)}
    return make_tables(rows, {"image": vectors})


def measured(tables, folder, **changes):
    work = folder.with_name(f"{folder.name}-work")
    return measure_leakage(tables.examples, tables.features, folder, params(**changes), work=work)


def leaves(value, key=""):
    if isinstance(value, dict):
        return {leaf for name, one in value.items() for leaf in leaves(one, f"{key}.{name}")}
    assert isinstance(value, int | float)
    assert math.isfinite(value)
    return {key}


def test_leaks_are_counted_and_said(make_tables, tmp_path):
    metrics = measured(leaky(make_tables), tmp_path / "pairs")
    text = metrics["neighbours"]["text"]
    assert (text["rows"], text["equal"], text["near"], text["label_conflicts"]) == (16, 16, 16, 1)
    assert text["label_accuracy"] == pytest.approx(15 / 16)
    assert metrics["rows"]["train"] == {"total": 16, "compared": 16}
    assert metrics["neighbours"]["audio"]["rows"] == 0
    manifest = read_manifest(tmp_path / "pairs", "leakage")
    said = verdicts(metrics, manifest["columns"], LeakageParams.model_validate(manifest["params"]))
    sentences = [verdict.sentence for verdict in said if verdict.level == "look"]
    assert len(sentences) == metrics["suspicions"]
    assert "16 of 16 test rows have the very same text as a training row" in sentences[0]
    assert any("bear different labels" in sentence for sentence in sentences)
    assert [rule["word"] for rule in manifest["rules"]] == ["cat", "cat number"]


def test_a_clean_set_gets_a_clean_bill(make_tables, tmp_path):
    colours = ["red", "blue", "green", "grey", "pink", "black", "white", "brown"]
    rows = [
        {
            "split": "test" if place % 4 == 0 else "train",
            "text": " ".join(colours[place * step % 8] for step in (1, 3, 5)) + f" {place * 977}",
            "label": "cat" if place * 7919 % 11 > 5 else "dog",
        }
        for place in range(64)
    ]
    metrics = measured(make_tables(rows), tmp_path / "pairs")
    manifest = read_manifest(tmp_path / "pairs", "leakage")
    said = verdicts(metrics, manifest["columns"], params())
    assert [verdict for verdict in said if verdict.level == "look"] == []
    assert metrics["suspicions"] == 0


def test_keys_are_the_same_for_any_data_and_all_numbers_finite(make_tables, tmp_path):
    full = measured(leaky(make_tables), tmp_path / "one")
    bare = make_tables([{"split": "train"}, {"split": "test"}])
    assert leaves(full) == leaves(measured(bare, tmp_path / "two"))
    json.dumps(full, allow_nan=False)


def test_the_table_holds_the_closest_pairs_of_each_modality(make_tables, tmp_path):
    measured(leaky(make_tables), tmp_path / "pairs", num_pairs=3)
    pairs = read_table(tmp_path / "pairs", LEAKAGE, "leakage").to_pylist()
    assert [pair["modality"] for pair in pairs] == ["text"] * 3 + ["image"] * 3


def test_the_same_tables_give_the_same_bytes(make_tables, tmp_path):
    tables = leaky(make_tables)
    measured(tables, tmp_path / "one")
    measured(tables, tmp_path / "two")
    assert hash_path(tmp_path / "one") == hash_path(tmp_path / "two")


def test_a_killed_run_goes_on_modality_by_modality_and_ends_with_the_same_bytes(
    make_tables, tmp_path, monkeypatch
):
    tables, figures = leaky(make_tables), {}

    def measure(name):
        figures[name] = measured(tables, tmp_path / name)

    parts = check_resuming(
        monkeypatch, measure, lambda name: (figures[name], hash_path(tmp_path / name))
    )
    assert parts == [
        *(f"neighbours-{name}.npz" for name in ("text", "image", "audio", "video")),
        *("rules.json", "columns.json", "shortcuts.json"),
    ]


def test_of_many_rows_a_stable_sample_is_compared(make_tables, tmp_path):
    rows = [{"split": "train"}] * 50 + [{"split": "test"}] * 10
    tables = make_tables(rows)
    first = read_compared_rows(tables.examples, 20)
    assert (len(first.train), len(first.test)) == (20, 10)
    assert first.totals == {"train": 50, "test": 10}
    more = read_compared_rows(make_tables(rows + [{"split": "train"}] * 5).examples, 20)
    assert len(set(first.train["example_id"]) & set(more.train["example_id"])) >= 15


def test_an_empty_split_is_an_error_with_a_remedy(make_tables, tmp_path):
    tables = make_tables([{"split": "train"}, {"split": "train"}])
    with pytest.raises(ContractError, match=r"test split is empty.*ingest\.unlearnable"):
        measured(tables, tmp_path / "pairs")


@pytest.mark.parametrize("lacking", ["text", "label", "lang", "license", "provenance", "tabular"])
@pytest.mark.parametrize("where", ["one", "third", "train", "test"])
def test_any_row_may_lack_anything(make_tables, tmp_path, lacking, where):
    """Pandas makes NaN of what a row lacks, and only where others have it."""
    lacks = {
        "one": lambda place, _: place == 0,
        "third": lambda place, _: place % 3 == 0,
        "train": lambda _, split: split == "train",
        "test": lambda _, split: split == "test",
    }[where]
    rows = [
        {
            "split": split,
            "text": f"{word} number {place}",
            "label": word,
            "lang": "en",
            "license": "MIT",
            "provenance": "here",
            "tabular": [("size", str(place)), ("colour", word)],
        }
        | ({lacking: None} if lacks(place, split) else {})
        for split in ("train", "test")
        for word in ("cat", "dog")
        for place in range(12)
    ]
    metrics = measured(make_tables(rows), tmp_path / "pairs")
    leaves(metrics)
    pairs = read_table(tmp_path / "pairs", LEAKAGE, "leakage").to_pylist()
    if lacking == "label" and where != "one":
        assert None in [
            pair[f"{where}_label" if where in ("train", "test") else "test_label"] for pair in pairs
        ]
    known = metrics["neighbours"]["text"]["rows"]
    assert known == sum(row["text"] is not None for row in rows if row["split"] == "test") or (
        lacking == "text" and where == "train"
    )
