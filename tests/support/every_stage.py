"""Every stage's package function, one after another, on few rows and small params."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fuseline.config import parse_section, read_yaml
from fuseline.data.ingest import ingest_examples
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.data.modalities.text.tokenizer import tokenize_examples
from fuseline.evaluation.evaluate import evaluate_model, headline
from fuseline.evaluation.leakage.measure import measure_leakage
from fuseline.evaluation.pieces import EvaluationInputs
from fuseline.evaluation.stress.run import StressInputs, stress_models
from fuseline.evaluation.twins.baseline import BaselineInputs, measure_baseline
from fuseline.learning.prompting.run import PromptInputs, prompt
from fuseline.learning.training.adversarial_finetune import adversarial_finetune
from fuseline.learning.training.finetune import finetune
from fuseline.learning.training.history import write_history
from fuseline.learning.training.pretrain import pretrain
from fuseline.params.whole import SECTIONS, set_keys
from fuseline.pipeline.metrics_file import write_metrics
from fuseline.reporting.report import ReportInputs, write_report
from tests.support.repository import PARAMS_FILE
from tests.support.workspace import SMALL_PARAMS


class Stages:
    """What the scripts of `stages/` do, but for their frame.

    Args:
        root: of all outputs.
        changes: of keys of the small params.
    """

    def __init__(self, root: Path, **changes: Any) -> None:
        content = read_yaml(PARAMS_FILE)
        set_keys(content, SMALL_PARAMS | changes)
        self.params: dict[str, Any] = {
            name: parse_section(content, name, kind) for name, kind in SECTIONS.items()
        }
        self.root = root
        self.examples, self.quarantine = root / "examples", root / "quarantine"
        self.tokens, self.tokenizer = root / "tokens", root / "tokenizer"
        self.features, self.metrics = root / "features", root / "metrics"

    def prepare(self) -> None:
        """From the source to the stage `baseline`."""
        figures = ingest_examples(
            self.params["ingest"], self.examples, self.quarantine, raw=self.root / "raw"
        )
        self._write("ingest", figures)
        self._write(
            "tokenize",
            tokenize_examples(self.examples, self.tokens, self.tokenizer, self.params["tokenize"]),
        )
        for name, extract in EXTRACTORS.items():
            params = getattr(self.params["extract_features"], name)
            folder = self.features / name
            self._write(f"extract_features/{name}", extract(self.examples, folder, params, "fp32"))
        self._write(
            "leakage",
            measure_leakage(
                self.examples,
                self.features,
                self.root / "leakage",
                self.params["leakage"],
                work=self.root / "work/leakage",
            ),
        )
        self._write(
            "baseline",
            measure_baseline(
                BaselineInputs(self.examples, self.tokens, self.tokenizer, self.features),
                tasks=self.params["finetune"].tasks,
                base=self.params["base"],
            ),
        )

    def learn(self) -> None:
        """The stages that train."""
        base = self.params["base"]
        tables = self.examples, self.tokens, self.features
        figures, history = pretrain(
            self.tokens,
            self.tokenizer,
            self.features,
            self.root / "pretrained",
            params=self.params["pretrain"],
            base=base,
            work=self.root / "work" / "pretrain",
        )
        write_history(self.root / "history" / "pretrain.csv", history)
        tasks = self.params["finetune"].tasks
        inputs = PromptInputs(
            self.root / "pretrained", self.examples, self.tokens, self.tokenizer, self.features
        )
        work = self.root / "work" / "prompt"
        figures = prompt(inputs, params=self.params["prompt"], tasks=tasks, base=base, work=work)
        self._write("prompt", figures)
        for name, train, start in (
            ("finetune", finetune, "pretrained"),
            ("adversarial_finetune", adversarial_finetune, "finetune"),
        ):
            _, history = train(  # type: ignore[operator]
                self.root / start,
                *tables,
                self.root / name,
                params=self.params[name],
                base=base,
                work=self.root / "work" / name,
            )
            write_history(self.root / "history" / f"{name}.csv", history)

    def judge(self) -> str:
        """The stages that evaluate; the report's page."""
        plots, predictions = self.root / "plots", self.root / "predictions"
        models = {
            "finetuned": self.root / "finetune",
            "adversarial": self.root / "adversarial_finetune",
        }
        for name, model in models.items():
            figures = evaluate_model(
                name,
                EvaluationInputs(model, self.examples, self.tokens, self.tokenizer, self.features),
                predictions / name,
                plots / name,
                params=self.params["evaluate"],
                base=self.params["base"],
                work=self.root / "work" / name,
            )
            self._write(f"evaluate/{name}", figures, headline(figures))
        figures = stress_models(
            StressInputs(models, self.examples, self.tokens, self.features),
            plots / "stress",
            params=self.params["stress"],
            base=self.params["base"],
            extract_features=self.params["extract_features"],
            work=self.root / "work/stress",
        )
        self._write("stress", figures)
        page = self.root / "index.html"
        tables = self.examples, self.quarantine, self.root / "leakage"
        inputs = ReportInputs(self.metrics, predictions, *tables, plots, self.root / "history")
        write_report(inputs, page, self.params["report"])
        return page.read_text(encoding="utf-8")

    def _write(self, name: str, figures: dict[str, Any], shown: Any = ()) -> None:
        write_metrics(self.metrics / f"{name}.json", figures, headline=shown)
