"""How often texts are what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fuseline.learning.tasks.controls import Control, Reference

# By control a value for each of N rows, None for any.
Values = dict[str, list[str | None]]


def own_values(controls: Mapping[str, Control], references: Sequence[Reference | None]) -> Values:
    """Those of the references, as far as training has shown them."""
    return {
        name: [None if one is None else _known(control, one) for one in references]
        for name, control in controls.items()
    }


def _known(control: Control, reference: Reference) -> str | None:
    value = control.of(reference)
    return value if value in control.values else None


def obedience(
    write: Callable[[Values], list[str]],
    texts: Sequence[str],
    controls: Mapping[str, Control],
    references: Sequence[Reference | None],
    seed: int,
) -> dict[str, float]:
    """Of each control four shares of the rows whose reference has a value of it; 0 without any.

    `obeyed_<control>_own`: texts written under the reference's own values fit them.
    `obeyed_<control>`: texts fit another value, drawn evenly from all others, when asked for it
    instead, whatever else is asked staying as it was.
    `ignored_<control>`: texts written under the own values fit that other value, which is what a
    model that ignores the control would reach.
    `checked_<control>`: references fit their own values: below 1 the check itself errs.

    Args:
        write: gives N texts under some values.
        texts: what it gave under the references' own.
        controls: by name.
        references: N, None where a row has none.
        seed: of the values asked for.
    """
    random, own = np.random.default_rng(seed), own_values(controls, references)
    whole = ["" if reference is None else reference.text for reference in references]
    scores: dict[str, float] = {}
    for name, control in controls.items():
        asked = [_other(control, value, random) for value in own[name]]
        moved = write(own | {name: asked})
        scores |= {
            f"obeyed_{name}_own": _share(control, texts, own[name]),
            f"obeyed_{name}": _share(control, moved, asked),
            f"ignored_{name}": _share(control, texts, asked),
            f"checked_{name}": _share(control, whole, own[name]),
        }
    return scores


def _other(control: Control, value: str | None, random: np.random.Generator) -> str | None:
    if value is None:
        return None
    others = [other for other in control.values if other != value]
    return others[int(random.integers(len(others)))]


def _share(control: Control, texts: Sequence[str], values: Sequence[str | None]) -> float:
    fits = [
        control.fits(text, value)
        for text, value in zip(texts, values, strict=True)
        if value is not None
    ]
    return float(np.mean(fits)) if fits else 0.0
