"""One offline page about the whole run."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    metrics: Annotated[Path, typer.Option(help="Folder of metrics files to read.")],
    predictions: Annotated[Path, typer.Option(help="Folder of predictions tables to read.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read, for example rows.")],
    quarantine: Annotated[Path, typer.Option(help="Quarantine table to read.")],
    leakage: Annotated[Path, typer.Option(help="Table of closest pairs to read.")],
    plots: Annotated[Path, typer.Option(help="Folder of plot data to read.")],
    history: Annotated[Path, typer.Option(help="Folder of curves by epoch to read.")],
    out: Annotated[Path, typer.Option(help="Page to write, HTML.")],
) -> None:
    """Write figures, charts and example rows as one page that works offline."""
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "report",
        params=["report"],
        inputs=[
            metrics / "ingest.json",
            metrics / "tokenize.json",
            metrics / "leakage.json",
            metrics / "prompt.json",
            metrics / "stress.json",
            metrics / "evaluate",
            predictions,
            examples,
            quarantine,
            leakage,
            plots / "finetuned",
            plots / "adversarial",
            history,
        ],
        outputs=[out],
    ) as run:
        from fuseline.config import load_section
        from fuseline.params.report import ReportParams
        from fuseline.reporting.report import ReportInputs, write_report

        write_report(
            ReportInputs(metrics, predictions, examples, quarantine, leakage, plots, history),
            run.out(out),
            load_section("report", ReportParams),
        )


if __name__ == "__main__":
    app()
