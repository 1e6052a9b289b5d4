"""Write what changed against a base revision, as Markdown with pictures: for a pull request.

Figures and params come from `dvc metrics diff` and `dvc params diff`, pictures from the plots of
`dvc plots diff` whose data differ.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import vl_convert

# The comment that bears this line is written anew, whoever else comments.
MARK = "<!-- pipeline-report -->"
# DVC's tables have them even when nothing changed.
HEADER_LINES = 2
STALE = (
    "**`dvc.lock` is not up to date.** Run `dvc repro` and `dvc push`, then commit `dvc.lock` and"
    " `metrics/`."
)
BEHIND = (
    "The figures below are of this run, not yet of the `dvc.lock` and `metrics/` in the branch."
)

ADOPT = "Commit what `git apply results.patch` changes; `dvc pull` fetches the data and models."
REPEAT = "Commit what `dvc repro` changes."


def main() -> None:
    """Read the options and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="Git revision to compare with.")
    parser.add_argument("--mode", choices=("run", "push", "check"), required=True)
    parser.add_argument("--failed", type=int, default=0, help="Exit status of `dvc repro`.")
    parser.add_argument("--out", type=Path, required=True, help="Folder with repro.log.")
    options = parser.parse_args()
    out: Path = options.out
    # Without what progress bars wrote over.
    log = re.sub(r"[^\n]*\r(?!\n)", "", (out / "repro.log").read_text(encoding="utf-8"))
    parts = [
        f"{MARK}\n### Pipeline against `{options.base}`",
        "\n\n".join(of_run(log, options.mode, options.failed)),
    ]
    try:
        parts.append(of_figures("metrics", options.base))
        parts.append(of_figures("params", options.base, "--targets", "params.yaml"))
        parts.append(of_plots(options.base, out))
    except subprocess.CalledProcessError as error:
        # After a failed run the files that DVC compares may be broken.
        parts.append(f"`{' '.join(error.cmd[:3])}` failed, so what it tells is left out.")
    (out / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def of_run(log: str, mode: str, failed: int) -> list[str]:
    """What ran, and whether `dvc.lock` in the branch is of it."""
    ran = re.findall(r"^Running stage '([^']+)'", log, re.MULTILINE)
    fetched = re.findall(r"^Stage '([^']+)' is cached", log, re.MULTILINE)
    if mode == "check":
        # A dry run fails at a stage to run whose inputs are not here.
        for line in re.findall(r"^ERROR: failed to reproduce (.*)", log, re.MULTILINE):
            ran += re.findall(r"'([^']+)'", line.split(": [")[0])
        if ran:
            return [STALE, f"These stages would run, then those that read theirs: {named(ran)}."]
    if failed:
        last = f" at stage `{ran[-1]}`" if ran else ""
        return [f"**The run failed{last}.** The end of its log:", fenced(log.splitlines()[-20:])]
    if not ran and not fetched:
        return ["`dvc.lock` is up to date: every figure here is what this code and data give."]
    lines = [f"{verb} {named(of)}." for verb, of in (("Fetched:", fetched), ("Ran:", ran)) if of]
    return [*lines, f"{BEHIND} {ADOPT if mode == 'push' else REPEAT}"]


def of_figures(kind: str, base: str, *options: str) -> str:
    """The table of `dvc metrics diff` or `dvc params diff`."""
    table = dvc(kind, "diff", "--md", base, *options).strip().splitlines()
    if len(table) <= HEADER_LINES:
        return f"No {kind} changed."
    return "\n".join([f"#### {kind.capitalize()}\n", *(re.sub(" +", " ", row) for row in table)])


def of_plots(base: str, out: Path) -> str:
    """Pictures of the plots whose data differ from the base's; then also all plots as a page."""
    folder = out / "plots"
    shutil.rmtree(folder, ignore_errors=True)
    found = json.loads(dvc("plots", "diff", base, "--json", "--out", str(out / "page")))["data"]
    lines = []
    for name, renderers in found.items():
        for renderer in renderers:
            if renderer["type"] != "vega" or not differs(renderer["content"]):
                continue
            folder.mkdir(exist_ok=True)
            picture = folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', name)}.png"
            picture.write_bytes(vl_convert.vegalite_to_png(renderer["content"], scale=1.5))
            lines.append(f"![{title_of(renderer['content'], name)}](plots/{picture.name})")
    if not lines:
        return "No plots changed."
    dvc("plots", "diff", base, "--out", str(out / "page"))
    return "\n\n".join(["#### Plots", *lines])


def differs(spec: dict[str, Any]) -> bool:
    """Whether the revisions in a plot's data have other points than each other."""
    points: dict[str, list[str]] = {}
    for point in spec["data"]["values"]:
        rest = {key: value for key, value in point.items() if key != "rev"}
        points.setdefault(point["rev"], []).append(json.dumps(rest, sort_keys=True))
    if not points:
        return False
    first, *others = points.values()
    return not others or any(other != first for other in others)


def title_of(spec: dict[str, Any], name: str) -> str:
    """A plot's title, else its name."""
    title = spec.get("title", name)
    return str(title["text"] if isinstance(title, dict) else title)


def named(stages: list[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(f"`{name}`" for name in stages)


def fenced(lines: list[str]) -> str:
    """Lines as a block of code that none of them can end."""
    return "\n".join(["~~~text", *(line.replace("~~~", "~ ~ ~") for line in lines), "~~~"])


def dvc(*arguments: str) -> str:
    """Output of a `dvc` command."""
    return subprocess.run(["dvc", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
