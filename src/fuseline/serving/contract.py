"""What an export says of itself: `models/export/contract.json`, read by all that answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fuseline.config import Section
from fuseline.contracts import write_json
from fuseline.errors import ConfigError
from fuseline.params.ingest import IngestParams

CONTRACT_FILE = "contract.json"
CONTRACT_VERSION = 2
MODEL_FILES = {"onnx": "model.onnx", "int8": "model.int8.onnx"}
BANK_FILE = "bank.parquet"
# Name of the fused vector among the outputs of the model's graph.
VECTOR = "vector"


class TextInput(Section):
    """How texts become token ids."""

    tokenizer: str
    max_length_tokens: int
    pad_token_id: int


class FeatureInput(Section):
    """How a medium or the cells of a row become features (positions, dim).

    Attributes:
        shortest: positions that are enough for rows that all lack it.
        places: media of the kind that a row may have, each with positions of its own.
        encoder: name of what makes them.
        file: of its ONNX graph; null where it is not a network.
        settings: what else it needs: of pictures `image_size`, of videos `num_frames` too, of
            sounds `sampling_rate` and `num_mels`, of cells the fitted `columns`.
    """

    positions: int
    dim: int
    shortest: int
    places: int
    encoder: str
    file: str | None
    settings: dict[str, Any]


class ControlFacts(Section):
    """The tokens that ask for one control.

    Attributes:
        name: of the control.
        any: token that leaves it open.
        values: tokens of what can be asked for.
    """

    name: str
    any: int
    values: dict[str, int]


class DecoderFacts(Section):
    """The graph that writes a task's texts, one token at a time: see `TextWriter` of
    `fuseline.serving.writing`.

    Attributes:
        files: of the graph by format.
        memory: outputs of the model's graph beside the task's own, the mask of the states to write
            from: of each layer of the decoder the keys, then the values of these states.
        num_heads, head_size: their shape.
        max_length_tokens: of a text, its end counted.
        special_tokens: ids of `pad`, `cls`, which begins a text, `sep`, which ends it, and `mask`.
        controls: what the texts can be asked to be like, in the order of their tokens.
    """

    files: dict[str, str]
    memory: list[str]
    num_heads: int
    head_size: int
    max_length_tokens: int
    special_tokens: dict[str, int]
    controls: list[ControlFacts]


class ExportedTask(Section):
    """One task: its kind, what was learnt of its target, and which outputs of the graph it has.

    Attributes:
        output: of its logits; of a task that writes texts the mask of the states to write from.
        by_modality: outputs of the logits of each modality alone, by modality; may be empty.
        decoder: of a task that writes texts.
    """

    name: str
    kind: str
    facts: dict[str, Any]
    output: str
    by_modality: dict[str, str]
    decoder: DecoderFacts | None = None


class Beams(Section):
    """How texts are searched for: `evaluate.generation` of the params. One beam is greedy."""

    num_beams: int
    length_penalty: float


class Certainty(Section):
    """How sure a classification is, fitted on the development rows.

    Attributes:
        temperature: divides its logits.
        threshold: least probability of an answer that counts as sure.
        target_risk: share of wrong answers that the threshold was chosen for.
        coverage: of the prediction sets.
        quantiles: of the classes, by `conformal_quantiles`.
    """

    temperature: float
    threshold: float
    target_risk: float
    coverage: float
    quantiles: list[float]


class ScopeFacts(Section):
    """See `Scope` of `fuseline.evaluation.trust.scope`."""

    neighbours: int
    quantiles: list[float]
    false_refusals: float


class Origin(Section):
    """What the export was made of: SHA-256 of the chosen model's weights, of the manifests of the
    tables and of the params, none of which names a time or a machine."""

    model: str
    weights: str
    examples: str
    params: str


class ExportContract(Section):
    """All that is needed to answer as the pipeline would."""

    version: int
    modalities: list[str]
    text: TextInput | None
    features: dict[str, FeatureInput]
    tasks: list[ExportedTask]
    beams: Beams | None = None
    certainty: Certainty | None
    scope: ScopeFacts
    ingest: IngestParams
    origin: Origin

    @property
    def inputs(self) -> set[str]:
        """What of a row is read: the modalities, and of a model of sounds also videos."""
        return {*self.modalities} | ({"video"} if "audio" in self.modalities else set())

    @property
    def cells(self) -> list[str]:
        """Table columns that are read."""
        facts = self.features.get("tabular")
        return [one["name"] for one in facts.settings.get("columns", [])] if facts else []

    def prefix(self, number: int) -> str:
        """What the columns of a task begin with: those of the first with nothing."""
        return f"{self.tasks[number].name}." if number else ""


def write_contract(folder: Path, contract: ExportContract) -> None:
    """Write it whole."""
    write_json(folder / CONTRACT_FILE, contract.model_dump())


def read_contract(folder: Path) -> ExportContract:
    """Read it.

    Raises:
        ConfigError: the folder holds no export, or one of another version.
    """
    path = folder / CONTRACT_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: not found. Name the folder of an exported model, such as models/export; `dvc"
            " repro export` makes it, `dvc pull` fetches it."
        ) from None
    except ValueError as error:
        raise ConfigError(f"{path}: not readable as JSON: {error}") from None
    found = content.get("version") if isinstance(content, dict) else None
    if found != CONTRACT_VERSION:
        raise ConfigError(
            f"{path}: expected version {CONTRACT_VERSION}, found {found}. Export the model again"
            " with `dvc repro export`, or use the release of fuseline that made it."
        )
    try:
        return ExportContract.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path}: {where}: {first['msg']}. Export the model again with `dvc repro export`."
        ) from None
