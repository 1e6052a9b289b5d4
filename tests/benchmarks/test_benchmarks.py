"""Every benchmark that needs no finished pipeline, cut down; the others are in `tests/pipeline`.

What they measure means nothing here: they must run, and find what they read where they look.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from benchmarks import (
    banking77,
    banking77_robust,
    checkpoints,
    cuts,
    datasets,
    fuzz,
    growth,
    images,
    languages,
    million,
    monitor,
    new_intents,
    people,
    recommending,
    retrieval,
    scaling,
    slopes,
    steps,
    tables,
    trainer,
)
from benchmarks.__main__ import BENCHMARKS
from fuseline.data.sources.base import Media, RawRow
from fuseline.params.whole import set_keys
from tests.support.repository import PARAMS_FILE, REPOSITORY
from tests.support.workspace import SMALL_PARAMS

needs_data = pytest.mark.skipif(
    "FUSELINE_TEST_DATA" not in os.environ, reason="FUSELINE_TEST_DATA is not set"
)
# A network from scratch, of which one rank is the share that adapters of MiniLM are.
SMALL_TEXT = {
    "base.precision": "fp32",
    "ingest.min_label_rows": 1,
    "tokenize.encoder": "scratch",
    "tokenize.scratch.hidden_size": 128,
    "tokenize.scratch.num_heads": 2,
    "tokenize.scratch.num_layers": 1,
    "pretrain.model.hidden_size": 32,
    "pretrain.model.contrastive_size": 16,
    "pretrain.model.fusion.num_layers": 1,
    "pretrain.model.fusion.num_heads": 2,
    "finetune.training.num_epochs": 1,
}
# Four of each of the 77 labels.
NUM_ROWS = 308


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_images(capsys: pytest.CaptureFixture[str]) -> None:
    images.main(num_pictures=2, num_rounds=1)
    said = capsys.readouterr().out
    for network in ("mobilenet", r"efficientnet_lite0 \(default\)"):
        assert re.search(rf"^{network}: one by one \d+ pictures/s, ours \d+, ratio ", said, re.M)


def test_monitor(capsys: pytest.CaptureFixture[str]) -> None:
    monitor.main(num_windows=20_000, num_monitors=2, num_events=2_000, num_kills=1)
    said = capsys.readouterr().out
    assert re.search(r"^  all: \d+\.\d of 250, ratio ", said, re.M)
    assert re.search(r"^  all: median \d+ windows$", said, re.M)
    assert re.search(r"^replay: 2000 rows in ", said, re.M)
    assert "each killed twice: 1 with the 0 alarms of the whole one" in said


def test_growth(capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(rows=40, share=0.1, encoder="patches")
    said = capsys.readouterr().out
    assert said.startswith("40 rows, then 4 more, encoder patches\n")
    assert re.findall(r"^(\w+): wall", said, re.M) == list(growth.STAGES)
    assert re.search(r"^cache: \d+\.\d MB, then \d+\.\d\d MB more", said, re.M)


def test_slopes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "slopes.json"
    slopes.main({"small": slopes.Design({}, num_stages=2, small=True)}, place)
    said = capsys.readouterr().out
    assert re.findall(r"^small +(\w+) +\d+\.\d s +\d+ MB", said, re.M) == ["ingest", "tokenize"]
    written = json.loads(place.read_text())
    assert written["stages"]["ingest"]["seconds"]["start"] >= 0
    assert all(figure > 0 for figure in written["speed"].values())


def test_slopes_are_those_of_what_they_were_measured_on() -> None:
    runs = [({"start": 1.0, "rows": rows, "none": 0.0}, 2.0 + 0.5 * rows) for rows in (1.0, 8.0)]
    found = slopes.Observations(runs, runs, runs)
    expected = {"start": 2.0, "rows": 0.5, "none": 0.0}
    assert found.slopes()["seconds"] == pytest.approx(expected)
    assert max(found.errors().values()) < 1e-3


TINY_BERT = {
    **checkpoints.MINILM,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


@pytest.fixture
def small_params(tmp_path: Path) -> Path:
    yaml, params = YAML(), tmp_path / "params.yaml"
    content = yaml.load(PARAMS_FILE)
    set_keys(content, SMALL_PARAMS)
    yaml.dump(content, params)
    return params


def test_steps(small_params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.dict(os.environ):
        steps.main(num_rounds=2, threads=(1,), text=TINY_BERT, params=small_params)
    said = capsys.readouterr().out
    assert re.search(r"^clean +1 +\d+ +\d+ +\d+$", said, re.M)
    assert re.search(r"^pgd +1 +\d+ +\d+ +\d+$", said, re.M)


def test_scaling(small_params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = {"image": {"positions": 2, "dim": 8}}
    scaling.main(1, (8,), features, text=TINY_BERT, params=small_params)
    said = capsys.readouterr().out
    number = r"[\d.]+"
    for title in ("texts of 8 tokens", "texts of 16 tokens, image"):
        line = rf"^\| {title} \| {number} \| {number} \| {number} \| \d+% \|$"
        assert re.search(line, said, re.M)


def test_checkpoints(small_params: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.dict(os.environ):
        checkpoints.main(num_epochs=2, num_rows=256, text=TINY_BERT, params=small_params)
    assert re.search(r"^\d+ saves of [1-9]\d* MB in 2 epochs$", capsys.readouterr().out, re.M)


def test_million(capsys: pytest.CaptureFixture[str]) -> None:
    million.main((300,))
    said = capsys.readouterr().out
    assert re.search(r"300 rows  ingest .* GiB  300 kept, 0 refused, [1-9]\d* copies$", said, re.M)
    assert re.search(r"300 rows  tokenize .* GiB  [1-9]\d* tokens$", said, re.M)


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    tables.main(3)
    assert capsys.readouterr().out.startswith("3 tables: 0 faults\n")


def test_fuzz(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz.main(num_files=3, num_manifests=1)
    said = capsys.readouterr().out
    assert said.startswith("file 3: 0 crashes\nmanifest 1: 0 crashes\n")
    (judged,) = re.findall(r"^all +(\d+)$", said, re.M)
    assert int(judged) >= 3 + fuzz.ROWS_PER_MANIFEST - 2


@needs_data
def test_datasets(capsys: pytest.CaptureFixture[str]) -> None:
    """One that finishes, and one that stops in each command that may; any other end fails."""
    datasets.main(["tags_in_text", "users_by_items", "dangling_links", "drawings"])
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[:4]] == [
        *("tags_in_text", "users_by_items", "dangling_links", "drawings")
    ]
    assert said[4] == "4 data sets: 1 finished, 3 stopped in time, 0 faults"
    expected = json.loads(datasets.VERDICTS.read_text(encoding="utf-8"))
    stops = [expected[line.split()[0]].partition(":")[0] for line in said[:4]]
    assert stops == ["finished", "stopped in init", "stopped in check", "stopped in ingest"]


def test_every_small_set_has_a_verdict_and_none_is_a_fault() -> None:
    expected = json.loads(datasets.VERDICTS.read_text(encoding="utf-8"))
    assert list(expected) == list(datasets.SETS)
    assert all(
        re.match(r"finished: |stopped in (init|check|ingest): ", e) for e in expected.values()
    )


def test_a_crash_or_a_late_stop_is_a_fault() -> None:
    assert str(datasets.Stop("init", "no header")) == "stopped in init: no header"
    assert str(datasets.Stop("finetune", "no rows")) == "FAULT, stopped in finetune: no rows"
    assert str(datasets.Stop("init", "Traceback", crashed=True)).startswith("FAULT")


@needs_data
def test_banking77(capsys: pytest.CaptureFixture[str]) -> None:
    banking77.main((17,), NUM_ROWS, SMALL_TEXT | {"finetune.freezing.lora.rank": 1})
    said = capsys.readouterr().out.splitlines()
    prepared, *runs = [json.loads(line) for line in said if line.startswith("{")]
    # A few go to quarantine.
    assert 2 * NUM_ROWS - 20 < sum(prepared["splits"].values()) <= 2 * NUM_ROWS
    assert [run["arm"] for run in runs] == list(banking77.ARMS)
    assert all(run["test_rows"] == prepared["splits"]["test"] for run in runs)


@needs_data
def test_new_intents(capsys: pytest.CaptureFixture[str]) -> None:
    new_intents.main(2, 600)
    found = json.loads(capsys.readouterr().out)
    assert 0 <= found["others_taken"] < 0.05
    assert 0.3 < found["recall"] <= 1


def test_recommending(capfd: pytest.CaptureFixture[str]) -> None:
    recommending.main(300, 3)
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["what"] for one in found] == ["load", *recommending.HOW, "command"]
    assert all(0 < one["median_ms"] <= one["largest_ms"] for one in found)


def test_people(tmp_path: Path) -> None:
    """What the recipe has is what is made, as far as these people go."""
    people.main(tmp_path / "events.csv", 12)
    made = (tmp_path / "events.csv").read_text().splitlines()
    kept = people.EVENTS.read_text().splitlines()
    assert made[1:] == [line for line in kept[1:] if int(line[1:4]) < 12]
    assert len(made) > 100


@needs_data
def test_retrieval(capsys: pytest.CaptureFixture[str]) -> None:
    retrieval.main(12)
    *maps, shares = capsys.readouterr().out.splitlines()
    assert len(maps) == 3 + len(retrieval.WEIGHTS) * len(retrieval.CONSTANTS)
    assert all(0.3 < float(line.rpartition(" ")[2]) <= 1 for line in maps)
    found = json.loads(shares)
    assert found["answered rightly"]["share"] <= found["answered"]["share"]


@needs_data
def test_trainer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = trainer.Sizes(
        num_rows=NUM_ROWS,
        batch_rows=8,
        classified_rows=8,
        num_steps=1,
        num_texts=4,
        num_pictures=1,
        twin_rows=308,
        num_rounds=1,
    )
    with patch.dict(os.environ):
        trainer.main(few, {**trainer.TEXTS_ONLY, **SMALL_TEXT}, tmp_path)
    cells = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    found = json.loads((tmp_path / "performance.json").read_text())
    works = {title: [*work["ways"]] for title, work in found.items()}
    assert len(works) == 6
    assert all(ways[-1] == "ours" for ways in works.values())
    assert works["masked language modelling"] == [*trainer.WAYS]
    for title, work in found.items():
        named = [row for row in cells if row[0] == f"| {title}"]
        assert [row[1] for row in named][: len(works[title])] == works[title]
        for way in work["ways"].values():
            assert way["rate"] > 0
            assert way["memory_mib"] > 0
            ratio = way["ours_over_it"]
            assert 0 < ratio["least"] <= ratio["median"] <= ratio["most"]
        assert work["ways"]["ours"]["ours_over_it"]["median"] == 1
    assert (tmp_path / "performance.svg").read_text().startswith("<svg")


@needs_data
def test_banking77_robust(capsys: pytest.CaptureFixture[str]) -> None:
    few = {
        "base.num_threads": 1,
        "adversarial_finetune.training.num_epochs": 1,
        "evaluate.robustness.num_restarts": 1,
        "evaluate.robustness.curve_restarts": 1,
        "evaluate.robustness.attack.num_steps": 2,
        "evaluate.robustness.audit.max_rows": 2,
        "evaluate.robustness.audit.black_box_queries": 2,
    }
    banking77_robust.main(NUM_ROWS, SMALL_TEXT | few)
    assert re.match(r"\| adversarial \| \d\.\d{4} \| \d\.\d{4} \|$", last_line(capsys))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs_by_its_name_and_has_a_cut_down_run(name: str) -> None:
    main = importlib.import_module(f"benchmarks.{name}").main
    inspect.signature(main).bind()
    tests = [Path(__file__), REPOSITORY / "tests" / "pipeline" / "test_benchmarks.py"]
    cut_down = [file for file in tests if f"\ndef test_{name}(" in file.read_text(encoding="utf-8")]
    assert cut_down, f"write test_{name}: with a finished pipeline in the second of {tests}"


PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "Makefile"]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_the_pages_name_what_there_is(page: Path) -> None:
    """By `benchmarks NAME ...`, by `benchmarks.NAME --option ...`, and by the file."""
    text = page.read_text(encoding="utf-8")
    # A line of prose may end within a command.
    for names in re.findall(r"python -m benchmarks\s([a-z][\w ]*)", text):
        assert set(names.split()) <= set(BENCHMARKS), names
    for name, rest in re.findall(r"python -m benchmarks\.(\w+)([^`]*)`", text):
        module = REPOSITORY / "benchmarks" / f"{name}.py"
        code = module.read_text(encoding="utf-8")
        assert all(f'"{option}"' in code for option in re.findall(r"--[\w-]+", rest)), name + rest
    for path in re.findall(r"benchmarks/\w+\.py", text):
        assert (REPOSITORY / path).is_file(), path


def test_cuts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [emoji(number, "cat" if number % 4 else "dog") for number in range(80)]
    monkeypatch.setattr(cuts, "_emoji", lambda _: rows)
    monkeypatch.setitem(cuts.CUTS, "tiny", cuts.Cut(40))
    kept = ("tokenize.", "extract_features.image.", "pretrain.", "finetune.")
    cuts.main(["tiny"], [0], {k: v for k, v in SMALL_PARAMS.items() if k.startswith(kept)})
    lines = capsys.readouterr().out.splitlines()
    (found,) = [json.loads(line) for line in lines if line.startswith("{")]
    assert (found["cut"], found["salt"]) == ("tiny", 0)
    model, _alone, twin, difference = found["figures"]
    assert difference == pytest.approx(model - twin)
    assert lines[-1].startswith("| tiny | ")


def test_a_cut_gives_each_class_its_share() -> None:
    rows = [emoji(number, "cat" if number % 4 else "dog") for number in range(80)]
    even = Counter(row.label for row in cuts.chosen(rows, cuts.Cut(30)))
    assert even == {"cat": 15, "dog": 15}
    uneven = Counter(row.label for row in cuts.chosen(rows, cuts.Cut(42, ratio=6.0)))
    assert uneven == {"cat": 36, "dog": 6}


def test_languages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [emoji(number, "cat" if number % 4 else "dog") for number in range(80)]
    monkeypatch.setattr(languages, "named", lambda _: rows)
    languages.main(["en"], [40], [0])
    lines = capsys.readouterr().out.splitlines()
    (found,) = [json.loads(line) for line in lines if line.startswith("{")]
    assert (found["language"], found["rows"], found["salt"]) == ("en", 40, 0)
    assert all(0 <= figure <= 1 for figure in found["figures"])
    assert lines[-1].startswith("| en, 40 rows | ")


@pytest.mark.parametrize("modalities", [["text"], ["text", "image"]])
def test_languages_with_models(
    modalities: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [emoji(number, "cat" if number % 4 else "dog") for number in range(80)]
    monkeypatch.setattr(cuts, "_emoji", lambda _: rows)
    kept = ("extract_features.image.", "pretrain.", "finetune.")
    changes = {k: v for k, v in SMALL_PARAMS.items() if k.startswith(kept)}
    languages.main(["en"], [40], [0], models=modalities, changes=changes)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].count("|") == len(languages.MODELS) + 2


def test_languages_keep_groups_whole_and_sizes_as_asked() -> None:
    rows = [replace(emoji(number, "cat"), group=str(number // 2)) for number in range(80)]
    splits = languages.splits_of(rows, 20, salt=0)
    assert Counter(splits) == {"train": 16, "dev": 4, "test": 60}
    assert splits[::2] == splits[1::2]
    assert splits != languages.splits_of(rows, 20, salt=1)


def emoji(number: int, label: str) -> RawRow:
    pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    words = " ".join("abcdefghij"[int(digit)] * 3 for digit in f"{number:04d}")
    return RawRow(
        source_row=number,
        example_id=f"e{number}",
        text=f"{label} {words}",
        label=label,
        group=f"e{number}",
        image=Media(file.getvalue(), None),
        raw={},
    )
