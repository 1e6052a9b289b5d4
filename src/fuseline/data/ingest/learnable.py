"""What no model could learn from, found before anything is trained: its cause and a way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fuseline.contracts import SPLITS
from fuseline.data.ingest.census import Census, TargetCensus
from fuseline.data.ingest.joins import GROUP, Join, LargestGroup
from fuseline.data.ingest.split import Splitter
from fuseline.data.notices import Notice
from fuseline.params.ingest import IngestParams, SplitParams

# Salts that are tried for one that leaves no split empty.
TRIED_SALTS = 100
# More are not too few: a share is.
TRIED_GROUPS = 1000
LEAST_SHARE = 0.15
SHOWN_NAMES = 5
SHOWN_CHARACTERS = 40
# Sources whose columns the params name.
WITH_COLUMNS = ("manifest", "datasets", "webdataset")
GO_ON = (
    "To pre-train all the same, without what needs it, set ingest.unlearnable to warn and run"
    " `dvc repro pretrain`."
)


@dataclass(frozen=True)
class Found:
    """What `ingest` knows once all rows are counted.

    Attributes:
        census: of the kept rows.
        groups: names and labels of the groups whose split was drawn, in their order.
        given_splits: where rows lie that came with a split.
        largest: of these groups.
        rare_labels: how many labels had fewer rows than `ingest.min_label_rows`.
        untrained_labels: how many labels had no training row.
        has_labels: whether the source maps a label.
        refused: rows in quarantine, by reason.
    """

    census: Census
    groups: Sequence[tuple[str, str | None]]
    given_splits: frozenset[str]
    largest: LargestGroup | None
    rare_labels: int
    untrained_labels: int
    has_labels: bool
    refused: Mapping[str, int]


def unlearnable(found: Found, params: IngestParams) -> list[Notice]:
    """What stops a run, the causes before what follows from them."""
    if group := list(_one_group(found, params)):
        # Whatever else is wrong follows from it.
        return group
    empty = list(_empty_splits(found, params))
    targets = [*_same_targets(found, params), *_unmeasured(found)]
    return [*empty, *_one_label(found, params), *targets]


def shown(names: Sequence[str]) -> str:
    """Some names, quoted and cut to what a person reads."""
    some = ", ".join(
        repr(name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…")
        for name in names[:SHOWN_NAMES]
    )
    return some + (f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else "")


def _one_group(found: Found, params: IngestParams) -> Iterator[Notice]:
    largest = found.largest
    if largest is None or largest.rows == 1 or largest.share <= params.max_group_share:
        return
    joins = "; ".join(_joined(join) for join in largest.joins)
    yield Notice(
        f"One group holds {largest.rows} rows, {largest.share:.0%} of those that ingest splits, and"
        f" rows of a group share a split: all of them lie in {largest.split}. Expected at most"
        f" {params.max_group_share:.0%} (ingest.max_group_share). It is the group {largest.name!r}"
        f" of row {largest.first_id!r}. What joined it: {joins}.",
        f"{_apart(largest.joins[0], params)} To keep it as it is, set ingest.max_group_share to"
        " 1.0.",
    )


def _joined(join: Join) -> str:
    if join.cause == GROUP:
        return f"{join.rows} rows bear the name of a group in it"
    what = "all that they hold" if join.cause == "all" else f"their {join.cause}"
    first, second = join.pair or ("", "")
    names = f", which made one of {join.names + 1} groups" if join.names else ""
    return f"{join.rows} rows copy one of it by {what}, first {second!r} row {first!r}{names}"


def _apart(cause: Join, params: IngestParams) -> str:
    """How the rows of a group come apart, by what brought most of them into it."""
    if cause.cause == GROUP:
        where = (
            f"ingest.{params.source}.columns.group"
            if params.source in WITH_COLUMNS
            else "the source's groups"
        )
        return f"Name a column of smaller groups in {where}, or set it to null."
    if cause.cause == "all":
        return "Take the repeated rows out."
    return (
        f"Where rows of one {cause.cause} are different things, such as what many users rate, set"
        " ingest.duplicates.max_copies to 1: then only rows alike in all are copies."
    )


def _empty_splits(found: Found, params: IngestParams) -> Iterator[Notice]:
    rows = found.census.splits
    empty = [split for split in SPLITS if not rows[split]]
    if not empty:
        return
    given = not found.groups
    where = "; ".join(f"{split} {rows[split]}" for split in SPLITS)
    yield Notice(
        f"{' and '.join(empty)}: no row lies there ({where} rows)."
        f" {_cause(found, params.split, empty, given=given)}{_refused(found, given=given)}",
        _filled(found, params.split, empty, given=given),
    )


def _cause(found: Found, params: SplitParams, empty: list[str], *, given: bool) -> str:
    if given:
        return "Every row has a split of its own, so that the shares of ingest.split play no part."
    nought = [split for split in empty if not getattr(params, split)]
    if nought:
        return f"ingest.split.{nought[0]} is 0."
    return f"The rows that ingest splits fall into {len(found.groups)} groups only."


def _refused(found: Found, *, given: bool) -> str:
    """That rows which came with an empty split may have been refused."""
    if not given or not found.refused:
        return ""
    commonest = max(found.refused, key=lambda reason: found.refused[reason])
    return (
        f" {sum(found.refused.values())} rows were refused, most as {commonest}: look whether they"
        " are those of that split."
    )


def _filled(found: Found, params: SplitParams, empty: list[str], *, given: bool) -> str:
    """What to do so that no split stays empty; tried here, where it can be."""
    if given and "train" in empty:
        return (
            "Leave the split of the rows blank that ingest is to split, or say in"
            " ingest.split.names which name means train."
        )
    shares = _least_shares(params, empty)
    if given:
        taken = ", ".join(dict.fromkeys([*params.from_train, *empty]))
        return (
            f"Set ingest.split.from_train to [{taken}]{shares and f', {shares}'}: each then takes"
            " its share of the training rows, by salted hash."
        )
    if shares:
        return f"Set {shares}."
    if len(found.groups) > TRIED_GROUPS:
        return f"Raise ingest.split.{empty[0]}."
    for each_label in (True, False):
        for salt in range(TRIED_SALTS):
            if _fills(found, params.model_copy(update={"salt": salt}), each_label=each_label):
                return f"Set ingest.split.salt to {salt}, by which no split is empty, or add rows."
    return "Add rows: each split needs a group of its own, and each label one to train on."


def _least_shares(params: SplitParams, empty: list[str]) -> str:
    """Keys with shares in which no empty split has nought; nothing where they are so already."""
    if all(getattr(params, split) for split in empty):
        return ""
    dev, test = (getattr(params, split) or LEAST_SHARE for split in ("dev", "test"))
    if dev + test >= 1 - LEAST_SHARE:
        dev = test = LEAST_SHARE
    shares = {"train": 1 - dev - test, "dev": dev, "test": test}
    return ", ".join(f"ingest.split.{split} to {share:.4g}" for split, share in shares.items())


def _fills(found: Found, params: SplitParams, *, each_label: bool) -> bool:
    """Whether no split would be empty, and each label be trained on where that is asked for."""
    splitter = Splitter(params)
    lies = [(splitter.assign(name, label), label) for name, label in found.groups]
    trained = {label for split, label in lies if split == "train"}
    if {split for split, _ in lies} | found.given_splits != set(SPLITS):
        return False
    return not each_label or trained == {label for _, label in lies}


def _one_label(found: Found, params: IngestParams) -> Iterator[Notice]:
    labels = [label for label, rows in found.census.labels.items() if rows["train"]]
    if not found.has_labels or len(labels) > 1 or not found.census.splits["train"]:
        return
    rest = [
        f"{number} labels went to quarantine as {why}"
        for number, why in (
            (found.rare_labels, f"rarer than ingest.min_label_rows ({params.min_label_rows})"),
            (found.untrained_labels, "labels without a training row"),
        )
        if number
    ]
    alike = f"All training rows have one label, {shown(labels)}" if labels else "No row has a label"
    yield Notice(
        f"{alike}: there is nothing to tell apart. Expected two labels at least."
        + "".join(f" {sentence}." for sentence in rest),
        f"{_more_labels(found, params)} {GO_ON}",
    )


def _more_labels(found: Found, params: IngestParams) -> str:
    if found.rare_labels:
        return "Lower ingest.min_label_rows, or add rows of the other labels."
    if params.source in WITH_COLUMNS:
        return f"Name a column that has more in ingest.{params.source}.columns.label."
    if params.source == "image_folder":
        return f"Put a folder of pictures for each label into {params.image_folder.path}."
    return "Add rows of other labels."


def _same_targets(found: Found, params: IngestParams) -> Iterator[Notice]:
    for name, target in found.census.targets.items():
        if len(target.values) > 1 or not found.census.splits["train"]:
            continue
        key = f"ingest.{params.source}.columns.targets"
        out = (
            f"Take {name!r} out of {key}, or mend the column."
            if (params.source in WITH_COLUMNS)
            else "Mend the rows."
        )
        yield Notice(f"Target {name!r}: {_same(target)}", f"{out} {GO_ON}")


def _unmeasured(found: Found) -> Iterator[Notice]:
    """Where one target is all there is to learn: splits in which no row has a value of it."""
    if found.has_labels or len(found.census.targets) != 1:
        return
    ((name, target),) = found.census.targets.items()
    rows = found.census.splits
    for split in ("dev", "test"):
        if not target.rows["train"] or target.rows[split] or not rows[split]:
            continue
        given = split in found.given_splits
        filled = (
            f"Fill in some of them, or set ingest.split.from_train to [{split}], by which it then"
            " has its share of the training rows too."
            if given
            else f"Raise ingest.split.{split}, or add rows that have a value."
        )
        yield Notice(
            f"Target {name!r}: none of the {rows[split]} rows of the {split} split has a value, so"
            f" that nothing could be {'chosen' if split == 'dev' else 'measured'} by them.",
            f"{filled} {GO_ON}",
        )


def _same(target: TargetCensus) -> str:
    if not target.values:
        return "no training row has a value, so that there is nothing to learn."
    what = (
        "every word of the training rows has the tag"
        if target.kind == "tags"
        else (f"all {target.rows['train']} training rows that have a value have")
    )
    return f"{what} {shown(target.values)}: a model that always says so is right."
