"""All sections together, for the check that runs before any work begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fuseline.config import PARAMS_FILE, Section, parse_section
from fuseline.errors import ConfigError
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.attack import PIXEL_SPACE, SPACE_OF, strange_radius
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.export import ExportParams
from fuseline.params.extract_features import ExtractFeaturesParams
from fuseline.params.finetune import FinetuneParams
from fuseline.params.ingest import IngestParams
from fuseline.params.leakage import LeakageParams
from fuseline.params.pretrain import PretrainParams
from fuseline.params.prompt import PromptParams
from fuseline.params.report import ReportParams
from fuseline.params.stress import StressParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.registry import suggestion

SECTIONS: dict[str, type[Section]] = {
    "base": BaseParams,
    "ingest": IngestParams,
    "tokenize": TokenizeParams,
    "extract_features": ExtractFeaturesParams,
    "pretrain": PretrainParams,
    "prompt": PromptParams,
    "finetune": FinetuneParams,
    "adversarial_finetune": AdversarialFinetuneParams,
    "evaluate": EvaluateParams,
    "stress": StressParams,
    "leakage": LeakageParams,
    "report": ReportParams,
    "export": ExportParams,
}


def set_keys(content: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Give dotted keys of nested mappings other values; nothing is changed where one fails.

    Raises:
        KeyError: the first key that is not there.
    """
    places = [(_place(content, key), key.rpartition(".")[2]) for key in values]
    for (place, last), value in zip(places, values.values(), strict=True):
        place[last] = value


def _place(content: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping that holds a dotted key."""
    place: Any = content
    *sections, last = key.split(".")
    for section in sections:
        place = place.get(section) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        raise KeyError(key)
    return place


def _unreachable_spaces(content: dict[str, Any]) -> Iterator[str]:
    """Attacks whose every space belongs to a modality that takes no part."""
    reachable = {SPACE_OF[name] for name in content["base"]["modalities"]}
    attacks = _attacks(content)
    # Measured where there are pictures, and only there.
    del attacks["evaluate.robustness.image_pixel.attack"]
    if content["pretrain"]["adversarial"]["method"] == "none":
        del attacks["pretrain.adversarial.attack"]
    for key, attack in attacks.items():
        spaces = {SPACE_OF["image"] if name == PIXEL_SPACE else name for name in attack["epsilon"]}
        if not reachable & spaces:
            yield (
                f"{PARAMS_FILE}: {key}.epsilon: expected a radius for"
                f" {' or '.join(sorted(reachable))},"
                f" since base.modalities has {', '.join(content['base']['modalities'])}; found"
                f" only {', '.join(attack['epsilon'])}."
            )


def _radii_of_another_unit(content: dict[str, Any]) -> Iterator[str]:
    """Such a radius makes an attack that does nothing, and reads as robustness, or one that is no
    longer small."""
    side = content["extract_features"]["image"]["image_size"]
    for key, attack in _attacks(content).items():
        for space, radius in attack["epsilon"].items():
            if wrong := strange_radius(space, attack["norm"], radius, side):
                yield f"{PARAMS_FILE}: {key}.epsilon.{space}: {wrong}"


def _attacks(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every attack of the params, by its key."""
    robustness = content["evaluate"]["robustness"]
    return {
        "pretrain.adversarial.attack": content["pretrain"]["adversarial"]["attack"],
        "adversarial_finetune.attack": content["adversarial_finetune"]["attack"],
        "evaluate.robustness.attack": robustness["attack"],
        "evaluate.robustness.image_pixel.attack": robustness["image_pixel"]["attack"],
        "stress.transfer.attack": content["stress"]["transfer"]["attack"],
    }


def _patches_without_layers(content: dict[str, Any]) -> Iterator[str]:
    image = content["extract_features"]["image"]
    if image["encoder"] == "patches" and image["top_layers"]:
        yield (
            f"{PARAMS_FILE}: extract_features.image.top_layers: 'patches' are pixels and have no"
            f" layers, found {image['top_layers']}. Use 0."
        )


def _pictures_without_place(content: dict[str, Any]) -> Iterator[str]:
    source, most = content["ingest"]["source"], content["ingest"]["limits"]["max_images"]
    names = content["ingest"][source].get("columns", {}).get("image")
    if isinstance(names, list) and len(names) > most:
        yield (
            f"{PARAMS_FILE}: ingest.limits.max_images: expected a place for each picture of a row,"
            f" of which ingest.{source}.columns.image names {len(names)} ({', '.join(names)});"
            f" found {most}. Set it to {len(names)}."
        )


def _several_pictures_below_layers(content: dict[str, Any]) -> Iterator[str]:
    image, limits = content["extract_features"]["image"], content["ingest"]["limits"]
    if image["top_layers"] and limits["max_images"] > 1:
        yield (
            f"{PARAMS_FILE}: extract_features.image.top_layers: the model trains image layers over"
            f" one picture a row, but ingest.limits.max_images is {limits['max_images']}; found"
            f" {image['top_layers']}. Use 0."
        )


def _adapters_without_layers(content: dict[str, Any]) -> Iterator[str]:
    modalities = content["base"]["modalities"]
    if content["finetune"]["freezing"]["policy"] == "lora" and "text" not in modalities:
        yield (
            f"{PARAMS_FILE}: finetune.freezing.policy: 'lora' adapts the text encoder, but"
            f" base.modalities has only {', '.join(modalities)}. Use 'all' or 'none'."
        )
    held = "image" in modalities and content["extract_features"]["image"]["top_layers"]
    if content["finetune"]["freezing"]["image_policy"] == "lora" and not held:
        yield (
            f"{PARAMS_FILE}: finetune.freezing.image_policy: 'lora' adapts image layers, but the"
            " model holds none. Set extract_features.image.top_layers above 0, with image among"
            " base.modalities, or use 'none'."
        )


def _prompts_without_media(content: dict[str, Any]) -> Iterator[str]:
    modalities, over = content["base"]["modalities"], content["prompt"]["class_prompts"]["over"]
    if over == "media" and modalities == ["text"]:
        yield (
            f"{PARAMS_FILE}: prompt.class_prompts.over: 'media' compares prompts with pictures,"
            " sound or the like, but base.modalities has only text. Use 'text' or 'both'."
        )


def targets_of(content: Mapping[str, Any]) -> list[str] | None:
    """Names of what the source gives to learn; None of one that has whatever is asked of it."""
    source = content["ingest"]["source"]
    if source == "synthetic":
        return None
    columns = content["ingest"][source].get("columns", {"label": "label", "targets": {}})
    return [*(["label"] if columns["label"] else []), *columns["targets"]]


def _targets_of_no_column(content: dict[str, Any]) -> Iterator[str]:
    """What a task is to learn, but the source does not give: else found after pre-training."""
    source, known = content["ingest"]["source"], targets_of(content)
    if known is None:
        return
    for place, task in enumerate(content["finetune"]["tasks"]):
        if task["target"] is not None and task["target"] not in known:
            yield (
                f"{PARAMS_FILE}: finetune.tasks[{place}].target: expected one of"
                f" {', '.join(known) or 'none'}, which the source '{source}' gives; found"
                f" '{task['target']}'.{suggestion(task['target'], known)} Name further columns in"
                " its `columns.targets`."
            )


def _slices_of_no_column(content: dict[str, Any]) -> Iterator[str]:
    """Columns to slice the test rows by that the source lacks: else found after training."""
    source = content["ingest"]["source"]
    if source == "synthetic":
        return
    columns = content["ingest"][source].get("columns", {"tabular": [], "targets": {}})
    known = ["lang", "provenance", *columns["tabular"], *columns["targets"]]
    for place, name in enumerate(content["evaluate"]["trust"]["slices"]):
        if name not in known:
            yield (
                f"{PARAMS_FILE}: evaluate.trust.slices[{place}]: expected one of"
                f" {', '.join(known)}, which the source '{source}' gives; found '{name}'."
                f"{suggestion(name, known)} Name further columns in its `columns.tabular` or"
                " `columns.targets`."
            )


def check(content: dict[str, Any]) -> None:
    """Validate every section.

    Raises:
        ConfigError: naming each wrong, missing or unknown key with its full path.
    """
    problems = [
        f"{PARAMS_FILE}: unknown section '{name}'. Valid sections: {', '.join(SECTIONS)}."
        f"{suggestion(name, list(SECTIONS))}"
        for name in content
        if name not in SECTIONS
    ]
    for name, kind in SECTIONS.items():
        try:
            parse_section(content, name, kind)
        except ConfigError as error:
            problems.append(str(error))
    if not problems:
        problems = [
            *_unreachable_spaces(content),
            *_radii_of_another_unit(content),
            *_adapters_without_layers(content),
            *_patches_without_layers(content),
            *_pictures_without_place(content),
            *_several_pictures_below_layers(content),
            *_prompts_without_media(content),
            *_targets_of_no_column(content),
            *_slices_of_no_column(content),
        ]
    if problems:
        raise ConfigError("\n".join(problems))
