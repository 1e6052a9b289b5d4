"""A comparison in words."""

from __future__ import annotations

from collections.abc import Iterator

from fuseline.workbench.verify.stages import Comparison, StageComparison, State

SHOWN = 3


def describe(comparison: Comparison) -> str:
    """One line per stage, then where the results part and why that may be."""
    names = [*(stage.name for stage in comparison.stages), *comparison.gone]
    width = max(map(len, names), default=0)
    lines = [f"Compared with {comparison.revision}:"]
    for stage in comparison.stages:
        lines.append(f"  {stage.name:<{width}}  {stage.state:<19} {_detail(stage)}".rstrip())
    lines += [f"  {name:<{width}}  no longer in dvc.yaml" for name in comparison.gone]
    return "\n".join([*lines, "", *_verdict(comparison)])


def _detail(stage: StageComparison) -> str:
    if stage.state is State.EXPECTED:
        return _listed(stage.changes) or f"reads from {_listed(stage.sources)}"
    figures = list(stage.figures)
    if stage.beyond:
        return f"{len(stage.beyond)} of its figures: {_listed(list(map(str, stage.beyond)))}"
    if figures:
        return f"{len(figures)} of its figures: {_listed(list(map(str, figures)))}"
    return f"other bytes in {_listed(stage.outs)}" if stage.outs else ""


def _verdict(comparison: Comparison) -> Iterator[str]:
    expected = [stage.name for stage in comparison.stages if stage.state is State.EXPECTED]
    first, diverged = comparison.first_other_bytes, comparison.first_diverged
    if first:
        yield f"Bytes part first at {first.name}: its inputs are the same, its outputs are not."
        yield from _why(comparison)
    if diverged:
        yield (
            f"Diverged: {diverged.name} lies beyond tolerance first. Params, code and data of the"
            f" stage are those of {comparison.revision}."
        )
    elif first:
        yield "Reproduced within tolerance."
    elif not comparison.stages:
        yield "Nothing to compare: no stage of dvc.yaml has run."
    elif not expected:
        yield "Reproduced to the last byte, by dvc.lock."
    if expected:
        yield (
            f"Not comparable: {_listed(expected)}. Params, code or data differ from"
            f" {comparison.revision}, so other results are expected."
        )


def _why(comparison: Comparison) -> Iterator[str]:
    if comparison.reasons:
        yield "What differs in how they were made:"
        yield from (f"  {reason}" for reason in comparison.reasons)
    else:
        yield (
            "Packages and processor are the same, so the stage itself may not repeat:"
            " `dvc repro --force` it twice and compare."
        )


def _listed(items: tuple[str, ...] | list[str]) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
