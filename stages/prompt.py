"""Prompt learning from few rows."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    pretrained: Annotated[Path, typer.Option(help="Pre-trained model folder to read.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read, for its labels.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to read.")],
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer folder to read.")],
    features: Annotated[Path, typer.Option(help="Folder of features tables, one per modality.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
    curves: Annotated[Path, typer.Option(help="Figures by number of shots to write, CSV.")],
) -> None:
    """Score prompt methods and their rivals on few labelled rows and on none."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "prompt",
        params=["base", "prompt", "finetune.tasks"],
        inputs=[
            pretrained,
            examples,
            tokens,
            tokenizer,
            features / "image",
            features / "audio",
            features / "video",
            features / "tabular",
        ],
        outputs=[metrics, curves],
    ) as run:
        from fuseline.config import load_section
        from fuseline.learning.prompting.curves import write_curves
        from fuseline.learning.prompting.run import PromptInputs, prompt
        from fuseline.params.base import BaseParams
        from fuseline.params.finetune import FinetuneParams
        from fuseline.params.prompt import PromptParams

        finetune = load_section("finetune", FinetuneParams)
        figures = prompt(
            PromptInputs(pretrained, examples, tokens, tokenizer, features),
            params=load_section("prompt", PromptParams),
            tasks=finetune.tasks,
            base=load_section("base", BaseParams),
            work=run.work,
        )
        write_metrics(run.out(metrics), figures, headline=[])
        write_curves(run.out(curves), figures["methods"])


if __name__ == "__main__":
    app()
