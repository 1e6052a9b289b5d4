"""What a person should look at before the figures of a run: a sentence each, and what to do.

They follow from the metrics of `ingest` and `tokenize` alone, so that the stages themselves, the
summary, the doctor and the report all say the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.pipeline.metrics_file import read_metrics

# From these shares on something is worth a look.
MANY_COPIES = 0.1
MANY_CUT = 0.05
MANY_UNKNOWN = 0.02
# Letters in pieces of one or two: 0.04 to 0.18 of English texts, 0.27 and more of French, German,
# Italian and other names (docs/experiments/languages.md).
MANY_SHORT = 0.25
MANY_REFUSED = 0.1
# Of the 95 % interval of a share: under a hundred rows.
WIDE_INTERVAL = 0.2
# Training rows of a label below which it is thin.
FEW_TRAINING_ROWS = 10
# Lengths are rounded up to a multiple of it, as batches are.
LENGTH_STEP = 8
# Positions of an encoder that some keep for themselves.
RESERVED_POSITIONS = 2
# Of many files each may have one of the same kind.
MAX_NOTES = 5

# Finding, its medium, and what such media are.
BLANKS = {
    "image:constant": ("image", "pictures are of one colour"),
    "audio:silent": ("audio", "sounds are silent"),
    "video:constant": ("video", "videos show one colour alone"),
}


@dataclass(frozen=True)
class Notice:
    """One thing that was found in the data, and its remedy; none where the finding names it, or
    nothing need be done."""

    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.found} {self.remedy}".rstrip()


def read_notices(metrics: Path) -> list[Notice]:
    """What the metrics files in a folder say of the data; nothing of stages that have not run.

    Raises:
        ContractError: a file is not a metrics file.
    """
    files = {"ingest": ingest_notices, "tokenize": tokenize_notices}
    return [
        notice
        for name, notices in files.items()
        if (path := metrics / f"{name}.json").exists()
        for notice in notices(read_metrics(path))
    ]


def ingest_notices(figures: Mapping[str, Any]) -> list[Notice]:
    """What the figures of the stage `ingest` say, the gravest first; nothing of what they lack, as
    those of another version may."""
    copies = figures.get("duplicates", {}).get("rows", 0)
    return [
        *_refused(figures),
        *note_notices(figures),
        *_learnt(figures.get("learnable", {}), figures),
        *_blanks(figures.get("findings", {}), figures.get("modalities", {})),
        *_copies(copies, figures.get("rows_kept", 0)),
    ]


def note_notices(figures: Mapping[str, Any]) -> list[Notice]:
    """How files and names were read where their params do not tell, as `ingest` noted it."""
    notes = figures.get("notes", [])
    shown, more = map(Notice, notes[:MAX_NOTES]), len(notes) - MAX_NOTES
    if more <= 0:
        return [*shown]
    return [*shown, Notice(f"{more} more notes.", "metrics/ingest.json has all of them.")]


def tokenize_notices(figures: Mapping[str, Any]) -> list[Notice]:
    """What the figures of the stage `tokenize` say."""
    # Metrics of earlier versions of the stage do not count texts.
    if not figures.get("texts"):
        return []
    return [*_cut(figures), *_unknown(figures), *_foreign(figures)]


def tokenize_summary(figures: Mapping[str, Any]) -> str:
    """The stage's last lines on a terminal."""
    summary = (
        f"tokenize: {figures['texts']} texts for the encoder {figures['encoder']},"
        f" {figures['truncated_share']:.1%} of them cut;"
        f" {figures['unknown_share']:.1%} of the tokens unknown"
    )
    return "\n".join([summary, *map(_line, tokenize_notices(figures))])


def told(notices: Iterable[Notice]) -> str:
    """The notices for a terminal, a line each."""
    return "\n".join(map(_line, notices))


def _line(notice: Notice) -> str:
    return f"look at: {notice}"


def _refused(figures: Mapping[str, Any]) -> Iterator[Notice]:
    rows, refused = figures.get("rows_in", 0), figures.get("rows_quarantined", 0)
    if refused > MANY_REFUSED * rows:
        reasons = sorted(figures.get("quarantined", {}).items(), key=lambda item: -item[1])
        why = f", most as {reasons[0][0]} ({reasons[0][1]})" if reasons else ""
        yield Notice(
            f"{refused} of {rows} rows ({refused / rows:.0%}) went to quarantine{why}.",
            "data/quarantine has each with a sentence; mend them, or the params that refuse them.",
        )


def _learnt(learnable: Mapping[str, Any], figures: Mapping[str, Any]) -> Iterator[Notice]:
    if not learnable:
        return
    rows, width = figures["splits"]["test"], learnable["test_interval_width"]
    if width > WIDE_INTERVAL:
        yield Notice(
            f"The test split has {rows} rows: a share measured on them, such as accuracy, has a"
            f" 95 % interval up to {width:.2f} wide.",
            "Add rows, or move more of them there: by ingest.split.test, or by the column `split`.",
        )
    labels = figures["num_labels"]
    for split in ("test", "dev"):
        if without := learnable[f"labels_without_{split}_rows"]:
            yield Notice(
                f"{without} of {labels} labels have no row in the {split} split: no figure there"
                " speaks of them.",
                "Add rows of them in groups of their own, or raise ingest.min_label_rows to leave"
                " them out.",
            )
        if targets := learnable[f"targets_without_{split}_rows"]:
            yield Notice(
                f"{targets} of the target columns have no value in any row of the {split} split.",
                "Add values there, or take these columns out of `columns.targets`.",
            )
    if thin := learnable["thin_labels"]:
        yield Notice(
            f"{thin} of {labels} labels have fewer than {FEW_TRAINING_ROWS} training rows.",
            "Add rows of them, join them to others, or raise ingest.min_label_rows to leave them"
            " out.",
        )


def _blanks(findings: Mapping[str, int], modalities: Mapping[str, int]) -> Iterator[Notice]:
    for finding, (medium, what) in BLANKS.items():
        if rows := findings.get(finding):
            yield Notice(
                f"{rows} of {modalities[medium]} {what}, and tell nothing.",
                f"Look at these files: their rows have {finding} among the `findings` of"
                " data/examples.",
            )


def _copies(copies: int, rows: int) -> Iterator[Notice]:
    if copies > MANY_COPIES * rows:
        yield Notice(
            f"{copies} of {rows} rows ({copies / rows:.0%}) copy an earlier row, and share its"
            " split.",
            "Take them out if they are mistakes; if they are no copies, make ingest.duplicates"
            " stricter.",
        )


def _cut(figures: Mapping[str, Any]) -> Iterator[Notice]:
    share, limit = figures["truncated_share"], figures["max_length_tokens"]
    if share <= MANY_CUT:
        return
    enough = math.ceil(figures["length_p95_tokens"] / LENGTH_STEP) * LENGTH_STEP
    most = figures["encoder_positions"] - RESERVED_POSITIONS
    longest = min(enough, most) if most > 0 else enough
    yield Notice(
        f"{figures['truncated_rows']} of {figures['texts']} texts ({share:.0%}) are longer than"
        f" {limit} tokens and were cut: the model does not see the rest.",
        f"Raise tokenize.max_length_tokens to {longest}"
        + (", which 19 of 20 texts fit." if longest == enough else ", all that the encoder takes.")
        if longest > limit
        else "The encoder takes no more: make several rows of a long text, or choose another"
        " tokenize.encoder.",
    )


def _unknown(figures: Mapping[str, Any]) -> Iterator[Notice]:
    if (share := figures["unknown_share"]) > MANY_UNKNOWN:
        yield Notice(
            f"{share:.1%} of all tokens are unknown to the tokenizer: the model cannot tell these"
            " words apart.",
            "Choose a tokenize.encoder for the languages of the texts; of `scratch` and"
            " `characters`, raise its vocab_size under tokenize.",
        )


def _foreign(figures: Mapping[str, Any]) -> Iterator[Notice]:
    unread, short = figures.get("unread_share", 0.0), figures.get("short_share", 0.0)
    if figures.get("knows_language", True):
        if short > MANY_SHORT:
            yield Notice(
                f"{short:.0%} of the letters lie in pieces of one or two: the text encoder hardly"
                " knows the language.",
                "Set tokenize.encoder to a folder with a text encoder for the language, or compare"
                " with `characters`.",
            )
    elif figures["encoder"] == "characters":
        yield Notice(
            f"MiniLM does not know the language: {unread:.0%} of the letters are unknown to it, or"
            " pieces of their own. tokenize.encoder: auto chose `characters` instead, which learns"
            " from these rows alone.",
            "Set tokenize.encoder to a folder with a text encoder for the language, if you have"
            " one.",
        )
    else:
        yield Notice(
            f"The text encoder does not know the language: {unread:.0%} of the letters are unknown"
            " to it, or pieces of their own.",
            "Set tokenize.encoder to a folder with a text encoder for the language, or to"
            " `characters`.",
        )
