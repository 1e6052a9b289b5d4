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
STALE = (
    "**`dvc.lock` is not up to date.** Run `dvc repro` and `dvc push`, then commit `dvc.lock` and"
    " `metrics/`."
)
BEHIND = (
    "The figures below are of this run, not of the `dvc.lock` and `metrics/` in the branch. Commit"
    " those of a `dvc repro`"
)


def main() -> None:
    """Read the options, write `report.md` and `plots/`, and the plots page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="Git revision to compare with.")
    parser.add_argument("--mode", choices=("run", "push", "check"), required=True)
    parser.add_argument("--failed", type=int, default=0, help="Exit status of `dvc repro`.")
    parser.add_argument("--out", type=Path, required=True, help="Folder with repro.log.")
    options = parser.parse_args()
    out: Path = options.out
    log = (out / "repro.log").read_text(encoding="utf-8")
    parts = [
        f"{MARK}\n### Pipeline against `{options.base}`",
        "\n\n".join(of_run(log, options.mode, options.failed)),
        of_figures("metrics", options.base),
        of_figures("params", options.base, "--targets", "params.yaml"),
        of_plots(options.base, out),
    ]
    (out / "report.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    dvc("plots", "diff", options.base, "--out", str(out / "page"))


def of_run(log: str, mode: str, failed: int) -> list[str]:
    """What ran, and whether `dvc.lock` in the branch is of it."""
    ran = re.findall(r"^Running stage '([^']+)'", log, re.MULTILINE)
    fetched = re.findall(r"^Stage '([^']+)' is cached", log, re.MULTILINE)
    if failed:
        last = f" at stage `{ran[-1]}`" if ran else ""
        return [f"**The run failed{last}.** The end of its log:", fenced(log.splitlines()[-20:])]
    if not ran and not fetched:
        return ["`dvc.lock` is up to date: every figure here is what this code and data give."]
    lines = [f"{verb} {named(of)}." for verb, of in (("Fetched:", fetched), ("Ran:", ran)) if of]
    if mode == "check":
        return [STALE, f"These stages would run: {named(ran)}."]
    how = ": `dvc repro --pull` gets them from the remote." if mode == "push" else "."
    return [*lines, BEHIND + how]


def of_figures(kind: str, base: str, *options: str) -> str:
    """The table of `dvc metrics diff` or `dvc params diff`."""
    table = dvc(kind, "diff", "--md", base, *options).strip()
    if not table:
        return f"No {kind} changed."
    return f"#### {kind.capitalize()}\n\n{re.sub(' +', ' ', table)}"


def of_plots(base: str, out: Path) -> str:
    """The plots whose data differ from the base's, each as a picture in `plots/`."""
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
    return "\n\n".join(["#### Plots", *lines]) if lines else "No plots changed."


def differs(spec: dict[str, Any]) -> bool:
    """Whether the revisions in a plot's data have other points than each other."""
    points: dict[str, list[str]] = {}
    for point in spec["data"]["values"]:
        rest = {key: value for key, value in point.items() if key != "rev"}
        points.setdefault(point["rev"], []).append(json.dumps(rest, sort_keys=True))
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
