"""The change table: for every kind of change, exactly the expected stages run.

`dvc repro --dry` lists what a change invalidates at once; what lies downstream of those stages
runs only if their outputs turn out different. So the sets are of first order.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline.workspace import Workspace

INGEST, TOKENIZE, LEAKAGE = {"ingest"}, {"tokenize"}, {"leakage"}
IMAGE, AUDIO, VIDEO, TABULAR = (
    {f"extract_features@{modality}"} for modality in ("image", "audio", "video", "tabular")
)
EXTRACT = IMAGE | AUDIO | VIDEO | TABULAR
PRETRAIN, FINETUNE, ADVERSARIAL = {"pretrain"}, {"finetune"}, {"adversarial_finetune"}
PROMPT = {"prompt"}
EVALUATE, REPORT = {"evaluate@finetuned", "evaluate@adversarial"}, {"report"}
STRESS = {"stress"}
TRAINING = PRETRAIN | FINETUNE | ADVERSARIAL
MODELS = TRAINING | PROMPT | EVALUATE | STRESS
# Those that read labels: all tasks come with them.
LABELLED = FINETUNE | ADVERSARIAL | PROMPT | EVALUATE | STRESS
ALL = INGEST | TOKENIZE | EXTRACT | LEAKAGE | MODELS | REPORT
NOTHING: set[str] = set()

PARAMS: dict[str, tuple[object, set[str]]] = {
    "base.seed": (18, EXTRACT | MODELS),
    "base.num_threads": (2, EXTRACT | MODELS),
    "base.precision": ("bf16", EXTRACT | MODELS),
    "base.modalities": (["text"], MODELS),
    "ingest.source": ("emoji", INGEST),
    "ingest.synthetic.num_rows": (121, INGEST),
    "ingest.split.salt": (1, INGEST),
    "ingest.duplicates.text_similarity": (0.9, INGEST),
    "ingest.safety.personal_data": ("keep", INGEST),
    "ingest.manifest.columns.text": ("caption", INGEST),
    "ingest.manifest.columns.split": ("part", INGEST),
    "ingest.manifest.columns.targets": ({"price": "number"}, INGEST),
    "tokenize.encoder": ("minilm", TOKENIZE),
    "tokenize.max_length_tokens": (24, TOKENIZE),
    "extract_features.image.encoder": ("efficientnet_lite0", IMAGE | STRESS),
    "extract_features.image.grid": (1, IMAGE | STRESS),
    "extract_features.audio.num_mels": (16, AUDIO | STRESS),
    "extract_features.video.num_frames": (3, VIDEO | STRESS),
    "extract_features.tabular.num_bins": (4, TABULAR | STRESS),
    "pretrain.objectives.weights.mlm": (0.25, PRETRAIN),
    "pretrain.objectives.contrastive_queue_size": (64, PRETRAIN),
    "pretrain.model.fusion.kind": ("concat", PRETRAIN),
    "pretrain.training.num_epochs": (2, PRETRAIN),
    "adversarial_finetune.training.layer_decay": (0.9, ADVERSARIAL),
    "prompt.shots": ([0, 1], PROMPT),
    "prompt.cloze.template": ("about {label}: {text}", PROMPT),
    "prompt.label_words": ({"red circle": ["ball"]}, PROMPT),
    "finetune.tasks": (
        [{"kind": "regression", "target": "total", "weight": 1.0}],
        FINETUNE | PROMPT,
    ),
    "finetune.generation.num_layers": (3, FINETUNE),
    "finetune.freezing.policy": ("head", FINETUNE),
    "finetune.freezing.lora.rank": (4, FINETUNE),
    "finetune.training.learning_rate": (1.0e-4, FINETUNE),
    "adversarial_finetune.attack.epsilon.text_embedding": (0.25, ADVERSARIAL),
    "adversarial_finetune.clean_weight": (0.5, ADVERSARIAL),
    "adversarial_finetune.method": ("trades", ADVERSARIAL),
    "adversarial_finetune.smart.momentum": (0.9, ADVERSARIAL),
    "pretrain.adversarial.method": ("fgm", PRETRAIN),
    "evaluate.robustness.num_restarts": (2, EVALUATE),
    "evaluate.num_calibration_bins": (10, EVALUATE),
    "evaluate.trust.target_risk": (0.1, EVALUATE),
    "evaluate.generation.num_beams": (3, EVALUATE),
    "stress.max_rows": (100, STRESS),
    "stress.text.strengths": ([0.3], STRESS),
    "leakage.max_rows": (100, LEAKAGE),
    "report.num_examples": (5, REPORT),
}

# Module to the stages that import it; the stage `code` runs besides, to find that out.
MODULES: dict[str, set[str]] = {
    "src/fuseline/__init__.py": ALL,
    "src/fuseline/contracts.py": ALL,
    "src/fuseline/stage.py": ALL,
    "src/fuseline/metrics_file.py": ALL,
    "src/fuseline/dataset.py": MODELS,
    "src/fuseline/params/ingest.py": INGEST | STRESS,
    "src/fuseline/params/finetune.py": MODELS,
    "src/fuseline/params/evaluate.py": EVALUATE,
    "src/fuseline/params/whole.py": NOTHING,
    "src/fuseline/sources/emoji.py": INGEST | STRESS,
    "src/fuseline/ingest/duplicates/texts.py": INGEST,
    "src/fuseline/ingest/safety/personal.py": INGEST,
    "src/fuseline/modalities/feature_cache.py": EXTRACT | STRESS,
    "src/fuseline/modalities/stored_media.py": EXTRACT | EVALUATE | STRESS,
    "src/fuseline/modalities/folding.py": EXTRACT | STRESS,
    "src/fuseline/modalities/log_mel.py": EXTRACT | MODELS,
    "src/fuseline/model/card.py": FINETUNE | ADVERSARIAL,
    "src/fuseline/evaluation/leakage/shortcuts.py": LEAKAGE | REPORT,
    "src/fuseline/ingest/split.py": INGEST,
    "src/fuseline/ingest/targets.py": INGEST,
    "src/fuseline/modalities/extractors.py": EXTRACT,
    "src/fuseline/model/modeling.py": MODELS,
    "src/fuseline/model/decoder.py": MODELS,
    "src/fuseline/model/constraints.py": NOTHING,
    "src/fuseline/model/fusion/concat.py": MODELS,
    "src/fuseline/objectives/mlm.py": PRETRAIN,
    "src/fuseline/objectives/negative_queue.py": PRETRAIN,
    "src/fuseline/objectives/supervised.py": FINETUNE | ADVERSARIAL | PROMPT,
    "src/fuseline/objectives/adversarial/trades.py": ADVERSARIAL,
    "src/fuseline/objectives/adversarial/freelb.py": ADVERSARIAL | PRETRAIN,
    "src/fuseline/attacks/pgd.py": PRETRAIN | ADVERSARIAL | EVALUATE | STRESS,
    "src/fuseline/tasks/classification.py": LABELLED,
    "src/fuseline/tasks/generation.py": LABELLED,
    "src/fuseline/tasks/labelled.py": LABELLED,
    "src/fuseline/evaluation/task_twins.py": EVALUATE,
    "src/fuseline/training/loop.py": TRAINING,
    "src/fuseline/training/groups.py": TRAINING | PROMPT,
    "src/fuseline/prompting/cloze.py": PROMPT,
    "src/fuseline/evaluation/trust/selective.py": EVALUATE,
    "src/fuseline/evaluation/metrics.py": PROMPT | EVALUATE | STRESS,
    "src/fuseline/evaluation/ablation.py": EVALUATE | STRESS,
    "src/fuseline/evaluation/stress/noises.py": STRESS,
    "src/fuseline/training/lora.py": FINETUNE | ADVERSARIAL,
    "src/fuseline/training/adversarial.py": ADVERSARIAL,
    "src/fuseline/evaluation/twin.py": EVALUATE,
    "src/fuseline/evaluation/charts.py": REPORT,
    "src/fuseline/evaluation/report_stress.py": REPORT,
    "src/fuseline/cli.py": NOTHING,
    "src/fuseline/plots_page.py": NOTHING,
    "stages/tokenize.py": TOKENIZE,
}


@pytest.fixture(scope="module")
def shared(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    copy = finished.copy(tmp_path_factory.mktemp("changes") / "shared")
    assert copy.repro("--dry") == []
    return copy


@pytest.fixture
def change(shared: Workspace) -> Iterator[Callable[[str], Path]]:
    """Say which file or folder a test is about to change or add; it is as before afterwards."""
    kept: list[tuple[Path, Path]] = []
    beside = shared.root.parent / "kept"

    def keep(name: str) -> Path:
        path, backup = shared.root / name, beside / name
        backup.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, backup)
        kept.append((path, backup))
        return path

    yield keep
    for path, backup in kept:
        if path.exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if backup.exists():
            backup.rename(path)


def hash_code(workspace: Workspace) -> None:
    """Run the stage `code` by itself: the dry run then sees what it found."""
    options = ("--sources", "src", "--stages", "stages", "--out", "code.json")
    result = workspace.run(sys.executable, "-m", "stages.code", *options)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("key", PARAMS)
def test_a_param_re_runs_the_stages_that_declare_it(
    shared: Workspace, change: Callable[[str], Path], key: str
) -> None:
    value, expected = PARAMS[key]
    change("params.yaml")
    shared.set_params({key: value})
    assert set(shared.repro("--dry")) == expected


@pytest.mark.parametrize("module", MODULES)
def test_a_module_re_runs_the_stages_that_import_it(
    shared: Workspace, change: Callable[[str], Path], module: str
) -> None:
    change("code.json")
    path = change(module)
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    hash_code(shared)
    assert set(shared.repro("--dry")) == {"code"} | MODULES[module]


def add_comment(text: str) -> str:
    return text.replace("\nimport ", "\n# Nothing runs because of this line.\nimport ", 1)


def change_docstring(text: str) -> str:
    return text.replace('"""', '"""Put in other words: ', 1)


def change_formatting(text: str) -> str:
    return text.replace("\n\n\n", "\n\n\n\n").replace("    return ", "    return  ")


@pytest.mark.parametrize("edit", [add_comment, change_docstring, change_formatting])
def test_words_and_formatting_re_run_only_the_hashing(
    shared: Workspace, change: Callable[[str], Path], edit: Callable[[str], str]
) -> None:
    change("code.json")
    path = change("src/fuseline/contracts.py")
    text = path.read_text()
    path.write_text(edit(text))
    assert path.read_text() != text
    hash_code(shared)
    assert shared.repro("--dry") == ["code"]


def test_the_page_template_re_runs_the_report(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    change("code.json")
    path = change("src/fuseline/evaluation/report.html.j2")
    path.write_text(path.read_text() + "\n<!-- another line -->\n")
    hash_code(shared)
    assert set(shared.repro("--dry")) == {"code"} | REPORT


@pytest.mark.parametrize(
    "name", ["src/fuseline/stage.py", "params.yaml", "data/examples/manifest.json"]
)
def test_a_touched_file_re_runs_nothing(
    shared: Workspace, change: Callable[[str], Path], name: str
) -> None:
    os.utime(change(name), (1, 1))
    assert shared.repro("--dry") == []


def test_a_comment_in_params_re_runs_nothing(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    path = change("params.yaml")
    path.write_text("# A note.\n" + path.read_text())
    assert shared.repro("--dry") == []


def test_new_data_of_yours_re_runs_ingest(shared: Workspace, change: Callable[[str], Path]) -> None:
    change("data/raw/rows.csv").write_text("text,label\none,a\n")
    assert set(shared.repro("--dry")) == INGEST


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data/examples/manifest.json", ALL - PRETRAIN),
        ("models/finetuned/config.json", FINETUNE | ADVERSARIAL | {"evaluate@finetuned"} | STRESS),
        ("reports/index.html", REPORT),
    ],
)
def test_a_removed_file_re_runs_its_stage_and_its_readers(
    shared: Workspace, change: Callable[[str], Path], name: str, expected: set[str]
) -> None:
    change(name).unlink()
    assert set(shared.repro("--dry")) == expected


def test_removed_outputs_come_back_without_any_work(workspace: Workspace) -> None:
    removed = ["data/quarantine", "data/tokens", "data/features/image"]
    before = workspace.hashes(removed)
    for name in removed:
        shutil.rmtree(workspace.root / name)
    assert workspace.repro() == []
    assert workspace.hashes(removed) == before


def test_a_comment_runs_the_hashing_and_stops_there(workspace: Workspace) -> None:
    path = workspace.root / "src/fuseline/stage.py"
    path.write_text("# A note.\n" + path.read_text())
    assert workspace.repro() == ["code"]


def test_a_change_of_the_report_leaves_all_else_alone(workspace: Workspace) -> None:
    path = workspace.root / "src/fuseline/evaluation/charts.py"
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    assert workspace.repro() == ["code", "report"]


def test_equal_outputs_stop_a_change_from_spreading(workspace: Workspace) -> None:
    """A source that is not in use changes hashes, but not what their stages write."""
    path = workspace.root / "src/fuseline/sources/emoji.py"
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    assert workspace.repro() == ["code", "ingest", "stress"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            {"adversarial_finetune.clean_weight": 0.5},
            ADVERSARIAL | {"evaluate@adversarial"} | STRESS | REPORT,
        ),
        ({"stress.text.noises": ["insert"]}, STRESS | REPORT),
    ],
)
def test_a_changed_output_runs_what_reads_it(
    workspace: Workspace, params: dict[str, object], expected: set[str]
) -> None:
    workspace.set_params(params)
    assert set(workspace.repro()) == expected
