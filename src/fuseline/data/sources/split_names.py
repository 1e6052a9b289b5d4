"""What people call the three splits."""

from __future__ import annotations

# In any case. `eval` and `evaluation` are not among them: to some they are the development split,
# to others the test split, and a wrong guess would train towards what the model is tested on.
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_named(name: str) -> str | None:
    """Which of `contracts.SPLITS` the name means; None where it is no known one."""
    return SPLIT_NAMES.get(name.strip().casefold())


def plain_name(name: str) -> str:
    """The name without what is mere spelling: case, outer spaces, and the `.0` that a column of
    numbers gets once a cell of it is empty."""
    plain = name.strip().casefold()
    whole, point, rest = plain.partition(".")
    return whole if point and whole.lstrip("-").isdecimal() and not rest.strip("0") else plain
