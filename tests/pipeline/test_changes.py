"""The change table: for every kind of change, exactly the expected stages run.

A dry run of `dvc repro` lists what a change invalidates at once; what lies downstream of those
stages runs only if their outputs turn out different. So the sets are of first order.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuseline.config import read_yaml
from tests.declared import DeclaredStage
from tests.pipeline.workspace import Workspace

CODE, INGEST, TOKENIZE, LEAKAGE = {"code"}, {"ingest"}, {"tokenize"}, {"leakage"}
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
    "ingest.emoji.languages": (["de"], INGEST),
    "ingest.split.salt": (1, INGEST),
    "ingest.duplicates.text_similarity": (0.9, INGEST),
    "ingest.safety.personal_data": ("keep", INGEST),
    "ingest.manifest.columns.text": ("caption", INGEST),
    "ingest.manifest.columns.split": ("part", INGEST),
    "ingest.manifest.columns.targets": ({"price": "number"}, INGEST),
    "ingest.image_folder.path": ("data/raw/pictures", INGEST),
    "ingest.datasets.split": ("dev", INGEST),
    "ingest.webdataset.columns.text": ("caption", INGEST),
    "ingest.limits.max_video_frames": (9, INGEST),
    "ingest.shard_rows": (32, INGEST),
    "tokenize.encoder": ("minilm", TOKENIZE),
    "tokenize.max_length_tokens": (24, TOKENIZE),
    "tokenize.scratch.vocab_size": (64, TOKENIZE),
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
    "prompt.class_prompts.over": ("text", PROMPT),
    "prompt.contrastive.prompt_weight": (2.0, PROMPT),
    "prompt.residual.pull": (0.2, PROMPT),
    "prompt.soft_prompt.class_specific": (True, PROMPT),
    "prompt.training.batch_size": (8, PROMPT),
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
    "adversarial_finetune.villa.divergence_weight": (0.5, ADVERSARIAL),
    "pretrain.adversarial.method": ("fgm", PRETRAIN),
    "evaluate.robustness.num_restarts": (2, EVALUATE),
    "evaluate.num_calibration_bins": (10, EVALUATE),
    "evaluate.trust.target_risk": (0.1, EVALUATE),
    "evaluate.generation.num_beams": (3, EVALUATE),
    "stress.max_rows": (100, STRESS),
    "stress.text.strengths": ([0.3], STRESS),
    "stress.image.severities": ([2], STRESS),
    "stress.audio.corruptions": (["gain"], STRESS),
    "stress.out_of_distribution.max_rows": (7, STRESS),
    "stress.transfer.attack.step_size": (0.3, STRESS),
    "stress.paired.num_resamples": (50, STRESS),
    "leakage.max_rows": (100, LEAKAGE),
    "leakage.near.text": (0.9, LEAKAGE),
    "leakage.rule.precision": (0.9, LEAKAGE),
    "report.num_examples": (5, REPORT),
}

# Module to the stages that import it; the stage `code` runs besides, to find that out.
MODULES: dict[str, set[str]] = {
    "src/fuseline/__init__.py": ALL,
    "src/fuseline/contracts.py": ALL,
    "src/fuseline/stage.py": ALL,
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
    "stages/tokenize.py": TOKENIZE,
    "stages/ingest.py": INGEST,
    "stages/extract_features.py": EXTRACT,
    "stages/leakage.py": LEAKAGE,
    "stages/pretrain.py": PRETRAIN,
    "stages/prompt.py": PROMPT,
    "stages/finetune.py": FINETUNE,
    "stages/adversarial_finetune.py": ADVERSARIAL,
    "stages/evaluate.py": EVALUATE,
    "stages/stress.py": STRESS,
    "stages/report.py": REPORT,
    "stages/code.py": NOTHING,
}

# Output, or a file of it, to the stage that writes it and those that read it.
OUTPUTS: dict[str, set[str]] = {
    "code.json": CODE | ALL,
    "data/examples/manifest.json": ALL - PRETRAIN,
    "data/quarantine": INGEST | REPORT,
    "data/tokens": TOKENIZE | MODELS,
    "data/tokenizer": TOKENIZE | PRETRAIN | PROMPT | EVALUATE,
    "data/features/image": IMAGE | LEAKAGE | MODELS,
    "data/features/audio": AUDIO | LEAKAGE | MODELS,
    "data/features/video": VIDEO | LEAKAGE | MODELS,
    "data/features/tabular": TABULAR | MODELS,
    "data/leakage": LEAKAGE | REPORT,
    "models/pretrained": PRETRAIN | PROMPT | FINETUNE,
    "models/finetuned/config.json": FINETUNE | ADVERSARIAL | {"evaluate@finetuned"} | STRESS,
    "models/adversarial": ADVERSARIAL | {"evaluate@adversarial"} | STRESS,
    "data/predictions/finetuned": {"evaluate@finetuned"} | REPORT,
    "data/predictions/adversarial": {"evaluate@adversarial"} | REPORT,
    "metrics/ingest.json": INGEST | REPORT,
    "metrics/tokenize.json": TOKENIZE,
    "metrics/extract_features/audio.json": AUDIO,
    "metrics/prompt.json": PROMPT | REPORT,
    "metrics/stress.json": STRESS | REPORT,
    "metrics/evaluate/adversarial.json": {"evaluate@adversarial"} | REPORT,
    "metrics/history/pretrain.csv": PRETRAIN | REPORT,
    "reports/plots/finetuned/confusion.csv": {"evaluate@finetuned"} | REPORT,
    "reports/plots/stress/text.csv": STRESS,
    "reports/index.html": REPORT,
}


@pytest.fixture(scope="module")
def shared(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    copy = finished.copy(tmp_path_factory.mktemp("changes") / "shared")
    assert copy.would_run() == NOTHING
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


@pytest.mark.parametrize("key", PARAMS)
def test_a_param_re_runs_the_stages_that_declare_it(
    shared: Workspace, change: Callable[[str], Path], key: str
) -> None:
    value, expected = PARAMS[key]
    change("params.yaml")
    shared.set_params({key: value})
    assert shared.would_run() == expected


@pytest.mark.parametrize("module", MODULES)
def test_a_module_re_runs_the_stages_that_import_it(
    shared: Workspace, change: Callable[[str], Path], module: str
) -> None:
    change("code.json")
    path = change(module)
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    shared.hash_code()
    assert shared.would_run() == CODE | MODULES[module]


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
    shared.hash_code()
    assert shared.would_run() == CODE


def test_the_page_template_re_runs_the_report(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    change("code.json")
    path = change("src/fuseline/evaluation/report.html.j2")
    path.write_text(path.read_text() + "\n<!-- another line -->\n")
    shared.hash_code()
    assert shared.would_run() == CODE | REPORT


@pytest.mark.parametrize(
    "name", ["src/fuseline/stage.py", "params.yaml", "data/examples/manifest.json"]
)
def test_a_touched_file_re_runs_nothing(
    shared: Workspace, change: Callable[[str], Path], name: str
) -> None:
    os.utime(change(name), (1, 1))
    assert shared.would_run() == NOTHING


def test_a_comment_in_params_re_runs_nothing(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    path = change("params.yaml")
    path.write_text("# A note.\n" + path.read_text())
    assert shared.would_run() == NOTHING


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_removed_output_re_runs_its_stage_and_its_readers(
    shared: Workspace, change: Callable[[str], Path], name: str
) -> None:
    path = change(name)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert shared.would_run() == OUTPUTS[name]


def test_an_output_changed_by_hand_re_runs_its_stage_and_its_readers(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    change("data/quarantine/note.txt").write_text("mine\n")
    assert shared.would_run() == OUTPUTS["data/quarantine"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("desc: Text to token ids", "desc: Words to numbers", NOTHING),
        ("template: history", "template: shots", NOTHING),
        ("--out reports/index.html", "--out ./reports/index.html", REPORT),
        ("deps: [data/raw]", "deps: [data/raw, README.md]", INGEST),
        ("params: [tokenize,", "params: [tokenize, base.seed,", TOKENIZE),
        ("outs: [data/leakage]", "outs: [data/leakage, data/more]", LEAKAGE),
    ],
)
def test_a_stage_declared_otherwise_re_runs(
    shared: Workspace,
    change: Callable[[str], Path],
    before: str,
    after: str,
    expected: set[str],
) -> None:
    path = change("dvc.yaml")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert shared.would_run() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("src/fuseline/evaluation/more.py", CODE),
        ("src/fuseline/evaluation/trust/table.txt", CODE | EVALUATE),
        ("tests/more.py", NOTHING),
        ("docs/more.md", NOTHING),
        ("data/raw/rows.csv", INGEST),
    ],
)
def test_a_new_file_re_runs_what_reads_it(
    shared: Workspace, change: Callable[[str], Path], name: str, expected: set[str]
) -> None:
    change("code.json")
    path = change(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text,label\n")
    shared.hash_code()
    assert shared.would_run() == expected


def test_the_table_has_every_stage_and_every_group_of_params(
    shared: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    content = read_yaml(shared.root / "params.yaml")
    groups = {
        f"{section}.{key}"
        for section, keys in content.items()
        for key, value in keys.items()
        if isinstance(value, dict) and value
    }
    assert {group for group in groups if not any(key.startswith(group) for key in PARAMS)} == set()
    assert set(content) == {key.split(".")[0] for key in PARAMS}
    assert set(stages) == CODE | ALL
    scripts = {f"stages/{stage.name}.py" for stage in stages.values()}
    assert scripts - set(MODULES) == set()
    cached = {path for stage in stages.values() for path, kept in stage.outs.items() if kept}
    named = {str(parent) for name in OUTPUTS for parent in [Path(name), *Path(name).parents]}
    assert cached - named == set()


def test_the_command_gives_the_same_answer(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    change("params.yaml")
    change("code.json")
    module = change("src/fuseline/evaluation/charts.py")
    module.write_text(module.read_text() + "\nUNUSED_CONSTANT = 1\n")
    shared.set_params({"stress.max_rows": 100})
    assert set(shared.repro("--dry")) == shared.would_run() == CODE | STRESS


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
