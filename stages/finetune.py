"""Supervised fine-tuning."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    pretrained: Annotated[Path, typer.Option(help="Model folder to start from.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read, for its labels.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    interactions: Annotated[Path, typer.Option(help="Table of people's events with the rows.")],
    model: Annotated[Path, typer.Option(help="Model folder to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
    history: Annotated[Path, typer.Option(help="Curves by epoch to write, CSV.")],
) -> None:
    """Fine-tune the pre-trained model on the labels of a task."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "finetune",
        params=["base", "finetune"],
        inputs=[
            pretrained,
            examples,
            tokens,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
            interactions,
        ],
        outputs=[model, metrics, history],
    ) as run:
        from fuseline.config import load_section
        from fuseline.learning.training.finetune import finetune
        from fuseline.learning.training.history import write_history
        from fuseline.params.base import BaseParams
        from fuseline.params.finetune import FinetuneParams

        figures, curves = finetune(
            pretrained,
            examples,
            tokens,
            features,
            run.out(model),
            interactions=interactions,
            params=load_section("finetune", FinetuneParams),
            base=load_section("base", BaseParams),
            work=run.work,
        )
        write_metrics(run.out(metrics), figures, headline=["dev"])
        write_history(run.out(history), curves)


if __name__ == "__main__":
    app()
