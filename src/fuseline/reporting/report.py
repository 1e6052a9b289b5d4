"""The report: one offline page with figures, charts and example rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fuseline.contracts import read_manifest
from fuseline.data.notices import read_notices
from fuseline.errors import ContractError
from fuseline.learning.training.remarks import remarks_on
from fuseline.params.base import MODALITIES
from fuseline.params.report import ReportParams
from fuseline.pipeline.metrics_file import read_metrics
from fuseline.reporting.answer.choice import passed_audit
from fuseline.reporting.answer.measured import Model
from fuseline.reporting.answer.read import read_answer
from fuseline.reporting.charts import (
    confusion_chart,
    history_chart,
    robustness_chart,
)
from fuseline.reporting.figures import (
    FIGURES,
    RIGHT,
    labels_without_rows,
    named_figures,
    other_figures,
    points,
    shown,
    title,
)
from fuseline.reporting.sections.data import read_data_section
from fuseline.reporting.sections.examples import Example, choose_examples, read_predictions
from fuseline.reporting.sections.leakage import read_leakage_section
from fuseline.reporting.sections.prompt import read_prompt_section
from fuseline.reporting.sections.recommendations import read_recommendations_section
from fuseline.reporting.sections.stress import StressSection, read_stress_section
from fuseline.reporting.sections.trust import read_trust_section

TEMPLATE = "report.html.j2"
TITLES = {
    "finetuned": "Fine-tuned",
    "adversarial": "Adversarial",
    "pretrain": "Pre-training",
    "finetune": "Fine-tuning",
    "adversarial_finetune": "Adversarial fine-tuning",
}
# What the page has below the answer, in its order: each has a template in `sections` that bears the
# name of its anchor.
PARTS = {
    "recommendations": "Recommendations",
    "scores": "Scores",
    "tasks": "Further tasks",
    "presence": "By what a row holds",
    "robustness": "Robustness",
    "stress": "Inputs that go wrong",
    "trust": "Can it be trusted?",
    "curves": "Learning curves",
    "confusion": "Where it errs",
    "labels": "By label",
    "prompt": "Few labelled rows",
    "data": "Data",
    "leakage": "Leakage",
    "examples": "Example rows",
}
ATTRIBUTIONS = {
    "emoji": "Pictures: OpenMoji (openmoji.org), licence CC BY-SA 4.0.",
}


@dataclass(frozen=True)
class ReportInputs:
    """What the report reads.

    Attributes:
        metrics: folder of metrics files.
        predictions: folder of predictions tables, one per model.
        examples, quarantine, leakage: the tables of those names.
        plots: folder of plot data, one folder per model.
        history: folder of curves by epoch, one CSV per training stage.
    """

    metrics: Path
    predictions: Path
    examples: Path
    quarantine: Path
    leakage: Path
    plots: Path
    history: Path


@dataclass(frozen=True)
class Evaluated:
    """One model's metrics; `confusion` is None where its task has no such chart."""

    name: str
    title: str
    metrics: dict[str, Any]
    confusion: Markup | None

    def only(self, prefix: str = "") -> list[tuple[str, dict[str, float]]]:
        """Modality and scores with that one alone; of the twin with the prefix `twin_`."""
        # Metrics have text and image alone whatever the rows hold.
        there = self.metrics.get("modalities", MODALITIES)
        named = ((name, f"{prefix}{name}_only") for name in MODALITIES if name in there)
        return [(name, self.metrics[key]) for name, key in named if key in self.metrics]


@dataclass(frozen=True)
class Curve:
    """Charts of one training stage: losses, and figures that are shares or of other units; and what
    is to be said of them."""

    title: str
    charts: list[Markup]
    remarks: list[str]


def write_report(inputs: ReportInputs, out: Path, params: ReportParams) -> None:
    """Write the page. All text of rows is escaped; the page loads and runs nothing.

    Raises:
        ContractError: a table or metrics file is missing, or they are not of one run.
    """
    models = _read_models(inputs)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "points": points}
    environment.filters |= {"shown": shown, "called": title, "figures": _all_figures}
    content = _content(inputs, models, params)
    page = environment.get_template(TEMPLATE).render(
        **content, parts=_parts(content), titles=PARTS, models=models
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")


@dataclass(frozen=True)
class Part:
    """A folded part of the page."""

    anchor: str
    title: str


def _content(inputs: ReportInputs, models: list[Evaluated], params: ReportParams) -> dict[str, Any]:
    """What the templates name, besides the models."""
    first = models[0].metrics
    named = named_figures(first)
    metrics = {
        name: read_metrics(inputs.metrics / f"{name}.json")
        for name in ("ingest", "leakage", "prompt", "stress")
    }
    leakage = read_leakage_section(
        metrics["leakage"], inputs.leakage, inputs.examples, params.num_pairs
    )
    recommendations = read_recommendations_section(
        {model.title: model.metrics for model in models}, metrics["ingest"]
    )
    return {
        "recommendations": recommendations,
        # All that is measured of lists stands in their own part.
        "scores": recommendations is None,
        "answer": read_answer(
            [Model(model.name, model.title, model.metrics) for model in models],
            metrics,
            read_notices(inputs.metrics),
            leakage.verdicts,
        ),
        "known": FIGURES,
        "named": named,
        "without_rows": labels_without_rows(first),
        "plain": [title(name) for name in named if not FIGURES[name].is_share],
        "others": other_figures(first),
        "right": RIGHT.get(first["task"]),
        "tasks": first.get("further_tasks"),
        "presence": _patterns(models),
        "data": read_data_section(metrics["ingest"], inputs.examples, inputs.quarantine),
        "leakage": leakage,
        "prompt": read_prompt_section(metrics["prompt"]),
        "robustness": _robustness(models),
        "stress": _stress(metrics["stress"], models),
        "trust": read_trust_section(
            {model.title: model.metrics for model in models},
            {model.title: inputs.plots / model.name for model in models},
        ),
        "pixels": all("image_pixel" in model.metrics.get("robustness", {}) for model in models),
        "audited": all(passed_audit(model.metrics) for model in models),
        "curves": _curves(inputs.history),
        "confusion": models[0].confusion,
        "labels": first.get("per_class") or first.get("thresholds"),
        "examples": _examples(inputs, models, params),
        "attribution": ATTRIBUTIONS.get(
            read_manifest(inputs.examples, "examples").get("source", "")
        ),
    }


def _stress(metrics: dict[str, Any], models: list[Evaluated]) -> StressSection | None:
    section = read_stress_section(metrics, {model.name: model.title for model in models})
    return None if section.is_empty else section


def _examples(inputs: ReportInputs, models: list[Evaluated], params: ReportParams) -> list[Example]:
    predictions = {
        model.title: read_predictions(inputs.predictions / model.name) for model in models
    }
    # Only calibrated probabilities say how sure a model is.
    are_sure = "ece" in models[0].metrics
    return choose_examples(predictions, inputs.examples, params.num_examples, are_sure=are_sure)


def _parts(content: Mapping[str, Any]) -> list[Part]:
    """Those that have something to show."""
    return [Part(anchor, name) for anchor, name in PARTS.items() if content.get(anchor, True)]


def _read_models(inputs: ReportInputs) -> list[Evaluated]:
    """The evaluated models, plain fine-tuning first."""
    files = sorted((inputs.metrics / "evaluate").glob("*.json"), key=_plain_first)
    if not files:
        raise ContractError(
            f"{inputs.metrics / 'evaluate'}: no metrics of any model. Run `dvc repro evaluate`."
        )
    return [_read_model(path) for path in files]


def _plain_first(path: Path) -> tuple[bool, str]:
    return path.stem != "finetuned", path.stem


def _read_model(path: Path) -> Evaluated:
    metrics = read_metrics(path)
    confusion = None
    if "confusion_matrix" in metrics:
        # The charts escape their text; everything else is escaped by the template.
        confusion = Markup(confusion_chart(metrics["labels"], metrics["confusion_matrix"]))
    return Evaluated(path.stem, _title(path.stem), metrics, confusion)


def _robustness(models: list[Evaluated]) -> Markup | None:
    if "robustness" not in models[0].metrics:
        return None
    rows = [
        {"model": model.title, **point}
        for model in models
        for point in model.metrics["robustness"]["curve"]
    ]
    epsilon = models[0].metrics["robustness"]["epsilon"]
    named = ", ".join(f"{space} {value:g}" for space, value in sorted(epsilon.items()))
    return Markup(robustness_chart(rows, named))


def _curves(folder: Path) -> list[Curve]:
    order = {name: place for place, name in enumerate(TITLES)}
    files = sorted(folder.glob("*.csv"), key=lambda path: (order.get(path.stem, 99), path.stem))
    return [curve for path in files if (curve := _curve(path)) is not None]


def _curve(path: Path) -> Curve | None:
    history = pd.read_csv(path)
    history["series"] = history["split"] + " " + history["metric"].str.replace("_", " ")
    loss = history[history["metric"].str.endswith("loss")]
    quality = history[history["metric"].isin(list(FIGURES)) & (history["split"] == "dev")]
    shares = quality["metric"].map(lambda name: FIGURES[name].is_share).astype(bool)
    if loss.empty:
        return None
    parts = [(loss, "loss"), (quality[shares], "dev split"), (quality[~shares], "dev split")]
    charts = [
        Markup(history_chart(_rows(_distinct(part)), title)) for part, title in parts if len(part)
    ]
    return Curve(_title(path.stem), charts, remarks_on(path.stem, _by_epoch(history)))


def _by_epoch(history: pd.DataFrame) -> list[dict[str, float]]:
    """Development figures as training had them."""
    dev = history[history["split"] == "dev"]
    return [
        {"epoch": float(str(epoch))}
        | {
            f"eval_{name}": float(value)
            for name, value in zip(of["metric"], of["value"], strict=True)
        }
        for epoch, of in dev.groupby("epoch", sort=True)
    ]


def _distinct(history: pd.DataFrame) -> pd.DataFrame:
    """Without curves that would hide under another: the share of right rows is the accuracy of a
    classification."""
    curves = history.pivot_table(index="series", columns="epoch", values="value", sort=True)
    kept = curves.drop_duplicates().index
    return history[history["series"].isin(kept)]


def _rows(history: pd.DataFrame) -> list[dict[str, Any]]:
    columns = history[["epoch", "series", "value"]].to_dict("list")
    return [
        {"epoch": epoch, "series": series, "value": value}
        for epoch, series, value in zip(*columns.values(), strict=True)
    ]


def _patterns(models: list[Evaluated]) -> list[str]:
    """Which modalities test rows hold together, the most frequent pattern first."""
    presence = models[0].metrics.get("presence", {})
    held = [pattern for pattern in presence if presence[pattern]["rows"]]
    return sorted(held, key=lambda pattern: (-presence[pattern]["rows"], pattern))


def _all_figures(scores: dict[str, float]) -> list[str]:
    return [*named_figures(scores), *other_figures(scores)]


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
