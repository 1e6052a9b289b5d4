"""Raw rows and media to validated, split examples."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    raw: Annotated[Path, typer.Option(help="Home of your own data, which DVC watches.")],
    examples: Annotated[Path, typer.Option(help="Examples table to write.")],
    quarantine: Annotated[Path, typer.Option(help="Table of refused rows to write.")],
    interactions: Annotated[Path, typer.Option(help="Table of people's events to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Validate and split every row of the source; refused rows go to quarantine."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "ingest",
        params=["ingest"],
        inputs=[raw],
        outputs=[examples, quarantine, interactions, metrics],
    ) as run:
        from fuseline.config import load_section
        from fuseline.data.ingest import ingest_examples
        from fuseline.params.ingest import IngestParams

        params = load_section("ingest", IngestParams)
        figures = ingest_examples(
            params,
            run.out(examples),
            run.out(quarantine),
            raw=raw,
            interactions=run.out(interactions),
            evidence=run.work.parent / "refused",
        )
        write_metrics(
            run.out(metrics), figures, headline=["rows_in", "rows_kept", "rows_quarantined"]
        )


if __name__ == "__main__":
    app()
