"""Media and table columns to feature vectors by a frozen encoder."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    modality: Annotated[str, typer.Option(help="The matrix cell, such as 'image'.")],
    examples: Annotated[Path, typer.Option(help="Examples table to read.")],
    features: Annotated[Path, typer.Option(help="Features table to write.")],
    metrics: Annotated[Path, typer.Option(help="Metrics file to write.")],
) -> None:
    """Run every media item of one modality once through its frozen encoder."""
    from fuseline.pipeline.metrics_file import write_metrics
    from fuseline.pipeline.stage import run_stage

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
        from fuseline.data.modalities.extraction.extract import Runtime
        from fuseline.data.modalities.extraction.feature_cache import (
            FeatureCache,
            cache_bytes,
            cache_folder,
        )
        from fuseline.data.modalities.extraction.surroundings import surroundings
        from fuseline.data.modalities.extractors import EXTRACTORS
        from fuseline.params.base import BaseParams
        from fuseline.params.extract_features import ExtractFeaturesParams
        from fuseline.registry import lookup

        base = load_section("base", BaseParams)
        params = load_section("extract_features", ExtractFeaturesParams)

        def prepare() -> None:
            from fuseline.pipeline.precision import make_deterministic

            make_deterministic(base.seed, base.num_threads)

        cache = FeatureCache(cache_folder(), cache_bytes())
        runtime = Runtime(cache, surroundings(base.num_threads), prepare)
        extract = lookup(EXTRACTORS, modality, where="--modality")
        figures = extract(
            examples, run.out(features), getattr(params, modality), base.precision, runtime
        )
        write_metrics(run.out(metrics), figures, headline=[])


if __name__ == "__main__":
    app()
