"""Both fine-tuned models on inputs that go wrong."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    finetuned: Annotated[Path, typer.Option(help="Model folder of plain fine-tuning.")],
    adversarial: Annotated[Path, typer.Option(help="Model folder of adversarial fine-tuning.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read: labels, texts, media.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
    plots: Annotated[Path, typer.Option(help="Folder of plot data to write.")],
) -> None:
    """Measure both models on the same test rows with noise, with modalities gone or at odds, on
    rows of another set, and under each other's attacks."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "stress",
        params=["base", "stress", "extract_features"],
        inputs=[
            finetuned,
            adversarial,
            examples,
            tokens,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
        ],
        outputs=[metrics, plots],
    ) as run:
        from fuseline.config import load_section
        from fuseline.evaluation.stress.run import StressInputs, stress_models
        from fuseline.params.base import BaseParams
        from fuseline.params.extract_features import ExtractFeaturesParams
        from fuseline.params.stress import StressParams

        figures = stress_models(
            StressInputs(
                {"finetuned": finetuned, "adversarial": adversarial}, examples, tokens, features
            ),
            run.out(plots),
            params=load_section("stress", StressParams),
            base=load_section("base", BaseParams),
            extract_features=load_section("extract_features", ExtractFeaturesParams),
            work=run.work,
        )
        write_metrics(run.out(metrics), figures, headline=[])


if __name__ == "__main__":
    app()
