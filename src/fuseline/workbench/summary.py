"""The headline figures of a run as a table for the terminal."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from fuseline.data.notices import read_notices, told
from fuseline.errors import ContractError
from fuseline.params.base import MODALITIES
from fuseline.pipeline import durations
from fuseline.pipeline.metrics_file import read_metrics
from fuseline.pipeline.stage import WORK_FOLDER, leaf
from fuseline.reporting.figures import labels_without_rows, named_figures
from fuseline.reporting.rivals import beside_best, is_of_lists, rivals_of
from fuseline.workbench.one_run import read_other_runs
from fuseline.workbench.terminal import aligned, duration

COUNTS = ("in", "kept", "quarantined")

TRAININGS = ("pretrain", "finetune", "adversarial_finetune")
# Figures of the model with shuffled inputs, and of the linear model beside it.
PARTS = ("shuffled", "twin")
# Stand in the report, and the raw error in a line of its own.
LEFT_OUT = ("attack_success_rate", "ece_raw")


def summarise(metrics: Path) -> str:
    """What became of the rows, one line of figures per model, whether anything leaks, what of the
    data asks for a look, and how long each stage took; first of all whether these are of one run.

    Args:
        metrics: the folder that holds `ingest.json`, `evaluate/<model>.json` and, once their
            stages have run, `prompt.json`, `stress.json`, `leakage.json` and `export.json`;
            `dvc.lock` beside it tells which are of one run.

    Raises:
        ConfigError: `dvc.lock` cannot be read.
        ContractError: nothing has been evaluated yet, or a file is not JSON or lacks a figure.
    """
    data = _data(metrics / "ingest.json")
    models = sorted((metrics / "evaluate").glob("*.json"))
    if not models:
        raise ContractError(f"{metrics / 'evaluate'}: no metrics found. Run `make repro` first.")
    prompts, leaks = _prompts(metrics / "prompt.json"), _leakage(metrics / "leakage.json")
    stress, export = _stress(metrics / "stress.json"), _export(metrics / "export.json")
    remarks = _remarks(metrics)
    looks = [told(notices)] if (notices := read_notices(metrics)) else []
    other_runs = read_other_runs(metrics)
    scores = _scores(models, _held(metrics / "ingest.json", models), other_runs.files)
    times = _times(metrics.parent / WORK_FOLDER)
    lines = [*other_runs.sentences, *data, *scores, *prompts, *stress, *leaks, *remarks, *looks]
    return "\n".join([*lines, *export, *times])


def _times(folder: Path) -> list[str]:
    """A table of the stages' last runs, the longest first; nothing where none is known."""
    known = {stage: run.seconds for stage, run in durations.read(folder).items()}
    if not known:
        return []
    longest = sorted(known.items(), key=lambda item: -item[1])
    each = [[stage, duration(seconds)] for stage, seconds in longest]
    return [
        "",
        *aligned([["stage", "last run took"], *each, ["all", duration(sum(known.values()))]]),
    ]


def _held(path: Path, models: list[Path]) -> list[str]:
    """Modalities that the evaluated rows hold; of metrics that do not say so, that any row does."""
    counts = _figures(path, ["modalities"])[0]
    there = [name for name, count in counts.items() if count]
    return list(_model(models[0]).get("modalities", there))


def _scores(models: list[Path], held: list[str], other_runs: Collection[Path]) -> list[str]:
    """A line of figures per model, what they are of, and a line per further task.

    Args:
        models: their metrics files.
        held: modalities to show the score of alone: metrics have keys of others too.
        other_runs: files that are not of the last run.
    """
    first = _model(models[0])
    figures = [name for name in named_figures(first) if name not in LEFT_OUT]
    alone = [f"{name}_only" for name in MODALITIES if name in held]
    parts = [name for name in (*alone, *PARTS) if name in first]
    compared = next((name for name in figures if all(name in first[part] for part in parts)), "")
    keys = [*figures, *(f"{part}.{compared}" for part in parts)]
    table = [["model", *figures, *parts]]
    for path in models:
        if path in other_runs:
            table.append([f"{path.stem} (other run)", *(_known(path, key) for key in keys)])
        else:
            table.append([path.stem, *(f"{value:.4f}" for value in _figures(path, keys))])
    table += _best_rival(first, keys)
    meaning = f"; {parts[0]} to {parts[-1]}: {compared}" if parts else ""
    further = [
        f"{path.stem}, further task {task}: " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items())
        for path in models
        for task, scores in sorted(_model(path).get("further_tasks", {}).items())
    ]
    trust = [line for path in models for line in _trust(path)]
    absent = ", ".join(labels_without_rows(first))
    left_out = [f"macro_f1 leaves out labels without test rows: {absent}"] if absent else []
    of = "events" if is_of_lists(first) else "split"
    lines = [*aligned(table), f"on the test {of}{meaning}", *left_out, *further]
    return [*lines, *trust, *_rivals(models, other_runs), *_audits(models)]


def _best_rival(metrics: dict[str, Any], keys: list[str]) -> list[list[str]]:
    """The figures of the best rival of a model of recommendations, as far as it has them."""
    return [
        [
            rival.title,
            *(f"{rival.figures[key]:.4f}" if key in rival.figures else "-" for key in keys),
        ]
        for rival in rivals_of(metrics)[:1]
    ]


def _rivals(models: list[Path], other_runs: Collection[Path]) -> list[str]:
    """Where each model of recommendations of the last run stands beside the best of its rivals."""
    found = []
    for path in models:
        try:
            words = "" if path in other_runs else beside_best(_model(path))
        except KeyError as error:
            raise _lacking(path, error) from None
        found += [f"{path.stem}: {words}"] if words else []
    return found


def _known(path: Path, key: str) -> str:
    """A figure of another run, which may have had other modalities or another task."""
    try:
        return f"{leaf(read_metrics(path), key):.4f}"
    except (KeyError, TypeError):
        return "-"


def _trust(path: Path) -> list[str]:
    """What temperature scaling and a threshold on the confidence give; nothing of a task whose
    confidences are not measured."""
    if not {"calibration", "selective"} <= _model(path).keys():
        return []
    keys = [
        "calibration.temperature",
        *(f"calibration.{condition}.ece" for condition in ("clean", "calibrated", "attack")),
        *(f"selective.{name}" for name in ("target_risk", "clean.coverage", "clean.risk")),
    ]
    temperature, before, after, attack, target, coverage, risk = _figures(path, keys)
    return [
        f"{path.stem}: temperature {temperature:.3g} takes ece {before:.3f} to {after:.3f}"
        f" ({attack:.3f} under attack); for a risk of {target:g} it answers {coverage:.3f} of the"
        f" rows, at a risk of {risk:.3f}"
    ]


def _audits(models: list[Path]) -> list[str]:
    """Models whose attack failed its audit, with the checks; and, once for all of them, checks that
    say nothing here."""
    failures, left_out = [], []
    for path in models:
        robustness = _model(path).get("robustness", {})
        for attack, of in (("", robustness), (" on pictures", robustness.get("image_pixel", {}))):
            audit = of.get("audit", {})
            checks = audit.get("checks", {})
            failed = [name for name, check in sorted(checks.items()) if not check["passed"]]
            if failed:
                failures.append(
                    f"{path.stem}, audit of the attack{attack} failed: {', '.join(failed)};"
                    " see the report"
                )
            left_out += [
                f"audit of the attack{attack} without {name}: {why}"
                for name, why in sorted(audit.get("left_out", {}).items())
            ]
    return [*failures, *dict.fromkeys(left_out)]


def _data(path: Path) -> list[str]:
    """Rows in and out, why rows were refused, and how many hold which modality."""
    rows = _figures(path, [f"rows_{name}" for name in COUNTS])
    refused, modalities = _figures(path, ["quarantined", "modalities"])
    counts = ", ".join(f"{row} {name}" for row, name in zip(rows, COUNTS, strict=True))
    reasons = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{reason} {count}" for reason, count in reasons if count)
    held = ", ".join(f"{name} {count}" for name, count in modalities.items() if count)
    return [f"rows: {counts}" + (f" ({why})" if why else ""), f"modalities: {held}"]


def _prompts(path: Path) -> list[str]:
    """Accuracy of every method with the most shots that it was run with; nothing before the stage
    has run."""
    if not path.exists():
        return []
    (methods,) = _figures(path, ["methods"])
    parts: dict[str, list[str]] = {}
    for name, points in methods.items():
        if run := [shots for shots, point in points.items() if point["seeds"]]:
            most = max(run, key=int)
            parts.setdefault(most, []).append(f"{name} {points[most]['accuracy']['mean']:.3f}")
    return [
        f"accuracy with {shots} rows a label: {', '.join(of)}"
        for shots, of in sorted(parts.items(), key=lambda part: int(part[0]))
    ]


def _stress(path: Path) -> list[str]:
    """The noise on the text that costs each model most; how well rows of another set are told, and
    whether the models differ. Nothing before the stage has run, or of suites that it left out."""
    if not path.exists():
        return []
    content = read_metrics(path)
    try:
        noises = [_worst(name, of) for name, of in content.get("text", {}).items() if of]
        told = [
            f"{name} {of['max_softmax']['auroc']:.3f}"
            for name, of in content.get("out_of_distribution", {}).items()
            if of
        ]
        pairs = [_paired(name, of) for name, of in content.get("paired", {}).items()]
    except KeyError as error:
        raise _lacking(path, error) from None
    rest = [*([f"auroc of rows of another set: {', '.join(told)}"] if told else []), *pairs]
    return [
        *([f"worst noise on the text: {', '.join(noises)}"] if noises else []),
        *(["; ".join(rest)] if rest else []),
    ]


def _worst(model: str, figures: dict[str, Any]) -> str:
    """What a model's score falls to under the noise that costs it most."""
    clean = figures["clean"]
    score = "accuracy" if "accuracy" in clean else "right"
    points = [
        (point[score], noise)
        for noise, curve in figures.items()
        if noise != "clean"
        for point in curve
    ]
    low, noise = min(points)
    return f"{model} {noise} ({score} {clean[score]:.3f} to {low:.3f})"


def _paired(pair: str, figures: dict[str, Any]) -> str:
    """On how many rows two models differ, and whether by more than chance."""
    differ = sum(value for key, value in figures.items() if key.startswith("right_by_"))
    return f"{pair.replace('_', ' ')} differ on {differ} rows, p {figures['p_value']:.2g}"


def _leakage(path: Path) -> list[str]:
    """How many findings ask for a look; nothing before the stage has run."""
    if not path.exists():
        return []
    (suspicions,) = _figures(path, ["suspicions"])
    if not suspicions:
        return ["leakage: nothing suspicious"]
    findings = "1 finding asks" if suspicions == 1 else f"{suspicions} findings ask"
    return [f"leakage: {findings} for a look, see the report"]


def _export(path: Path) -> list[str]:
    """Which model was exported and how alike its formats answer, unless its answers are numbers;
    nothing before the stage has run."""
    if not path.exists():
        return []
    found = read_metrics(path)
    (chosen,) = _figures(path, ["chosen"])
    alike = [
        f"{name} answers {found[name]['agreement']:.1%} of the test rows as it does"
        for name in ("onnx", "int8")
        if "agreement" in found.get(name, {})
    ]
    return [f"models/export: {', '.join([chosen, *alike])}; try `fuseline predict`"]


def _remarks(metrics: Path) -> list[str]:
    """What the training stages said of their curves; nothing of one that has not run."""
    paths = [path for stage in TRAININGS if (path := metrics / f"{stage}.json").exists()]
    return [
        f"{path.stem}: {remark}"
        for path in paths
        for remark in read_metrics(path).get("remarks", [])
    ]


def _figures(path: Path, keys: list[str]) -> list[Any]:
    """Values of dotted keys of a metrics file."""
    content = read_metrics(path)
    try:
        return [leaf(content, key) for key in keys]
    except (KeyError, TypeError) as error:
        raise _lacking(path, error) from None


def _lacking(path: Path, error: Exception) -> ContractError:
    return ContractError(
        f"{path}: expected the figure {error}, found none. Run `dvc repro` to make it again."
    )


def _model(path: Path) -> dict[str, Any]:
    """A model's metrics, which have one figure at least."""
    content: dict[str, Any] = read_metrics(path)
    if not named_figures(content):
        raise ContractError(
            f"{path}: expected figures of a model, found none. Run `dvc repro` to make it again."
        )
    return content
