"""Self-supervised pre-training."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer folder to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    model: Annotated[Path, typer.Option(help="Model folder to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
    history: Annotated[Path, typer.Option(help="Curves by epoch to write, CSV.")],
) -> None:
    """Train the self-supervised objectives on tokens and features, without labels."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "pretrain",
        params=["base", "pretrain"],
        inputs=[
            tokens,
            tokenizer,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
        ],
        outputs=[model, metrics, history],
    ) as run:
        from fuseline.config import load_section
        from fuseline.learning.training.history import write_history
        from fuseline.learning.training.pretrain import pretrain
        from fuseline.params.base import BaseParams
        from fuseline.params.pretrain import PretrainParams

        figures, curves = pretrain(
            tokens,
            tokenizer,
            features,
            run.out(model),
            params=load_section("pretrain", PretrainParams),
            base=load_section("base", BaseParams),
            work=run.work,
        )
        write_metrics(run.out(metrics), figures, headline=["loss"])
        write_history(run.out(history), curves)


if __name__ == "__main__":
    app()
