"""Text to token ids."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    examples: Annotated[Path, typer.Option(help="Examples table to read.")],
    tokens: Annotated[Path, typer.Option(help="Tokens table to write.")],
    tokenizer: Annotated[Path, typer.Option(help="Folder of the tokenizer to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Turn every text into token ids; keep the tokenizer and the name of its encoder."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

    with run_stage(
        "tokenize", params=["tokenize"], inputs=[examples], outputs=[tokens, tokenizer, metrics]
    ) as run:
        from fuseline.config import load_section
        from fuseline.data.modalities.text.tokenizer import tokenize_examples
        from fuseline.data.notices import tokenize_summary
        from fuseline.params.tokenize import TokenizeParams

        params = load_section("tokenize", TokenizeParams)
        figures = tokenize_examples(examples, run.out(tokens), run.out(tokenizer), params)
        print(tokenize_summary(figures))
        write_metrics(run.out(metrics), figures, headline=["truncated_rows", "unknown_share"])


if __name__ == "__main__":
    app()
