"""The command `fuseline`: what is not a stage of the pipeline."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from fuseline.errors import FuselineError

app = typer.Typer(
    help="Fuseline: multimodal model training as a DVC pipeline.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@contextmanager
def _readable_errors(command: str) -> Iterator[None]:
    """Show what a user can mend as one message, and exit with status 2."""
    try:
        yield
    except FuselineError as error:
        print(f"{command}: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


@app.command()
def check() -> None:
    """Check every key and value of params.yaml."""
    from fuseline.config import PARAMS_FILE, read_yaml
    from fuseline.params.whole import check as check_params

    with _readable_errors("check"):
        check_params(read_yaml(PARAMS_FILE))
    print(f"{PARAMS_FILE}: every key is known and every value valid.")


@app.command()
def doctor() -> None:
    """Look for what would make a run fail, and say what to do about it."""
    from fuseline.doctor import Level, examine

    with _readable_errors("doctor"):
        findings = examine(Path.cwd())
    for finding in findings:
        print(finding)
    if any(finding.level is Level.FATAL for finding in findings):
        raise typer.Exit(1)


@app.command()
def summary() -> None:
    """Print the headline figures of the last run."""
    from fuseline.summary import summarise

    with _readable_errors("summary"):
        print(summarise(Path("metrics")))


if __name__ == "__main__":
    app()
