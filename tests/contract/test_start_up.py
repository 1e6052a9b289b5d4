"""What a stage or command needs for its work is loaded once it works, not to say what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.repository import REPOSITORY

SCRIPTS = sorted(
    path.stem for path in (REPOSITORY / "stages").glob("*.py") if path.stem != "__init__"
)
# Each of them takes longer to load than all that help needs.
HEAVY = {"numpy", "pandas", "pyarrow", "pydantic", "rich", "ruamel.yaml", "torch", "transformers"}


@pytest.mark.parametrize("module", ["fuseline.cli", *(f"stages.{name}" for name in SCRIPTS)])
def test_help_loads_no_more_than_the_command_line(module: str) -> None:
    script = (
        f"import sys\nfrom {module} import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=REPOSITORY
    )
    assert shown.stdout.startswith("Usage: ")
    assert not HEAVY & set(shown.stderr.split())
