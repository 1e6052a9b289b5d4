"""The model card: what a model is, what it was made of, and under which terms."""

from __future__ import annotations

import html
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from ruamel.yaml import YAML

from fuseline.config import Section
from fuseline.contracts import EXAMPLES, SPLITS, read_manifest, read_table
from fuseline.learning.model.configuration import FuselineConfig

CARD = "README.md"
TEMPLATE = "card.md.j2"
MAX_LISTED = 50
# What a model does with a row, by the kind of its task; a target follows.
SENTENCES = {
    "classification": "tells {number} labels apart, {target}",
    "generation": "writes a text, {target}",
    "multilabel": "says which of {number} labels hold, {target}",
    "ranking": "rates rows, so that a user's best come first, by {target}",
    "recommendation": "lists what a person takes next, by what that person took and what is taken",
    "regression": "estimates a number, {target}",
    "retrieval": "finds one modality of a row by another",
    "token_classification": "gives each word of a text one of {number} tags, {target}",
}
# Scores as the hub names metrics.
HUB_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "entity_f1": "f1",
    "mae": "mae",
    "r2": "r_squared",
    "auc": "roc_auc",
    "ndcg_at_10": "ndcg",
    "recall_at_1": "recall",
    "chrf": "chrf",
    "bleu": "bleu",
}
MAX_CHARACTERS = 200
# Names of licences as the Hugging Face hub spells them, by how people do, without signs.
HUB_LICENSES = {
    "apache20": "apache-2.0",
    "apachelicense20": "apache-2.0",
    "mit": "mit",
    "mitlicense": "mit",
    "bsd2clause": "bsd-2-clause",
    "bsd3clause": "bsd-3-clause",
    "cc0": "cc0-1.0",
    "cc010": "cc0-1.0",
    "ccby20": "cc-by-2.0",
    "ccby30": "cc-by-3.0",
    "ccby40": "cc-by-4.0",
    "ccbysa30": "cc-by-sa-3.0",
    "ccbysa40": "cc-by-sa-4.0",
    "ccbync40": "cc-by-nc-4.0",
    "ccbyncsa40": "cc-by-nc-sa-4.0",
    "ccbyncnd40": "cc-by-nc-nd-4.0",
    "ccbynd40": "cc-by-nd-4.0",
    "gpl30": "gpl-3.0",
    "odbl": "odbl",
    "pddl": "pddl",
}


def write_model_card(
    folder: Path,
    config: FuselineConfig,
    examples: Path,
    metrics: Mapping[str, Any],
    params: Section,
) -> None:
    """Write `README.md` in the form of a Hugging Face model card, beside a model.

    Nothing in it depends on the time, the machine or a path, and no text of the data can end a
    line, open a tag or begin a list.

    Args:
        folder: of the saved model.
        config: of the model.
        examples: the examples table; its manifest counts rows by licence and provenance.
        metrics: of the stage, with the figures of the best epoch under `dev`.
        params: the stage's section; one with an `attack` makes the model an adversarial one.
    """
    manifest = read_manifest(examples, "examples")
    values = params.model_dump()
    licenses = _most_common(manifest.get("licenses", {}))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.filters["raw"] = Markup
    card = environment.get_template(TEMPLATE).render(
        front_matter=_front_matter(config, manifest, licenses, metrics["dev"], "attack" in values),
        title="Adversarially fine-tuned model" if "attack" in values else "Fine-tuned model",
        attack="attack" in values,
        modalities=config.modalities,
        tasks=[_described(task) for task in config.tasks],
        classifies=config.tasks[0]["kind"] == "classification",
        has_labels=any("labels" in task["facts"] for task in config.tasks),
        source=manifest.get("source", "not stated"),
        splits=_rows_by_split(examples),
        licenses=licenses,
        provenances=_most_common(manifest.get("provenances", {})),
        dev=dict(sorted(metrics["dev"].items())),
        model=_architecture(config),
        params=dict(_leaves(values)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).write_text(re.sub(r"\n{3,}", "\n\n", card), encoding="utf-8", newline="\n")


def escape_markdown(text: str) -> str:
    """Text on one line, with nothing in it that Markdown or HTML would act upon; long text is
    cut, and control and direction signs are dropped."""
    line = " ".join(text.split())
    plain = "".join(sign for sign in line if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    cut = plain if len(plain) <= MAX_CHARACTERS else plain[:MAX_CHARACTERS] + "…"
    return html.escape(re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", cut), quote=False)


def _described(task: Mapping[str, Any]) -> Markup:
    """What a task does, with its target and classes if it has any."""
    labels = task["facts"].get("labels", [])
    sentence = SENTENCES[task["kind"]].format(
        number=len(labels), target=f"“{escape_markdown(str(task['target']))}”"
    )
    if not labels:
        return Markup(sentence)
    listed = "; ".join(map(escape_markdown, labels[:MAX_LISTED]))
    return Markup(f"{sentence}: {listed}" + ("; and others" if len(labels) > MAX_LISTED else ""))


def _shown(value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return escape_markdown(str(value))


def _front_matter(
    config: FuselineConfig,
    manifest: Mapping[str, Any],
    licenses: list[tuple[str, int]],
    dev: Mapping[str, float],
    adversarial: bool,
) -> str:
    """The card's YAML head, fences included."""
    named = [hub_license(name) for name, _ in licenses if name]
    languages = [
        name for name in manifest.get("languages", []) if re.fullmatch(r"[a-z]{2,3}", name)
    ]
    scores = [name for figure, name in HUB_METRICS.items() if figure in dev]
    # The hub's spelling where it has the task. No `pipeline_tag`: what it stands for could not load
    # such a model, nor feed it several modalities.
    kinds = [task["kind"].replace("_", "-") for task in config.tasks]
    head = {
        "library_name": "transformers",
        "license": sorted(set(named)) or ["unknown"],
        **({"language": languages} if languages else {}),
        **({"metrics": scores} if scores else {}),
        "tags": [
            "fuseline",
            "multimodal",
            *dict.fromkeys(kinds),
            *config.modalities,
            *(["adversarial-training"] if adversarial else []),
        ],
    }
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(head, stream)
    return f"---\n{stream.getvalue()}---"


def hub_license(name: str) -> str:
    """A licence as the Hugging Face hub spells it, `other` where it has no name there."""
    return HUB_LICENSES.get(re.sub(r"[^a-z0-9]", "", name.casefold()), "other")


def _most_common(rows: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names by their number of rows, at most 50."""
    ordered = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    others = sum(count for _, count in ordered[MAX_LISTED:])
    return ordered[:MAX_LISTED] + ([("all others", others)] if others else [])


def _rows_by_split(examples: Path) -> dict[str, int]:
    column = read_table(examples, EXAMPLES, "examples", ["split"]).column("split")
    found = {item["values"]: item["counts"] for item in pc.value_counts(column).to_pylist()}
    return {split: found.get(split, 0) for split in SPLITS}


def _architecture(config: FuselineConfig) -> dict[str, str]:
    """The model's parts in words."""
    parts = {"width": str(config.hidden_size)}
    if config.text_config:
        parts["text encoder"] = str(config.text_config.get("model_type", "not stated"))
    for name, shape in sorted(config.features.items()):
        parts[f"{name} features"] = f"{shape['positions']} positions of {shape['dim']}"
    image_layers = config.image_encoder["top_layers"] if config.image_encoder else 0
    if image_layers:
        parts["image layers of its own"] = str(image_layers)
    parts |= {f"fusion {name}": str(value) for name, value in sorted(config.fusion.items())}
    parts |= {
        f"freezing {name}": value
        for name, value in sorted(_leaves(config.freezing))
        if image_layers or "image_" not in name
    }
    return parts


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:g}" if isinstance(value, float) else str(value)
