"""The figures to beat."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    examples: Annotated[Path, typer.Option(help="Examples table to read, for its labels.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer folder to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Score a linear model of the frozen features, before anything is trained."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "baseline",
        params=["base", "finetune.tasks"],
        inputs=[
            examples,
            tokens,
            tokenizer,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
        ],
        outputs=[metrics],
    ) as run:
        from fuseline.config import load_section
        from fuseline.evaluation.twins.baseline import BaselineInputs, measure_baseline
        from fuseline.params.base import BaseParams
        from fuseline.params.finetune import FinetuneParams

        finetune = load_section("finetune", FinetuneParams)
        figures = measure_baseline(
            BaselineInputs(examples, tokens, tokenizer, features),
            tasks=finetune.tasks,
            base=load_section("base", BaseParams),
        )
        scores = [name for name, value in figures.items() if isinstance(value, float)]
        write_metrics(run.out(metrics), figures, headline=scores)


if __name__ == "__main__":
    app()
