from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from fuseline.contracts import EXAMPLES, LEAKAGE, QUARANTINE, TableWriter
from fuseline.data.media.waveform import Waveform
from fuseline.errors import ContractError
from fuseline.evaluation.leakage.shortcuts import SHORTCUTS
from fuseline.evaluation.scoring.tables import write_plots, write_predictions
from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.scores import classification_metrics, scores
from fuseline.params.leakage import LeakageParams, NearParams, RuleParams
from fuseline.params.report import ReportParams
from fuseline.reporting.report import PARTS, ReportInputs, write_report
from fuseline.reporting.sections.examples import choose_examples, read_predictions
from fuseline.reporting.sections.prompt import read_prompt_section
from fuseline.reporting.sections.rows import read_contents, thumbnail, wave_path
from fuseline.reporting.sections.trust import MAX_SLICES, read_trust_section

EVIL = "<script>alert(\"x\")</script> & 'y'"
NAMES = ["class0", EVIL, "class2"]
NUM_ROWS = 30
SHOTS = ("0", "1", "16")
LEAKAGE_PARAMS = LeakageParams(
    max_rows=30,
    num_pairs=5,
    near=NearParams(text=0.9, image=0.98, audio=0.98, video=0.98),
    rule=RuleParams(precision=0.95, min_rows=3, max_share=0.2),
    shortcut_gain=0.5,
)
INGEST = {
    "rows_in": 33,
    "rows_kept": 30,
    "rows_quarantined": 3,
    "rows_sanitised": 4,
    "splits": {"train": 0, "dev": 0, "test": 30},
    "modalities": {"text": 29, "image": 28, "audio": 2},
    "sanitised": {"text:nfc": 4, "text:email": 0},
    "findings": {"text:harmful": 6},
    "duplicates": {"rows": 3, "groups": 3, "by_modality": {"image": 7}},
}


def png(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side // 2), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def wav(seconds: float) -> bytes:
    buffer = io.BytesIO()
    tone = np.sin(np.arange(int(8000 * seconds)) / 5).astype(np.float32)
    soundfile.write(buffer, tone * 0.5, 8000, format="WAV")
    return buffer.getvalue()


def video(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for shade in np.linspace(0, 255, int(8 * seconds)):
            picture = np.full((32, 32, 3), int(shade), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
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
            "image": None if row in (2, 3, 5) else {"bytes": png(200), "path": None},
            "audio": {"bytes": wav(0.5), "path": None} if row in (1, 2) else None,
            "video": {"bytes": video(1.0), "path": None} if row == 3 else None,
            "tabular": [(EVIL, EVIL), ("empty", None), ("price", "3")] if row == 4 else None,
            "license": None,
            "provenance": None,
            "sanitised": [],
            "findings": [],
        }
        for row, example_id in enumerate(data.example_ids)
    ]
    writer = TableWriter(folder, EXAMPLES, "examples")
    writer.write("00000.parquet", pa.Table.from_pylist(rows, schema=EXAMPLES))
    writer.finish(
        source=source,
        licenses={EVIL: 20, "": 10},
        provenances={"a camera": 30},
        label_conflicts=[{"rows": ["row000", "row001"], "labels": ["class0", EVIL]}],
    )


def write_leakage(inputs: ReportInputs, data) -> None:
    ids = data.example_ids
    pairs = [
        {
            "modality": modality, "test_id": ids[0], "train_id": ids[row], "similarity": 0.99,
            "test_label": None, "train_label": None,
        }
        for modality in ("text", "audio")
        for row in (1, 2, 3)
    ]  # fmt: skip
    shortcut = {"accuracy": 0.9, "gain": 0.8}
    writer = TableWriter(inputs.leakage, LEAKAGE, "leakage")
    writer.write("00000.parquet", pa.Table.from_pylist(pairs, schema=LEAKAGE))
    rule = {"word": EVIL, "label": EVIL, "train_rows": 9, "train_precision": 1.0}
    writer.finish(
        rules=[rule | {"test_rows": 8, "test_precision": 0.975}],
        columns={EVIL: shortcut},
        params=LEAKAGE_PARAMS.model_dump(),
    )
    neighbours = {
        "rows": 30, "equal": 2, "near": 5, "label_accuracy": 0.5, "label_conflicts": 1,
        "similarity": {"median": 0.5, "p90": 0.7, "p99": 0.9, "max": 1.0},
    }  # fmt: skip
    metrics = {
        "rows": {split: {"total": 90, "compared": 30} for split in ("train", "test")},
        "majority_accuracy": 0.4,
        "neighbours": {"text": neighbours, "image": neighbours | {"rows": 0}},
        "rules": {"accuracy": 0.6, "suspicious": 7, "share": 0.3},
        "shortcuts": dict.fromkeys(SHORTCUTS, shortcut),
        "suspicions": 3,
    }
    (inputs.metrics / "leakage.json").write_text(json.dumps(metrics))


def write_prompt(inputs: ReportInputs, changes: dict[str, object] | None = None) -> None:
    def point(mean: float, seeds: int) -> dict[str, object]:
        figures = {"accuracy": {"mean": mean, "std": 0.05}, "macro_f1": {"mean": 0.2, "std": 0.0}}
        return {"seeds": seeds, **figures}

    metrics = {
        "rows": {"train": 60, "test": 30},
        "labels": 3,
        "chance": 1 / 3,
        "shots": {count: {"rows": 3, "short_labels": 2 * (count == "16")} for count in SHOTS},
        "methods": {
            "contrastive": {"0": point(0.456, 1), "1": point(0.512, 5), "16": point(0.6, 5)},
            "contrastive_text": {"0": point(0.4, 1), "1": point(0.5, 5), "16": point(0.5, 5)},
            "cloze": dict.fromkeys(SHOTS, point(0.0, 0)),
            "head": {"1": point(0.321, 5), "16": point(0.7, 5)},
        },
    }
    (inputs.metrics / "prompt.json").write_text(json.dumps(metrics | (changes or {})))


def stressed() -> dict[str, object]:
    """What the stage `stress` gives of a classification, by all its suites."""

    def scored(accuracy: float, alone: float) -> dict[str, object]:
        return {
            "accuracy": accuracy,
            "macro_f1": 0.5,
            "alone": {"accuracy": alone, "macro_f1": 0.5},
        }

    def media(accuracy: float) -> dict[str, object]:
        points = [{"severity": n, **scored(accuracy - n / 100, 0.25)} for n in (1, 5)]
        return {
            "rows": 12,
            "clean": scored(accuracy, 0.75),
            "mean": scored(accuracy - 0.03, 0.25),
            "relative": scored(0.9, 0.3),
            "corruptions": {EVIL: points},
        }

    def text(accuracy: float) -> dict[str, object]:
        points = [
            {"strength": s, "changed_share": 0.96875, **scored(accuracy - s, 0.375)}
            for s in (0.125, 0.25)
        ]
        return {"look_alikes": points, EVIL: points, "clean": scored(accuracy, 0.8125)}

    state = {"accuracy": 0.5, "macro_f1": 0.5}
    contradictory = {
        "rows": 27, "follows_text": 0.625, "follows_image": 0.25, "follows_neither": 0.125,
        "right_when_they_agree": 0.875,
    }  # fmt: skip
    modalities = {
        "text": {
            "rows": 29,
            "present": state | {"accuracy": 0.875},
            "missing": state | {"accuracy": 0.6875},
            "swapped": state | {"accuracy": 0.3125},
        },
        "audio": {"rows": 0, "present": state, "missing": state, "swapped": state},
        "contradictory": {
            "text_against_image": contradictory,
            "text_against_audio": contradictory | {"rows": 0},
        },
    }
    told = {"auroc": 0.84375, "fpr_at_95_tpr": 0.59375}
    elsewhere = {"rows": 30, "other_rows": 25, "max_softmax": told, "energy": told}
    fell = {"rows": 30, "fallen_at_source": 0.71875, "fallen_at_other": 0.21875}
    # As JSON with sorted keys has them.
    models = ("adversarial", "finetuned")
    return {
        "rows": 30,
        "task": "classification",
        "text": {name: text(0.9375 - 0.0625 * n) for n, name in enumerate(models)},
        "image": {name: media(0.5 + 0.25 * n) for n, name in enumerate(models)},
        "audio": {key: {} for key in models},
        "modalities": dict.fromkeys(models, modalities),
        "out_of_distribution": dict.fromkeys(models, elsewhere),
        "transfer": {
            "adversarial_to_finetuned": fell,
            "finetuned_to_adversarial": fell | {"fallen_at_other": 0.15625},
        },
        "paired": {
            "finetuned_and_adversarial": {
                "rows": 30, "right_by_finetuned_only": 2, "right_by_adversarial_only": 5,
                "p_value": 0.453125, "difference": 0.1, "interval": {"low": -0.0625, "high": 0.25},
            }
        },
    }  # fmt: skip


def write_stress(inputs: ReportInputs, metrics: dict[str, object]) -> None:
    (inputs.metrics / "stress.json").write_text(json.dumps(metrics))


def write_quarantine(folder: Path) -> None:
    rows = [
        {"source_row": row, "example_id": None, "reason": reason, "detail": EVIL, "raw": "{}"}
        for row, reason in enumerate(["no_image", "empty_text", "no_image"])
    ]
    writer = TableWriter(folder, QUARANTINE, "quarantine")
    writer.write("00000.parquet", pa.Table.from_pylist(rows, schema=QUARANTINE))
    writer.finish(reasons={"no_image": "there is no picture"})


def robust(curve: list[dict[str, float]]) -> dict[str, object]:
    return {
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
            "training_epsilon": {"text_embedding": 0.125},
            "image_pixel": {
                "rows": 12,
                "epsilon": {"image_pixel": 2.0},
                "accuracy": 0.75,
                "robust_accuracy": 0.123,
                "mean_feature_shift": 0.456,
            },
            "audit": {
                "passed": True,
                "rows": 21,
                "checks": {
                    "black_box": {"passed": True, "says": "Success of a random search: fine."},
                },
            },
        },
    }


def one_slice(value: str | None, accuracy: float) -> dict[str, object]:
    ends = {"low": accuracy - 0.125, "high": accuracy + 0.0625}
    scores = {"accuracy": accuracy, "macro_f1": 0.5}
    return {"value": value, "rows": 9, **scores, "intervals": dict.fromkeys(scores, ends)}


def trusted() -> dict[str, object]:
    """What `measure_trust` gives."""
    scored = {"ece": 0.25, "nll": 0.75, "brier": 0.375}
    answered = {"coverage": 0.625, "risk": 0.046875}
    slices = [one_slice(EVIL, 0.75), one_slice(None, 0.5), one_slice("de", 0.625)]
    return {
        "calibration": {
            "temperature": 1.5,
            "dev_rows": 7,
            "clean": scored,
            "calibrated": scored | {"ece": 0.125},
            "attack": scored | {"ece": 0.5, "nll": 2.125},
        },
        "selective": {
            "target_risk": 0.05,
            "threshold": 0.875,
            "dev": answered | {"risk": 0.03125},
            "clean": answered | {"aurc": 0.015625},
            "attack": answered | {"aurc": 0.5},
        },
        "slices": {
            EVIL: {"slices": slices, "rows_left_out": 3, "gap": {"accuracy": 0.25, "macro_f1": 0}},
            "provenance": {
                "slices": slices[:1],
                "rows_left_out": 0,
                "gap": {"accuracy": 0, "macro_f1": 0},
            },
        },
    }


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
        "task": "classification",
        **classification_metrics(data.labels, predicted, NAMES),
        "intervals": {"accuracy": {"low": 0.123, "high": 0.987}},
        **trusted(),
        "ece": expected_calibration_error(bins),
        **dict.fromkeys(
            ["text_only", "image_only", "shuffled", "twin", "twin_text_only", "twin_image_only"],
            some,
        ),
        "audio_only": {"accuracy": 0.123, "macro_f1": 0.1},
        "gains": {
            "image": {
                "accuracy": {"value": -0.021, "low": -0.04, "high": -0.003},
                "macro_f1": {"value": 0.012, "low": -0.01, "high": 0.034},
            },
        },
        "presence": {
            "text+image": {"rows": 27, "accuracy": 0.77, "macro_f1": 0.66},
            "text": {"rows": 3, "accuracy": 0.5, "macro_f1": 0.4},
            "image": {"rows": 0, "accuracy": 0.0, "macro_f1": 0.0},
        },
        **robust(curve),
    }
    path = inputs.metrics / "evaluate" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics))
    task = Classification("label", {"labels": NAMES})
    logits = np.log(probabilities)
    spelt = task.spelt(logits, data)
    write_predictions(inputs.predictions / name, data, spelt, probabilities, name)
    conditions = ("clean", "calibrated", "attack")
    risks = [{"coverage": c, "risk": c / 2, "threshold": 1 - c} for c in (0.5, 1.0)]
    write_plots(
        inputs.plots / name,
        spelt,
        curve,
        [{"condition": condition, **one} for condition in conditions for one in bins],
        [{"condition": condition, **one} for condition in ("clean", "attack") for one in risks],
    )


@pytest.fixture
def inputs(tmp_path, make_data) -> ReportInputs:
    data = make_data(NUM_ROWS, 3, label_names=NAMES)
    inputs = ReportInputs(
        metrics=tmp_path / "metrics",
        predictions=tmp_path / "predictions",
        examples=tmp_path / "examples",
        quarantine=tmp_path / "quarantine",
        leakage=tmp_path / "leakage",
        plots=tmp_path / "plots",
        history=tmp_path / "metrics" / "history",
    )
    write_examples(inputs.examples, data, "emoji")
    write_quarantine(inputs.quarantine)
    for seed, name in enumerate(["finetuned", "adversarial"]):
        write_model(inputs, name, data, seed)
    (inputs.metrics / "ingest.json").write_text(json.dumps(INGEST))
    write_leakage(inputs, data)
    write_prompt(inputs)
    write_stress(inputs, stressed())
    inputs.history.mkdir()
    for stage in ("pretrain", "finetune"):
        lines = ["epoch,split,metric,value"]
        lines += [f"{e},{s},loss,{1 / e}" for e in (1, 2) for s in ("train", "dev")]
        lines += [f"{e},dev,macro_f1,{e / 4}" for e in (1, 2) if stage == "finetune"]
        (inputs.history / f"{stage}.csv").write_text("\n".join(lines) + "\n")
    return inputs


def page_of(inputs: ReportInputs, num_examples: int = 12) -> str:
    out = inputs.metrics.parent / "reports" / "index.html"
    write_report(inputs, out, ReportParams(num_examples=num_examples, num_pairs=2))
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
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    page = page_of(inputs)
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_every_part_is_folded_listed_and_opened_by_its_link(inputs):
    """A link to what lies inside a folded part opens it; one to the part itself would not."""
    page = page_of(inputs)
    anchors = re.findall(r'<li><a href="#(\w+)">', page)
    assert anchors == [name for name in PARTS if name not in ("tasks", "recommendations")]
    parts = page.split('<details class="part">')[1:]
    assert [re.search(r'<div class="body" id="(\w+)">', part).group(1) for part in parts] == anchors
    assert set(re.findall(r'href="#(\w+)"', page)) <= set(anchors)
    assert "::details-content { content-visibility: visible" in page, "open when printed"


def test_headings_go_down_one_level_at_a_time_and_every_drawing_is_told(inputs):
    page = page_of(inputs)
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("aria-label=" in drawing for drawing in re.findall(r"<svg [^>]*>", page))


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


def test_gains_of_modalities_are_shown_with_their_sign_and_interval(inputs):
    page = " ".join(page_of(inputs).split())
    assert "gain of image" in page
    assert "-2.1 <small>-4.0 to -0.3</small>" in page
    assert "+1.2 <small>-1.0 to +3.4</small>" in page
    assert "image does harm: -2.1 points [-4.0, -0.3] of accuracy" in page


def test_every_point_of_the_curve_is_in_its_own_row(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "0.5 60.0 50.0 60.0 50.0 1 40.0 50.0 40.0 50.0 4 0.0 50.0 0.0 50.0" in text


def test_confidence_is_told_before_and_after_and_under_attack(inputs):
    page = page_of(inputs)
    text = " ".join(Reader(page).text.split())
    assert (
        "Can it be trusted? confidence against accuracy calibration error log loss Brier score"
        " Fine-tuned 25.0 0.750 0.375 temperature 1.5 12.5 0.750 0.375"
        " under attack 50.0 2.125 0.375 Adversarial 25.0"
    ) in text
    assert "fitted on 7 development rows" in text
    assert "Fine-tuned 87.5 62.5 3.1 62.5 4.7 62.5 4.7 1.6" in text
    assert "with which at most 5.0" in text
    assert "Reliability: Fine-tuned" in text and "Reliability: Adversarial" in text


def test_labels_without_test_rows_are_named_beside_macro_f1(inputs):
    assert "since no test row has them" not in page_of(inputs)
    path = inputs.metrics / "evaluate/finetuned.json"
    content = json.loads(path.read_text())
    content["per_class"][EVIL]["support"] = 0
    path.write_text(json.dumps(content))
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert f"Left out, since no test row has them: {EVIL}." in text


def test_slices_are_shown_worst_first_with_their_gap(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    interval = "50.0 37.5–56.2"
    assert f"by {EVIL} rows Fine-tuned: accuracy macro-F1 Adversarial: accuracy" in text
    assert f"not stated 9 {interval} {interval}" in text.replace("50.0 37.5–56.3", interval)
    assert text.index("not stated 9") < text.index("de 9") < text.index(f"{EVIL} 9")
    assert "gap, best to worst 25.0 0.0 25.0 0.0" in text
    assert "3 test rows are in slices too small" in text
    assert "by provenance" not in text, "a single slice has nothing beside it"


def test_of_many_slices_the_worst_are_shown(inputs):
    many = [one_slice(f"v{place}", 0.9 - place / 100) for place in range(20)]
    column = {"slices": many, "rows_left_out": 0, "gap": {"accuracy": 0.19, "macro_f1": 0.0}}
    section = read_trust_section({"A": {"slices": {"shop": column}}}, {})
    (table,) = section.tables
    assert [one.value for one in table.slices] == [f"v{19 - n}" for n in range(MAX_SLICES)]
    assert table.num_hidden == 8
    assert (section.calibration, section.reliability, section.risks) == ({}, {}, None)


def test_without_anything_to_trust_the_section_is_left_out(inputs):
    assert read_trust_section({"A": {}}, {}) is None


def test_where_no_threshold_keeps_the_risk_the_page_says_so(inputs):
    for path in (inputs.metrics / "evaluate").glob("*.json"):
        metrics = json.loads(path.read_text())
        metrics["selective"]["threshold"] = 1.0000001
        path.write_text(json.dumps(metrics))
    assert "Fine-tuned none 62.5" in " ".join(Reader(page_of(inputs)).text.split())


def test_epsilon_of_training_stands_beside_that_of_evaluation(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "epsilon, text_embedding 0.5 0.5 epsilon in training 0.125 0.125" in text
    change_robustness(inputs, training_epsilon={})
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "epsilon in training none 0.125" in text


def test_a_failed_audit_is_said_before_its_checks(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "black box passed: Success of a random search: fine." in text
    assert "A check failed" not in text
    check = {"passed": False, "says": "It found more."}
    change_robustness(inputs, audit={"passed": False, "rows": 21, "checks": {"black_box": check}})
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "A check failed: the robust accuracy of that model may be too high." in text
    assert "black box failed: It found more. passed:" in text


def test_a_check_that_was_left_out_stands_behind_the_others_with_the_reason(inputs):
    check = {"passed": True, "says": "Fine."}
    left_out = {"falls_to_chance": "It leaves text as it was."}
    audit = {"passed": True, "rows": 4, "checks": {"black_box": check}, "left_out": left_out}
    for name in ("finetuned", "adversarial"):
        change_robustness(inputs, name, audit=audit)
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "black box passed: Fine. passed: Fine. falls to chance left out: It leaves" in text


def test_the_attack_on_pictures_has_a_table_where_both_models_were_attacked(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "right on them, % 75.0 75.0 right under attack, % 12.3 12.3" in text
    assert "of 255 steps 2 2 epsilon in training none none" in text
    change_robustness(inputs, training_epsilon={"image_pixel": 3.0})
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "of 255 steps 2 2 epsilon in training 3 none" in text
    path = inputs.metrics / "evaluate" / "finetuned.json"
    metrics = json.loads(path.read_text())
    del metrics["robustness"]["image_pixel"]
    path.write_text(json.dumps(metrics))
    assert "right on them" not in page_of(inputs)


def change_robustness(inputs: ReportInputs, model: str = "finetuned", **changes: object) -> None:
    path = inputs.metrics / "evaluate" / f"{model}.json"
    metrics = json.loads(path.read_text())
    metrics["robustness"] |= changes
    path.write_text(json.dumps(metrics))


def test_few_shots_are_shown_by_method_with_their_spread(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "accuracy none 1 16 contrastive 45.6 51.2 ± 5.0 60.0 ± 5.0 contrastive text" in text
    assert "head 32.1 ± 5.0 70.0 ± 5.0 macro-F1 none 1 16" in text, "no cell without rows"
    assert "Macro-F1" in text and "Macro-f1" not in text
    assert "30 test rows, 3 labels, chance 33.3 %" in text
    assert "2 labels have fewer than 16 rows." in text
    assert "cloze" not in text, "a method that was not run has no row"


@pytest.mark.parametrize(
    ("figure", "values", "told"),
    [
        ("loss", [0.5, 45561.0], "The development loss is 45,561 in epoch 2"),
        ("accuracy", [0.815, 0.728], "The development accuracy fell from 0.815 in epoch 1"),
        ("accuracy", [0.8, 0.79], None),
    ],
)
def test_what_curves_hide_stands_above_them(inputs, figure, values, told):
    lines = ["epoch,split,metric,value", "1,dev,loss,1.0", "2,dev,loss,0.9"]
    rows = [f"{epoch},dev,{figure},{value}" for epoch, value in enumerate(values, 1)]
    lines = [lines[0], *(rows if figure == "loss" else [*lines[1:], *rows])]
    (inputs.history / "finetune.csv").write_text("\n".join(lines) + "\n")
    text = Reader(page_of(inputs)).text
    assert ("The development" in text) == (told is not None)
    if told is not None:
        assert f"Fine-tuning: {told}" in " ".join(text.split())
        assert "finetune.training.learning_rate" in text


def test_thresholds_of_labels_stand_below_their_scores(inputs):
    for name in ("finetuned", "adversarial"):
        path = inputs.metrics / "evaluate" / f"{name}.json"
        metrics = json.loads(path.read_text())
        figures = {"threshold": 0.1375, "precision": 0.5, "recall": 0.75, "f1": 0.6}
        metrics["thresholds"] = dict.fromkeys(NAMES, figures)
        path.write_text(json.dumps(metrics))
    page = page_of(inputs)
    part = page.split("taken for a label from")[1].split("</table>")[0]
    assert part.count("13.8") == 2 * len(NAMES)
    assert EVIL not in part


def test_of_equal_curves_one_is_drawn(inputs):
    """The share of right rows is the accuracy of a classification, and would hide it."""
    rows = ["epoch,split,metric,value", "1,dev,loss,1.0", "2,dev,loss,0.9"]
    rows += [f"{e},dev,{name},{e / 3}" for e in (1, 2) for name in ("accuracy", "right")]
    rows += [f"{e},dev,macro_f1,{e / 4}" for e in (1, 2)]
    (inputs.history / "finetune.csv").write_text("\n".join(rows) + "\n")
    curves = page_of(inputs).split('id="curves"')[1].split("</details>")[0]
    assert ">dev accuracy<" in curves
    assert ">dev macro f1<" in curves
    assert ">dev right<" not in curves


def test_curves_over_shots_leave_variants_out(inputs):
    section = read_prompt_section(json.loads((inputs.metrics / "prompt.json").read_text()))
    assert [table.title for table in section.tables] == ["accuracy", "macro-F1"]
    for table in section.tables:
        assert "head" in table.chart and "contrastive" in table.chart
        assert "contrastive_text" in table.rows and "contrastive_text" not in table.chart


def test_without_figures_of_few_shots_the_section_says_so(inputs):
    nothing = {"seeds": 0, "accuracy": {"mean": 0.0, "std": 0.0}}
    write_prompt(inputs, {"labels": 0, "methods": {"head": {"1": nothing}}})
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "No method was run: no task is a classification" in text


def test_quarantine_is_counted_by_reason(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert f"no_imagethere is no picture 2 6.1 % {EVIL} empty_text 1 3.0 % {EVIL}" in text
    assert "33 rows in = 30 kept + 3 in quarantine. Of the kept, 4 were changed" in text


def test_what_to_look_at_first_stands_above_the_figures_and_only_if_there_is_something(inputs):
    assert "are of one colour" not in page_of(inputs)
    cut = {"texts": 30, "truncated_rows": 30, "truncated_share": 1.0, "unknown_share": 0.0}
    lengths = {"max_length_tokens": 64, "length_p95_tokens": 90, "encoder_positions": 512}
    (inputs.metrics / "tokenize.json").write_text(json.dumps(cut | lengths))
    ingest = INGEST | {"findings": {"image:constant": 9}}
    (inputs.metrics / "ingest.json").write_text(json.dumps(ingest))
    page = page_of(inputs)
    head, figures = page.split("on the test split", 1)
    assert "What to look at" in head
    assert "are of one colour" not in figures
    assert "9 of 28 pictures are of one colour" in head
    assert "30 of 30 texts (100%) are longer than 64 tokens" in head
    assert "Raise tokenize.max_length_tokens to 96, which 19 of 20 texts fit." in head


def test_what_was_changed_found_and_licensed_is_counted(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "Changed while cleaning text:nfc 4 Found and left text:harmful 6" in text
    assert "by modality: image 7 groups 3 rows 3" in text
    assert f"Licences {EVIL} 20 not stated 10" in text
    assert f"class0, {EVIL} row000, row001" in text


def test_accuracy_is_told_by_what_rows_hold_and_not_by_what_none_holds(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "text + image 27 77.0 66.0 77.0 66.0 text 3 50.0 40.0 50.0 40.0" in text
    assert "image 0 " not in text
    assert "audio only 12.3" in text


def test_leaks_are_said_in_words_and_shown_in_pairs(inputs):
    text = " ".join(Reader(page_of(inputs)).text.split())
    assert "Look 2 of 30 test rows have the very same text as a training row" in text
    assert "7 single words or pairs of words tell the label" in text
    assert f"each guesses by itself: “{EVIL}” (90%)." in text
    assert "train · class" in text
    assert text.count("0.990") == 4, "two pairs of each modality"
    assert "by test rows the same near from" in text
    assert "image 0 2 5" not in text, "a modality that was not compared has no row"
    assert f"{EVIL} {EVIL} 100.0 % of 9 97.5 % of 8 and 6 more" in text


def test_sound_and_cells_of_a_row_are_shown(inputs):
    page = page_of(inputs, num_examples=NUM_ROWS)
    text = Reader(page).text
    assert "sound, 0.5" in text
    assert 'aria-label="loudness over time"' in page
    assert "price 3" in " ".join(text.split())


def test_frames_of_a_video_are_shown(inputs):
    (row,) = read_contents(inputs.examples, {"row003"}).values()
    assert len(set(row.clip.frames)) == 3
    assert not row.clip.has_sound
    page = page_of(inputs, num_examples=NUM_ROWS)
    assert all(frame in page for frame in row.clip.frames)
    assert "video, 1.0" in Reader(page).text


def test_a_loud_and_a_silent_half_differ_in_the_drawing(inputs):
    tone = np.sin(np.arange(4000)).astype(np.float32) * 0.5
    waveform = Waveform(np.concatenate([tone, 0 * tone]), 8000)
    heights = [float(bar.split("v")[1]) for bar in wave_path(waveform).split("M")[1:]]
    assert heights[:20] == pytest.approx([24.0] * 20, abs=0.2)
    assert heights[20:] == [2.0] * 20


@pytest.mark.parametrize("source", ["emoji", "manifest"])
def test_openmoji_is_credited_where_it_is_shown(inputs, make_data, source):
    write_examples(inputs.examples, make_data(NUM_ROWS, 3, label_names=NAMES), source)
    assert ("CC BY-SA 4.0" in page_of(inputs)) == (source == "emoji")


def test_a_row_without_picture_or_text_says_so(inputs):
    text = Reader(page_of(inputs, num_examples=NUM_ROWS)).text
    assert "no media" in text
    assert "no text" in text


def test_examples_mix_the_surest_errors_with_right_rows(inputs):
    predictions = {"plain": read_predictions(inputs.predictions / "finetuned")}
    chosen = choose_examples(predictions, inputs.examples, 6, are_sure=True)
    right = [example.guesses[0].right for example in chosen]
    assert right == [False] * 3 + [True] * 3
    confidence = [example.guesses[0].confidence for example in chosen[:3]]
    assert confidence == sorted(confidence, reverse=True)
    assert chosen == choose_examples(predictions, inputs.examples, 6, are_sure=True)


def test_right_rows_fill_up_where_errors_are_few(inputs):
    predictions = {"plain": read_predictions(inputs.predictions / "finetuned")}
    num_wrong = sum(row["label"] != row["prediction"] for row in predictions["plain"])
    chosen = choose_examples(predictions, inputs.examples, NUM_ROWS + 5, are_sure=True)
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
    with pytest.raises(ContractError, match=r"not among the examples\. Run `dvc repro`"):
        page_of(inputs, num_examples=NUM_ROWS)


def test_missing_metrics_are_an_error_with_a_remedy(inputs):
    (inputs.metrics / "ingest.json").unlink()
    with pytest.raises(ContractError, match=r"ingest\.json: not found\. Run `dvc repro`"):
        page_of(inputs)
    for path in (inputs.metrics / "evaluate").glob("*.json"):
        path.unlink()
    with pytest.raises(ContractError, match="no metrics of any model"):
        page_of(inputs)
