"""One script per stage, run as `python -m stages.<name>`."""

import sys
from pathlib import Path

# A queued experiment runs in a copy of the repository, while the installed package may point at
# the original: a stage imports the code beside it, which is the code that `code.json` hashes.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

if sys.argv[0] == "-m":
    # `python -m stages.<name>` imports this package first, so that even a signal during the
    # imports below is answered.
    from fuseline.pipeline.interruption import end_on_signals

    end_on_signals()
