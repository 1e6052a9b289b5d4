"""One hash per stage over the code that it imports."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    sources: Annotated[Path, typer.Option(help="Folder of your own packages, if there is one.")],
    stages: Annotated[Path, typer.Option(help="Package folder of the stage scripts to read.")],
    out: Annotated[Path, typer.Option(help="File of hashes to write, JSON.")],
) -> None:
    """Hash each stage's code, so that a change in a module re-runs the stages that import it."""
    # No `run_stage` here: it identifies its work by the very file that this stage writes.
    from fuseline.contracts import write_json
    from fuseline.errors import FuselineError
    from fuseline.pipeline.provenance import stage_hashes

    try:
        write_json(out, stage_hashes(sources, stages))
    except FuselineError as error:
        print(f"\ncode: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    app()
