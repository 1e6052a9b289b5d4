"""The command line says what is wrong in one message, and never needs torch to do so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.pipeline import durations
from tests.support.repository import REPOSITORY

MODEL_METRICS = {
    "accuracy": 0.875,
    "macro_f1": 0.8612,
    "ece": 0.04,
    "robust_accuracy": 0.31,
    "text_only": {"accuracy": 0.84},
    "image_only": {"accuracy": 0.75},
    "shuffled": {"accuracy": 0.5},
    "twin": {"accuracy": 0.8601},
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository's root as far as the command line looks."""
    for name in ("params.yaml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / ".dvc").mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_metrics(root: Path) -> None:
    counts = {
        **{"rows_in": 120, "rows_kept": 118, "rows_quarantined": 2},
        "quarantined": {"empty_text": 0, "duplicate_id": 2},
        "modalities": {"text": 118, "image": 80, "audio": 0},
    }
    (root / "metrics" / "evaluate").mkdir(parents=True)
    (root / "metrics" / "ingest.json").write_text(json.dumps(counts))
    for name in ("finetuned", "adversarial"):
        (root / f"metrics/evaluate/{name}.json").write_text(json.dumps(MODEL_METRICS))


def test_help_lists_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in (
        "check",
        "check-remote",
        "compare",
        "doctor",
        "estimate",
        "new",
        "plots-page",
        "summary",
        "tune",
        "verify",
    ):
        assert command in result.output
        assert run(command, "--help").exit_code == 0


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["summary", "x"]])
def test_bad_use_exits_with_2_and_a_message(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage" in result.output
    assert "Traceback" not in result.output


def test_no_command_needs_torch(root: Path) -> None:
    write_metrics(root)
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom fuseline.cli import app\n"
        "for command in ('--help', 'check', 'doctor', 'summary'):\n"
        "    assert CliRunner().invoke(app, [command]).exit_code == 0, command\n"
        "print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_check_accepts_the_default_params(root: Path) -> None:
    result = run("check")
    assert (result.exit_code, result.output) == (
        0,
        "params.yaml: every key is known and every value valid.\n",
    )


@pytest.mark.parametrize(
    ("found", "replacement", "message"),
    [
        ("  seed: 17", "  sed: 17", "base.sed: unknown key"),
        ("  seed: 17", "", "base.seed: missing key"),
        ("  seed: 17", "  seed: -1", "base.seed: Input should be greater than or equal to 0"),
        ("report:", "raport:", "Did you mean 'report'?"),
    ],
)
def test_check_names_the_wrong_key(root: Path, found: str, replacement: str, message: str) -> None:
    params = root / "params.yaml"
    params.write_text(params.read_text().replace(found, replacement, 1))
    result = run("check")
    assert result.exit_code == 2
    assert message in result.output


def test_check_stops_at_a_link_that_leads_nowhere(root: Path) -> None:
    (root / "data" / "raw").mkdir(parents=True, exist_ok=True)
    (root / "data" / "raw" / "rows.csv").symlink_to("/nowhere/rows.csv")
    result = run("check")
    assert result.exit_code == 2
    assert "check: data/raw/rows.csv leads to /nowhere/rows.csv, which is not" in result.output
    assert "Put it back, or rm data/raw/rows.csv" in result.output


def test_check_outside_a_repository_says_where_to_run(root: Path) -> None:
    (root / "params.yaml").unlink()
    result = run("check")
    assert result.exit_code == 2
    assert "params.yaml: not found. Run from the root" in result.output


def test_summary_prints_rows_and_figures_by_model(root: Path) -> None:
    write_metrics(root)
    result = run("summary")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "rows: 120 in, 118 kept, 2 quarantined (duplicate_id 2)"
    assert lines[1] == "modalities: text 118, image 80"
    assert lines[2].split()[:5] == ["model", "accuracy", "macro_f1", "ece", "robust_accuracy"]
    assert lines[3].split() == [
        *("adversarial", "0.8750", "0.8612", "0.0400", "0.3100"),
        *("0.8400", "0.7500", "0.5000", "0.8601"),
    ]
    assert lines[4].startswith("finetuned ")
    assert "leakage" not in result.output


def test_summary_names_the_labels_that_macro_f1_leaves_out(root: Path) -> None:
    write_metrics(root)
    path = root / "metrics/evaluate/adversarial.json"
    content = json.loads(path.read_text())
    content["per_class"] = {name: {"support": rows} for name, rows in (("a", 3), ("b", 0))}
    path.write_text(json.dumps(content))
    assert "macro_f1 leaves out labels without test rows: b\n" in run("summary").output


def test_summary_names_the_checks_of_an_attack_that_failed(root: Path) -> None:
    write_metrics(root)
    path = root / "metrics" / "evaluate" / "finetuned.json"
    checks = {"black_box": {"passed": False}, "monotone": {"passed": True}}
    audited = json.loads(path.read_text()) | {"robustness": {"audit": {"checks": checks}}}
    path.write_text(json.dumps(audited))
    assert "finetuned, audit of the attack failed: black_box; see" in run("summary").output


def test_summary_says_once_which_check_of_an_attack_was_left_out(root: Path) -> None:
    write_metrics(root)
    audit = {"checks": {}, "left_out": {"falls_to_chance": "It leaves text as it was."}}
    for path in (root / "metrics" / "evaluate").glob("*.json"):
        robustness = {"robustness": {"image_pixel": {"audit": audit}}}
        path.write_text(json.dumps(json.loads(path.read_text()) | robustness))
    said = "audit of the attack on pictures without falls_to_chance: It leaves text as it was."
    assert run("summary").output.splitlines().count(said) == 1


def test_summary_ends_with_how_long_each_stage_took(root: Path) -> None:
    write_metrics(root)
    for stage, seconds in (("ingest", 3.04), ("finetune", 77.0)):
        durations.note(root / ".checkpoints", stage, durations.LastRun(seconds, {}, {}, True))
    said = run("summary").output.splitlines()[-4:]
    assert [re.split(r" {2,}", line) for line in said] == [
        ["stage", "last run took"],
        ["finetune", "1 min 17 s"],
        ["ingest", "3 s"],
        ["all", "1 min 20 s"],
    ]


@pytest.mark.parametrize("stage", ["pretrain", "finetune", "adversarial_finetune"])
def test_summary_repeats_what_training_said_of_its_curves(root: Path, stage: str) -> None:
    write_metrics(root)
    remark = "The development loss is 4.556e+04 in epoch 3"
    (root / f"metrics/{stage}.json").write_text(json.dumps({"remarks": [remark]}))
    assert run("summary").output.splitlines()[-1] == f"{stage}: {remark}"


def test_summary_tells_of_few_shots(root: Path) -> None:
    write_metrics(root)

    def point(mean: float, seeds: int = 5) -> dict[str, object]:
        return {"seeds": seeds, "accuracy": {"mean": mean}}

    methods = {
        "contrastive": {"0": point(0.5), "16": point(0.75)},
        "head": {"1": point(0.3), "16": point(0.7)},
        "cloze": {"0": point(0.0, 0), "16": point(0.0, 0)},
        "probe": {"2": point(0.6)},
    }
    (root / "metrics" / "prompt.json").write_text(json.dumps({"methods": methods}))
    assert run("summary").output.splitlines()[-2:] == [
        "accuracy with 2 rows a label: probe 0.600",
        "accuracy with 16 rows a label: contrastive 0.750, head 0.700",
    ]


STRESS = {
    "text": {
        name: {
            "clean": {"accuracy": 0.9},
            "insert": [{"accuracy": 0.8}, {"accuracy": 0.7}],
            "swap": [{"accuracy": 0.75}],
        }
        for name in ("adversarial", "finetuned")
    },
    "out_of_distribution": {
        "adversarial": {"max_softmax": {"auroc": 0.87}},
        "finetuned": {"max_softmax": {"auroc": 0.88}},
    },
    "paired": {
        "finetuned_and_adversarial": {
            **{"rows": 30, "right_by_finetuned_only": 5, "right_by_adversarial_only": 3},
            "p_value": 0.7265625,
        }
    },
}


def test_summary_tells_of_inputs_that_go_wrong(root: Path) -> None:
    write_metrics(root)
    path = root / "metrics" / "stress.json"
    path.write_text(json.dumps({"rows": 30, "task": "classification"} | STRESS))
    assert run("summary").output.splitlines()[-2:] == [
        "worst noise on the text: adversarial insert (accuracy 0.900 to 0.700),"
        " finetuned insert (accuracy 0.900 to 0.700)",
        "auroc of rows of another set: adversarial 0.870, finetuned 0.880;"
        " finetuned and adversarial differ on 8 rows, p 0.73",
    ]


def test_summary_of_another_task_tells_what_stress_found(root: Path) -> None:
    write_metrics(root)
    text = {"finetuned": {"clean": {"right": 0.5}, "swap": [{"right": 0.25}]}}
    found = {"text": text, "out_of_distribution": {"finetuned": {}}}
    (root / "metrics" / "stress.json").write_text(json.dumps(found))
    assert run("summary").output.splitlines()[-1] == (
        "worst noise on the text: finetuned swap (right 0.500 to 0.250)"
    )


def test_summary_names_a_figure_that_stress_lacks(root: Path) -> None:
    write_metrics(root)
    found = {"text": {"finetuned": {"swap": []}}}
    (root / "metrics" / "stress.json").write_text(json.dumps(found))
    result = run("summary")
    assert result.exit_code == 2
    assert "stress.json: expected the figure 'clean', found none" in result.output


@pytest.mark.parametrize(
    ("suspicions", "line"),
    [
        (0, "leakage: nothing suspicious"),
        (1, "leakage: 1 finding asks for a look, see the report"),
        (3, "leakage: 3 findings ask for a look, see the report"),
    ],
)
def test_summary_tells_of_leakage(root: Path, suspicions: int, line: str) -> None:
    write_metrics(root)
    (root / "metrics" / "leakage.json").write_text(json.dumps({"suspicions": suspicions}))
    assert run("summary").output.splitlines()[-1] == line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ingest.json", None, "ingest.json: not found. Run `dvc repro` to make it."),
        ("ingest.json", "{", "ingest.json: not readable as JSON"),
        ("evaluate/finetuned.json", "{}", "finetuned.json: expected the figure 'accuracy'"),
    ],
)
def test_summary_of_unfinished_metrics_names_the_file(
    root: Path, name: str, content: str | None, message: str
) -> None:
    write_metrics(root)
    path = root / "metrics" / name
    path.unlink() if content is None else path.write_text(content)
    result = run("summary")
    assert result.exit_code == 2
    assert message in result.output


def test_summary_before_any_evaluation_says_so(root: Path) -> None:
    write_metrics(root)
    shutil.rmtree(root / "metrics" / "evaluate")
    assert "no metrics found. Run `make repro` first." in run("summary").output


@pytest.mark.parametrize("module", ["pyarrow", "dvc"])
def test_a_missing_package_is_told_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def summary(_: object) -> str:
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)

    monkeypatch.setattr("fuseline.workbench.summary.summarise", summary)
    result = CliRunner().invoke(app, ["summary"])
    assert result.exit_code == 2
    assert result.output.startswith(f"summary: the module {module} is not installed here.")
    assert "pip install 'fuseline[train]'" in result.output


def test_a_module_of_the_package_itself_that_is_missing_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def summary(_: object) -> str:
        raise ModuleNotFoundError("No module named 'fuseline.lost'", name="fuseline.lost")

    monkeypatch.setattr("fuseline.workbench.summary.summarise", summary)
    result = CliRunner().invoke(app, ["summary"])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_a_project_is_made_without_what_the_pipeline_runs_on(tmp_path: Path) -> None:
    """Of the packages that `pip install fuseline` does not bring, none is needed."""
    script = (
        "import sys\n"
        "for name in ('pyarrow', 'numpy', 'torch', 'dvc', 'psutil', 'tqdm', 'vl_convert'):\n"
        "    sys.modules[name] = None\n"
        "from fuseline.cli import app\n"
        "app(['new', 'project'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "make setup" in done.stdout
    assert (tmp_path / "project/dvc.yaml").is_file()
