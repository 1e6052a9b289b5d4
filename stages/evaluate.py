"""Evaluation of one model on the test split."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    model: Annotated[Path, typer.Option(help="Model folder to evaluate.")],
    name: Annotated[str, typer.Option(help="The matrix cell, such as 'finetuned'.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read, for its labels.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    tokenizer: Annotated[Path, typer.Option(help="Folder that names the frozen text encoder.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    interactions: Annotated[Path, typer.Option(help="Table of people's events with the rows.")],
    predictions: Annotated[Path, typer.Option(help="Predictions table to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
    plots: Annotated[Path, typer.Option(help="Folder of plot data to write.")],
) -> None:
    """Measure accuracy, calibration, the worth of each modality, and robustness to attacks."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "evaluate",
        cell=name,
        params=["base", "evaluate"],
        inputs=[
            model,
            examples,
            tokens,
            tokenizer,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
            interactions,
        ],
        outputs=[predictions, metrics, plots],
    ) as run:
        from fuseline.config import load_section
        from fuseline.evaluation.evaluate import evaluate_model, headline
        from fuseline.evaluation.pieces import EvaluationInputs
        from fuseline.params.base import BaseParams
        from fuseline.params.evaluate import EvaluateParams

        figures = evaluate_model(
            name,
            EvaluationInputs(model, examples, tokens, tokenizer, features, interactions),
            run.out(predictions),
            run.out(plots),
            params=load_section("evaluate", EvaluateParams),
            base=load_section("base", BaseParams),
            work=run.work,
        )
        write_metrics(run.out(metrics), figures, headline=headline(figures))


if __name__ == "__main__":
    app()
