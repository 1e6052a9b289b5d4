"""Where the repository under test lies, and its shipped params."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PARAMS_FILE = REPOSITORY / "params.yaml"
