from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fuseline.contracts import EXAMPLES, QUARANTINE, TableWriter
from fuseline.errors import ContractError
from fuseline.evaluation.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.metrics import classification_metrics, scores
from fuseline.evaluation.report import ReportInputs, write_report
from fuseline.evaluation.report_examples import choose_examples, read_predictions, thumbnail
from fuseline.evaluation.tables import write_plots, write_predictions
from fuseline.params.report import ReportParams

EVIL = "<script>alert(\"x\")</script> & 'y'"
NAMES = ["class0", EVIL, "class2"]
NUM_ROWS = 30


def png(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side // 2), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def write_examples(folder: Path, data, source: str) -> None:
    rows = [
        {
            "example_id": example_id,
            "source_row": row,
            "split": "test",
            "group": EVIL if row == 0 else f"group{row}",
            "text": None if row == 1 else f"{EVIL} {row}",
            "label": NAMES[data.labels[row]],
            "lang": "en",
            "image": None if row == 2 else {"bytes": png(200), "path": None},
            "audio": None,
            "sanitised": [],
        }
        for row, example_id in enumerate(data.example_ids)
    ]
    writer = TableWriter(folder, EXAMPLES, "examples")
    writer.write("00000.parquet", pa.Table.from_pylist(rows, schema=EXAMPLES))
    writer.finish(source=source)


def write_quarantine(folder: Path) -> None:
    rows = [
        {"source_row": row, "example_id": None, "reason": reason, "detail": EVIL, "raw": "{}"}
        for row, reason in enumerate(["no_image", "empty_text", "no_image"])
    ]
    writer = TableWriter(folder, QUARANTINE, "quarantine")
    writer.write("00000.parquet", pa.Table.from_pylist(rows, schema=QUARANTINE))
    writer.finish()


def write_model(inputs: ReportInputs, name: str, data, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(NUM_ROWS, 3))
    probabilities = np.exp(noise + 2 * np.eye(3)[data.labels])
    probabilities = (probabilities / probabilities.sum(-1, keepdims=True)).astype(np.float32)
    predicted = probabilities.argmax(-1)
    bins = reliability_bins(probabilities, data.labels, 5)
    some = scores(data.labels, predicted, 3)
    curve = [
        {"scale": s, "robust_accuracy": r, "fgm_robust_accuracy": r + 0.1, "attacked_share": 0.5}
        for s, r in [(0.5, 0.6), (1.0, 0.4), (4.0, 0.0)]
    ]
    metrics = {
        "rows": NUM_ROWS,
        **classification_metrics(data.labels, predicted, NAMES, seed=0),
        "ece": expected_calibration_error(bins),
        **dict.fromkeys(
            ["text_only", "image_only", "shuffled", "twin", "twin_text_only", "twin_image_only"],
            some,
        ),
        "robust_accuracy": 0.4,
        "attack_success_rate": 0.5,
        "robustness": {
            "epsilon": {"text_embedding": 0.5},
            "curve": curve,
            "mean_delta_norm": {"text_embedding": 0.4},
            "max_delta_norm": {"text_embedding": 0.5},
            "zero_gradient_share": 0.0,
            "forward_passes": 100,
            "backward_passes": 80,
        },
    }
    path = inputs.metrics / "evaluate" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics))
    write_predictions(inputs.predictions / name, data, probabilities, name)
    write_plots(inputs.plots / name, data, predicted, bins, curve)


@pytest.fixture
def inputs(tmp_path, make_data) -> ReportInputs:
    data = make_data(NUM_ROWS, 3, label_names=NAMES)
    inputs = ReportInputs(
        metrics=tmp_path / "metrics",
        predictions=tmp_path / "predictions",
        examples=tmp_path / "examples",
        quarantine=tmp_path / "quarantine",
        plots=tmp_path / "plots",
        history=tmp_path / "metrics" / "history",
    )
    write_examples(inputs.examples, data, "emoji")
    write_quarantine(inputs.quarantine)
    for seed, name in enumerate(["finetuned", "adversarial"]):
        write_model(inputs, name, data, seed)
    (inputs.metrics / "ingest.json").write_text(
        json.dumps({"rows_in": 33, "rows_kept": 30, "rows_quarantined": 3})
    )
    inputs.history.mkdir()
    for stage in ("pretrain", "finetune"):
        lines = ["epoch,split,metric,value"]
        lines += [f"{e},{s},loss,{1 / e}" for e in (1, 2) for s in ("train", "dev")]
        lines += [f"{e},dev,macro_f1,{e / 4}" for e in (1, 2) if stage == "finetune"]
        (inputs.history / f"{stage}.csv").write_text("\n".join(lines) + "\n")
    return inputs


def page_of(inputs: ReportInputs, num_examples: int = 12) -> str:
    out = inputs.metrics.parent / "reports" / "index.html"
    write_report(inputs, out, ReportParams(num_examples=num_examples))
    return out.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data):
        self.text += data


def test_all_text_of_rows_is_escaped(inputs):
    """Hostile text stands in text, label, group and in the detail of a quarantined row."""
    page = page_of(inputs, num_examples=NUM_ROWS)
    seen = Reader(page)
    assert "script" not in seen.tags
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert f"{EVIL} 5" in seen.text
    assert f"group {EVIL}" in seen.text
    assert f"is {EVIL}" in seen.text
    assert "<script" not in page


def test_the_page_loads_nothing(inputs):
    seen = Reader(page_of(inputs))
    links = [v for name, v in seen.attributes if name in ("src", "href", "xlink:href", "srcset")]
    assert links, "thumbnails are there"
    assert all(link.startswith("data:image/png;base64,") for link in links)
    page = page_of(inputs)
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_same_inputs_give_the_same_bytes(inputs):
    assert page_of(inputs) == page_of(inputs)


def test_both_models_and_the_twin_are_shown_with_intervals(inputs):
    page = page_of(inputs)
    text = " ".join(Reader(page).text.split())
    for name in ("Fine-tuned", "Adversarial", "Twin", "text only", "image only", "shuffled"):
        assert name in text
    metrics = json.loads((inputs.metrics / "evaluate" / "finetuned.json").read_text())
    interval = metrics["intervals"]["accuracy"]
    shown = f"{100 * metrics['accuracy']:.1f} {100 * interval['low']:.1f}–"
    assert shown + f"{100 * interval['high']:.1f}" in text
    assert text.index("Fine-tuned") < text.index("Adversarial")


def test_every_point_of_the_curve_is_in_its_own_row(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "0.5 60.0 50.0 60.0 50.0 1 40.0 50.0 40.0 50.0 4 0.0 50.0 0.0 50.0" in text


def test_quarantine_is_counted_by_reason(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert f"no_image 2 {EVIL} empty_text 1 {EVIL}" in text
    assert "33 rows in = 30 kept + 3 in quarantine" in text


@pytest.mark.parametrize("source", ["emoji", "manifest"])
def test_openmoji_is_credited_where_it_is_shown(inputs, make_data, source):
    write_examples(inputs.examples, make_data(NUM_ROWS, 3, label_names=NAMES), source)
    assert ("CC BY-SA 4.0" in page_of(inputs)) == (source == "emoji")


def test_a_row_without_picture_or_text_says_so(inputs):
    text = Reader(page_of(inputs, num_examples=NUM_ROWS)).text
    assert "no image" in text
    assert "no text" in text


def test_examples_mix_the_surest_errors_with_right_rows(inputs):
    predictions = {"plain": read_predictions(inputs.predictions / "finetuned")}
    chosen = choose_examples(predictions, inputs.examples, 6)
    right = [example.guesses[0].right for example in chosen]
    assert right == [False] * 3 + [True] * 3
    confidence = [example.guesses[0].confidence for example in chosen[:3]]
    assert confidence == sorted(confidence, reverse=True)
    assert chosen == choose_examples(predictions, inputs.examples, 6)


def test_right_rows_fill_up_where_errors_are_few(inputs):
    predictions = {"plain": read_predictions(inputs.predictions / "finetuned")}
    num_wrong = sum(row["label"] != row["prediction"] for row in predictions["plain"])
    chosen = choose_examples(predictions, inputs.examples, NUM_ROWS + 5)
    assert len(chosen) == NUM_ROWS
    assert sum(not example.guesses[0].right for example in chosen) == num_wrong


def test_thumbnails_are_small_png(inputs):
    uri = thumbnail({"bytes": png(200), "path": None})
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
        assert picture.format == "PNG"
        assert picture.size == (64, 32)
    assert thumbnail(None) is None


def test_examples_of_another_run_are_refused(inputs, make_data):
    other = make_data(5, 3, label_names=NAMES)
    write_examples(inputs.examples, other, "emoji")
    with pytest.raises(ContractError, match=re.escape("not among the examples. Run `dvc repro`")):
        page_of(inputs, num_examples=NUM_ROWS)


def test_missing_metrics_are_an_error_with_a_remedy(inputs):
    (inputs.metrics / "ingest.json").unlink()
    with pytest.raises(ContractError, match=r"ingest\.json: not found\. Run `dvc repro`"):
        page_of(inputs)
    for path in (inputs.metrics / "evaluate").glob("*.json"):
        path.unlink()
    with pytest.raises(ContractError, match="no metrics of any model"):
        page_of(inputs)
