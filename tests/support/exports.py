"""Small models of any tasks, trained on a few made-up rows and exported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from fuseline.data.dataset import MultimodalData
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.data.sources import SOURCES
from fuseline.evaluation.pieces import labelled_rows
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.tasks.labelled import Examples
from fuseline.learning.training.finetune import finetune
from fuseline.learning.training.pretrain import pretrain
from fuseline.params.finetune import FinetuneParams, TaskParams
from fuseline.serving.exporting.run import ExportInputs, ExportSections, export_model
from fuseline.serving.predictor import Cleaned, Predictor
from tests.support.every_stage import Stages

MODALITIES = ["text", "image", "tabular"]
SMALL = {
    "base.modalities": MODALITIES,
    "ingest.synthetic.modalities": MODALITIES,
    "export.model": "finetuned",
    "export.max_attacked_rows": 4,
    "evaluate.robustness.attack.num_steps": 1,
}


class Tables:
    """Rows with every kind of target, as the stages before training leave them.

    Args:
        root: folder of all that is made.
        changes: of keys of the small params.
    """

    def __init__(self, root: Path, **changes: Any) -> None:
        self.stages = stages = Stages(root, **SMALL | changes)
        params = stages.params
        ingest_examples(params["ingest"], stages.examples, stages.quarantine, raw=root / "raw")
        tokenize_examples(stages.examples, stages.tokens, stages.tokenizer, params["tokenize"])
        for name, extract in EXTRACTORS.items():
            section = getattr(params["extract_features"], name)
            extract(stages.examples, stages.features / name, section, "fp32")
        pretrain(
            stages.tokens,
            stages.tokenizer,
            stages.features,
            root / "pretrained",
            params=params["pretrain"],
            base=params["base"],
            work=root / "work" / "pretrain",
        )

    def model(
        self, name: str, *tasks: tuple[str, str | None], controls: Sequence[str] = ()
    ) -> Exported:
        """A model of tasks, each a kind and its target, whose texts obey controls."""
        shipped = self.stages.params["finetune"]
        changes = {
            "tasks": [TaskParams(kind=kind, target=one, weight=1.0) for kind, one in tasks],  # type: ignore[arg-type]
            "generation": shipped.generation.model_copy(update={"controls": list(controls)}),
        }
        return Exported(self.stages, name, shipped.model_copy(update=changes))


class Exported:
    """A model, the rows that it learnt from, and its export.

    Attributes:
        folder: of the export.
        metrics: of the stage.
    """

    def __init__(self, stages: Stages, name: str, params: FinetuneParams) -> None:
        self.stages = stages
        self.source = stages.root / name
        finetune(
            stages.root / "pretrained",
            stages.examples,
            stages.tokens,
            stages.features,
            self.source,
            params=params,
            base=stages.params["base"],
            work=stages.root / "work" / name,
        )
        self.folder = stages.root / f"{name}-export"
        sections = {one: stages.params[one] for one in ("export", "evaluate", "ingest", "base")}
        self.metrics = export_model(
            ExportInputs(
                {"finetuned": self.source},
                stages.metrics,
                stages.examples,
                stages.tokens,
                stages.features,
            ),
            self.folder,
            ExportSections(**sections),
            stages.root / "work" / f"{name}-export",
        )

    @cached_property
    def model(self) -> FuselineForTasks:
        return FuselineForTasks.from_pretrained(self.source).eval()

    @cached_property
    def _rows(self) -> tuple[MultimodalData, Examples]:
        inputs = ExportInputs(
            {}, self.stages.metrics, self.stages.examples, self.stages.tokens, self.stages.features
        )
        return labelled_rows(
            self.model.config, self.source, inputs, self.stages.params["base"].modalities
        )

    @property
    def test(self) -> MultimodalData:
        """The test rows."""
        return self._rows[0].select("test")

    @property
    def examples(self) -> Examples:
        return self._rows[1]

    def raw(self, predictor: Predictor, data: MultimodalData) -> list[Cleaned]:
        """Rows as they came in, in the order of `data`, cleaned anew."""
        source = SOURCES["synthetic"](self.stages.params["ingest"])
        found = {row.example_id: predictor.clean(row) for row in source.rows()}
        return [found[one] for one in data.example_ids]  # type: ignore[misc]
