"""The model that others use, in every format that they may want."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    finetuned: Annotated[Path, typer.Option(help="Model folder of plain fine-tuning.")],
    adversarial: Annotated[Path, typer.Option(help="Model folder of adversarial fine-tuning.")],
    evaluations: Annotated[Path, typer.Option(help="Folder of both models' metrics files.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read, for its labels.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    interactions: Annotated[Path, typer.Option(help="Table of people's events with the rows.")],
    export: Annotated[Path, typer.Option(help="Folder of the export to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Choose a model, write it with all that use needs, and measure every format."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "export",
        params=["base", "export", "evaluate", "ingest"],
        inputs=[
            finetuned,
            adversarial,
            evaluations / "finetuned.json",
            evaluations / "adversarial.json",
            examples,
            tokens,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
            interactions,
        ],
        outputs=[export, metrics],
    ) as run:
        from fuseline.config import load_section
        from fuseline.params.base import BaseParams
        from fuseline.params.evaluate import EvaluateParams
        from fuseline.params.export import ExportParams
        from fuseline.params.ingest import IngestParams
        from fuseline.serving.exporting.run import (
            ExportInputs,
            ExportSections,
            export_model,
        )

        figures = export_model(
            ExportInputs(
                {"finetuned": finetuned, "adversarial": adversarial},
                evaluations,
                examples,
                tokens,
                features,
                interactions,
            ),
            run.out(export),
            ExportSections(
                export=load_section("export", ExportParams),
                evaluate=load_section("evaluate", EvaluateParams),
                ingest=load_section("ingest", IngestParams),
                base=load_section("base", BaseParams),
            ),
            run.work,
        )
        write_metrics(run.out(metrics), figures, headline=[])


if __name__ == "__main__":
    app()
