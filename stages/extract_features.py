"""Media to feature vectors by a frozen encoder."""

from pathlib import Path
from typing import Annotated

import typer

from fuseline.stage import run_stage, write_metrics

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    modality: Annotated[str, typer.Option(help="The matrix cell, such as 'image'.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read.")],
    features: Annotated[Path, typer.Option(help="Features table to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Run every media item of one modality once through its frozen encoder."""
    with run_stage(
        "extract_features",
        cell=modality,
        params=[
            "base.num_threads",
            "base.precision",
            "base.seed",
            f"extract_features.{modality}",
        ],
        inputs=[examples],
        outputs=[features, metrics],
    ) as run:
        from fuseline.config import load_section
        from fuseline.modalities.extractors import EXTRACTORS
        from fuseline.params.base import BaseParams
        from fuseline.params.extract_features import ExtractFeaturesParams
        from fuseline.precision import make_deterministic
        from fuseline.registry import lookup

        base = load_section("base", BaseParams)
        params = load_section("extract_features", ExtractFeaturesParams)
        make_deterministic(base.seed, base.num_threads)
        extract = lookup(EXTRACTORS, modality, where="--modality")
        figures = extract(examples, run.out(features), getattr(params, modality), base.precision)
        write_metrics(run.out(metrics), figures)


if __name__ == "__main__":
    app()
