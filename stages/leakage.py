"""What the test split shares with the training split."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    examples: Annotated[Path, typer.Option(help="Examples table to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    pairs: Annotated[Path, typer.Option(help="Table of closest pairs to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Find test rows that training rows give away, and words and facts that give labels away."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "leakage",
        params=["leakage"],
        inputs=[examples, features / "image", features / "audio", features / "video"],
        outputs=[pairs, metrics],
    ) as run:
        from fuseline.config import load_section
        from fuseline.evaluation.leakage.measure import measure_leakage
        from fuseline.params.leakage import LeakageParams

        figures = measure_leakage(
            examples,
            features,
            run.out(pairs),
            load_section("leakage", LeakageParams),
            work=run.work,
        )
        write_metrics(run.out(metrics), figures, headline=["suspicions"])


if __name__ == "__main__":
    app()
