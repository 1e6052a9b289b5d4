"""The work of the stage `export`: choose a model, write it in every format, and measure each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from fuseline.config import Section
from fuseline.contracts import hash_file
from fuseline.data.dataset import MultimodalData
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.pieces import labelled_rows
from fuseline.evaluation.sampling import sample
from fuseline.evaluation.trust.conformal import conformal_quantiles, prediction_sets, set_figures
from fuseline.evaluation.trust.scope import Scope, nearest, unit
from fuseline.evaluation.trust.selective import choose_threshold
from fuseline.evaluation.trust.temperature import fit_temperature
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.base import Task
from fuseline.learning.tasks.labelled import Examples, build_tasks
from fuseline.learning.tasks.prediction import predict
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.params.export import AUTO, ExportParams
from fuseline.params.ingest import IngestParams
from fuseline.pipeline.metrics_file import read_metrics
from fuseline.pipeline.precision import make_deterministic
from fuseline.serving.contract import (
    BANK_FILE,
    CONTRACT_VERSION,
    MODEL_FILES,
    Beams,
    Certainty,
    ExportContract,
    Origin,
    ScopeFacts,
    read_contract,
    write_contract,
)
from fuseline.serving.exporting.attacked import write_attackable
from fuseline.serving.exporting.card import describe_export
from fuseline.serving.exporting.encoders import feature_inputs, text_input
from fuseline.serving.exporting.formats import (
    GraphModel,
    Judge,
    Replay,
    Setting,
    agreement,
    vectors,
)
from fuseline.serving.exporting.graphs import (
    exported_tasks,
    quantise,
    write_decoder_graph,
    write_model_graph,
)
from fuseline.serving.exporting.recommender import write_recommender
from fuseline.serving.exporting.reference import reference_scores
from fuseline.serving.exporting.shown import write_samples, write_thumbnails
from fuseline.serving.scores import write_reference
from fuseline.serving.sessions import Graph
from fuseline.serving.writing import TextWriter

ROBUST, REPLAYED = "robust_accuracy", "replayed_accuracy"
# Characters of a training row's text that are shown beside an answer.
TEXT_CHARACTERS = 200
# Two graphs of one model may differ so much in any output; more is a fault of the export.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class ExportInputs:
    """What an export reads.

    Attributes:
        models: folders of the fine-tuned models by name.
        evaluations: folder of their metrics files.
        examples, tokens: the tables of those names.
        features: folder with one features table per modality.
        interactions: table of events with the rows, for a task that learns from these.
    """

    models: Mapping[str, Path]
    evaluations: Path
    examples: Path
    tokens: Path
    features: Path
    interactions: Path | None = None


@dataclass(frozen=True)
class ExportSections:
    """The sections of the params that an export reads."""

    export: ExportParams
    evaluate: EvaluateParams
    ingest: IngestParams
    base: BaseParams

    def digest(self) -> str:
        """SHA-256 of their values."""
        sections: dict[str, Section] = {
            "export": self.export,
            "evaluate": self.evaluate,
            "ingest": self.ingest,
            "base": self.base,
        }
        values = {name: section.model_dump() for name, section in sections.items()}
        return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def export_model(
    inputs: ExportInputs, folder: Path, sections: ExportSections, work: Path
) -> dict[str, Any]:
    """Write `models/export`: the chosen model as Transformers has it, its graphs in float32 and in
    8-bit integers, those of its media encoders, the contract, a bank of training vectors,
    the scores of test rows, the card.

    Args:
        inputs: what is read.
        folder: of the export, not there yet.
        sections: of the params.
        work: folder for what is only tried.

    Returns:
        Figures of each format, of the prediction sets, and of the scope.

    Raises:
        ConfigError: no such figure to choose a model by.
        ContractError: a graph does not answer as its model does, or tables are not of one run.
    """
    evaluations = {name: inputs.evaluations / f"{name}.json" for name in inputs.models}
    name, figure = choose(evaluations, sections.export)
    export = _Export(inputs, folder, sections, name)
    steps = (
        *(export.write_graphs, export.fit, export.show, export.write_contract),
        *(export.write_reference, export.write_recommender, export.measure),
    )
    for step in tqdm(steps, desc=f"export {name}", unit="step"):
        step(work)
    describe_export(folder, name, figure, export.metrics)
    return export.metrics


def choose(evaluations: Mapping[str, Path], params: ExportParams) -> tuple[str, str]:
    """The model that the params ask for, and the figure that chose it (empty where none did); of
    equals the first."""
    if params.model != "best":
        return params.model, ""
    found = {name: read_metrics(path) for name, path in evaluations.items()}
    figure = params.select_by if params.select_by != AUTO else _default_figure(found)
    for name, figures in found.items():
        if not isinstance(figures.get(figure), int | float):
            numbers = [key for key, value in figures.items() if isinstance(value, int | float)]
            raise ConfigError(
                f"export.select_by: expected a figure of {evaluations[name]}"
                f" ({', '.join(sorted(numbers))}), found '{figure}'."
            )
    sign = 1 if _greater_is_better(found, figure) else -1
    return max(found, key=lambda name: sign * found[name][figure]), figure


def _default_figure(found: Mapping[str, dict[str, Any]]) -> str:
    first = next(iter(found.values()))
    if all(ROBUST in figures for figures in found.values()):
        return ROBUST
    return TASKS[first["task"]].selection_metric


def _greater_is_better(found: Mapping[str, dict[str, Any]], figure: str) -> bool:
    """Errors are better small."""
    kind = TASKS[next(iter(found.values()))["task"]]
    if figure == kind.selection_metric:
        return kind.greater_is_better
    return figure not in ("ece", "ece_raw", "attack_success_rate", "mae", "rmse")


class _Export:
    """One export as it grows."""

    def __init__(
        self, inputs: ExportInputs, folder: Path, sections: ExportSections, name: str
    ) -> None:
        make_deterministic(sections.base.seed, sections.base.num_threads)
        self.inputs, self.folder, self.sections, self.name = inputs, folder, sections, name
        self.params = sections.export
        self.batch_size = sections.evaluate.batch_size
        self.source = inputs.models[name]
        self.model = FuselineForTasks.from_pretrained(self.source).eval().requires_grad_(False)
        self.exported = exported_tasks(self.model.config)
        self.tasks: list[Task] = build_tasks(self.model.config.tasks)
        self.data, self.examples = labelled_rows(
            self.model.config, self.source, inputs, sections.base.modalities
        )
        self.metrics: dict[str, Any] = {}
        self.certainty: Certainty | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def write_graphs(self, _: Path) -> None:
        """The Transformers folder, and every graph."""
        for file in sorted(self.source.iterdir()):
            shutil.copyfile(file, self.folder / file.name)
        self.features = feature_inputs(self.model, self.inputs.features, self.folder)
        write_model_graph(self.model, self.exported, self.folder / MODEL_FILES["onnx"])
        quantise(self.folder / MODEL_FILES["onnx"], self.folder / MODEL_FILES["int8"])
        for head, task in zip(self.model.heads, self.exported, strict=True):
            if task.decoder:
                files = [self.folder / task.decoder.files[form] for form in MODEL_FILES]
                write_decoder_graph(head, files[0])
                quantise(*files)
        self.graph = self._graph("onnx")

    def fit(self, _: Path) -> None:
        """What says how sure an answer is, on the development rows."""
        self._fit_certainty()
        train, dev = (self.data.select(split) for split in ("train", "dev"))
        bank = train.take(sample(train.example_ids, self.params.max_bank_rows))
        known = unit(vectors(self.graph, bank, self.batch_size).astype(np.float16))
        _write_bank(self.folder / BANK_FILE, bank, known, self.examples)
        self.bank_ids = bank.example_ids
        self.known = known
        distances = np.zeros(0)
        if len(dev) and len(bank):
            others = unit(vectors(self.graph, dev, self.batch_size))
            distances = nearest(others, known, self.params.neighbours)[1][:, -1]
        self.scope = Scope.fitted(distances, self.params.neighbours, self.params.false_refusals)

    def show(self, _: Path) -> None:
        """What is shown of the data: thumbnails of the bank's rows, and samples to try."""
        write_thumbnails(self.folder, self.inputs.examples, self.bank_ids, self.params)
        write_samples(
            self.folder,
            self.inputs.examples,
            self.data.select("dev").example_ids,
            self.model.config.modalities,
            self.params,
        )

    def _fit_certainty(self) -> None:
        if self.tasks[0].kind != "classification":
            return
        dev = self.data.take(self.tasks[0].own_rows(self.data)).select("dev")
        if not len(dev):
            return
        found = predict(self.model, self.tasks[:1], dev, self.batch_size)[0]
        temperature = fit_temperature(found.outputs, found.data.labels)
        probabilities = self.tasks[0].probabilities(found.outputs / temperature)
        risk = self.sections.evaluate.trust.target_risk
        self.certainty = Certainty(
            temperature=temperature,
            threshold=choose_threshold(probabilities.max(-1), found.right, risk),
            target_risk=risk,
            coverage=self.params.coverage,
            quantiles=conformal_quantiles(probabilities, found.data.labels, self.params.coverage),
        )

    def write_contract(self, _: Path) -> None:
        """What answers are made by."""
        write_contract(
            self.folder,
            ExportContract(
                version=CONTRACT_VERSION,
                modalities=list(self.model.config.modalities),
                text=text_input(self.model.config, self.source),
                features=self.features,
                tasks=self.exported,
                beams=self.beams,
                certainty=self.certainty,
                scope=ScopeFacts(
                    neighbours=self.scope.neighbours,
                    quantiles=self.scope.quantiles,
                    false_refusals=self.scope.false_refusals,
                ),
                ingest=self.sections.ingest,
                origin=Origin(
                    model=self.name,
                    weights=hash_file(self.source / "model.safetensors"),
                    examples=hash_file(self.inputs.examples / "manifest.json"),
                    params=self.sections.digest(),
                ),
            ),
        )

    def write_reference(self, _: Path) -> None:
        """How the test rows are answered, which rows in use are compared with."""
        test = self.data.select("test")
        rows = test.take(sample(test.example_ids, self.params.max_bank_rows))
        contract = read_contract(self.folder)
        scores = reference_scores(self.graph, contract, self.known, rows, self.batch_size)
        write_reference(self.folder, scores)

    def measure(self, work: Path) -> None:
        """Every format on the test rows.

        Raises:
            ContractError: the graph in float32 does not answer as the model.
        """
        megabytes = {
            path.name: round(path.stat().st_size / 1e6, 1)
            for path in sorted(self.folder.glob("*.onnx"))
        }
        self.metrics = {"chosen": self.name, "megabytes": megabytes}
        first, target = self.tasks[0], self.model.config.tasks[0]["target"]
        own = self.data.take(first.own_rows(self.data)).select("test")
        judge = Judge(
            self.model,
            self.tasks,
            self.examples.cells(target, own),
            self.certainty.temperature if self.certainty else 1.0,
            self.sections.evaluate,
            self.sections.base.seed,
        )
        difference = judge.largest_difference(self.graph)
        if difference > TOLERANCE:
            raise ContractError(
                f"{MODEL_FILES['onnx']}: expected the outputs of models/{self.name} within"
                f" {TOLERANCE:g}, found {difference:g} apart. An operator of this model is exported"
                " wrongly: choose another pretrain.model.fusion.kind or encoder, and report it."
            )
        if first.rows_are_events:
            # Of items alone there is nothing to be right about; lists are for `evaluate`.
            self.metrics["onnx"] = {"largest_difference": difference}
            return
        self._measure_formats(judge, difference, work)
        if self.certainty:
            self._measure_sets(judge)

    def write_recommender(self, _: Path) -> None:
        """Vectors of items, and people's histories, of a model that recommends."""
        interactions = self.inputs.interactions
        if self.tasks[0].rows_are_events and interactions:
            write_recommender(
                self.model,
                self.data,
                self.inputs.examples,
                interactions,
                self.folder,
                self.params.thumbnail_pixels,
            )

    def _measure_formats(self, judge: Judge, difference: float, work: Path) -> None:
        first = self.tasks[0]
        figures, expected = judge.figures(self.model)
        formats = {"torch": figures}
        for name in MODEL_FILES:
            own, found = judge.figures(self._graph(name))
            formats[name] = own | ({"agreement": agreement(expected, found)} if found else {})
        formats["onnx"]["largest_difference"] = difference
        if first.rows_stand_alone:
            self._replay(judge, formats, work)
        self.metrics |= formats | _lost(formats, first)

    def _replay(self, judge: Judge, formats: dict[str, dict[str, Any]], work: Path) -> None:
        """What stands of an attack's inputs, found on the model and tried on every format."""
        base, params = self.sections.base, self.sections.evaluate.robustness.attack
        rows = judge.test.take(sample(judge.test.example_ids, self.params.max_attacked_rows))
        setting = Setting(base.precision, base.seed)
        replay = Replay.found(self.model, self.tasks[0], rows, params, setting)
        formats["torch"][REPLAYED] = replay.standing_of_model(self.model, setting)
        work.mkdir(parents=True, exist_ok=True)
        for name, file in MODEL_FILES.items():
            path = self._attackable(self.folder / file, work, replay.width)
            formats[name][REPLAYED] = replay.standing(self._graph(name, path))
        # They were only to be tried.
        shutil.rmtree(work)

    def _attackable(self, path: Path, work: Path, width: int) -> Path:
        if not width:
            return path
        write_attackable(path, work / path.name, width)
        return work / path.name

    @property
    def beams(self) -> Beams:
        """How texts are searched for."""
        params = self.sections.evaluate.generation
        return Beams(num_beams=params.num_beams, length_penalty=params.length_penalty)

    def _graph(self, form: str, path: Path | None = None) -> GraphModel:
        """A format of the model, with another graph in the place of its own where one is given."""
        writers = {
            place: TextWriter(
                Graph(self.folder / task.decoder.files[form], 1), task.decoder, self.beams
            )
            for place, task in enumerate(self.exported)
            if task.decoder
        }
        graph = Graph(path or self.folder / MODEL_FILES[form], 1)
        return GraphModel(graph, self.exported, self.features, writers)

    def _measure_sets(self, judge: Judge) -> None:
        assert self.certainty is not None  # the caller has looked
        found = judge.expected
        scaled = found.outputs / self.certainty.temperature
        sets = prediction_sets(self.tasks[0].probabilities(scaled), self.certainty.quantiles)
        self.metrics["prediction_sets"] = set_figures(sets, found.data.labels) | {
            "asked": self.certainty.coverage
        }


def _write_bank(path: Path, rows: MultimodalData, known: np.ndarray, examples: Examples) -> None:
    """Vectors of training rows, with what a person knows the rows by."""
    cells = examples.cells("label", rows)
    texts = [text and text[:TEXT_CHARACTERS] for text in cells.texts]
    values = pa.array(known.astype(np.float16).reshape(-1))
    table = pa.table(
        {
            "example_id": pa.array(rows.example_ids, pa.string()),
            "label": pa.array(cells.values, pa.string()),
            "text": pa.array(texts, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(values, max(known.shape[1], 1)),
        }
    )
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)


def _lost(formats: Mapping[str, dict[str, Any]], task: Task) -> dict[str, float]:
    """How much of the model's figures integers lose."""
    sign = 1 if task.greater_is_better else -1
    named = {task.selection_metric: sign, "accuracy": 1, REPLAYED: 1}
    return {
        f"int8_{name}_lost": sign * (formats["torch"][name] - formats["int8"][name])
        for name, sign in named.items()
        if name in formats["torch"]
    }
