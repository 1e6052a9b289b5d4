"""Python imports this at start in every process of a workspace. Where STAGE_OBSERVATIONS names a
folder, a stage records there what it opens and loads.
"""

import atexit
import gc
import json
import os
import sys
from pathlib import Path

# Nearly all that so short a process makes are its imports, which stay: to go through them for
# garbage takes a sixth of its time.
gc.disable()

records = os.environ.get("STAGE_OBSERVATIONS")
stage = next((name for name in sys.orig_argv if name.startswith("stages.")), None)

if records and stage:
    root = Path.cwd()
    opened: dict[str, set[str]] = {"read": set(), "hashed": set(), "written": set()}

    def note(event, arguments):
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100
        if not path.startswith(f"{root}/"):
            return
        if sys._getframe(1).f_code.co_name == "_sync":
            # Opened to wait for the disk: neither read nor written.
            return
        how = kind(arguments[1], arguments[2])
        # `rmtree` opens names relative to a folder that the event does not tell.
        if how == "written" or os.path.exists(path):  # noqa: PTH110
            opened[how].add(path[len(f"{root}/") :])

    def kind(mode, flags):
        if flags & (os.O_WRONLY | os.O_RDWR) or (mode and not mode.startswith("r")):
            return "written"
        frame = sys._getframe(2)
        names = set()
        while frame and len(names) < 6:
            names.add(frame.f_code.co_name)
            frame = frame.f_back
        return "hashed" if "hash_file" in names else "read"

    def write():
        modules = {
            name: module.__file__
            for name, module in sys.modules.items()
            if name.split(".")[0] in ("fuseline", "stages")
        }
        observed = {kind: sorted(paths) for kind, paths in opened.items()}
        # The record itself, and what is opened from here on, is no act of the stage.
        opened.update(read=set(), hashed=set(), written=set())
        path = Path(records) / f"{stage}-{os.getpid()}.json"
        path.write_text(json.dumps({"argv": sys.argv[1:], "modules": modules, **observed}))

    atexit.register(write)
    sys.addaudithook(note)
