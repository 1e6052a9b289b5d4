"""What to know of files and columns, beside what each column is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fuseline.data.sources.split_names import split_named
from fuseline.workbench.scaffold.guess import TARGET, Guess, use
from fuseline.workbench.scaffold.profile import Profile

# So many columns of 0 and 1 are likelier the names of a set, one column each, than inputs.
_LEAST_FLAGS = 3
# Of the rows, a share without a label that is no slip.
_UNLABELLED = 0.05


def file_notes(files: Sequence[Path]) -> list[str]:
    """Of several files: which is shown, and that their names make no splits."""
    if len(files) == 1:
        return []
    notes = [f"{len(files)} files, each a batch; shown: {files[0].name}."]
    named = [file.name for file in files if split_named(file.name.partition(".")[0])]
    if len(named) > 1:
        notes.append(
            f"{', '.join(named)} are called after splits, but all rows are split anew. To keep"
            " theirs, add a column split to each file that says train, dev or test."
        )
    return notes


def column_notes(profiles: Sequence[Profile], guesses: Sequence[Guess]) -> Iterator[str]:
    """Of columns: texts in a foreign script, rows without a label, and labels that may be spread
    over columns."""
    profile_of = {profile.name: profile for profile in profiles}
    for guess in guesses:
        if guess.field == "text":
            yield from _foreign(profile_of[guess.column])
        if guess.field == "label":
            yield from _unlabelled(profile_of[guess.column])
    learnt = [guess for guess in guesses if guess.field in ("tabular", "label")]
    flags = [guess for guess in learnt if set(profile_of[guess.column].texts) == {"0", "1"}]
    if len(flags) >= _LEAST_FLAGS and flags[-1].field == "label":
        names = [guess.column for guess in flags]
        yield (
            f"{', '.join(names)} hold 0 and 1 alone. Where each is a label of its own, write the"
            f" names of those that are 1 into one column instead, parted by '|'; now {names[-1]} is"
            " learnt, and the others are read."
        )


def _foreign(profile: Profile) -> Iterator[str]:
    # What reads texts is slow to import, and knows whatever Latin letters spell.
    if all(text.isascii() for text in profile.texts):
        return
    from fuseline.data.modalities.text.tokenizer import MINILM, UNREAD, reading_of

    share = reading_of(MINILM, profile.texts).unread_share
    if share > UNREAD:
        yield (
            f"{profile.name}: MiniLM does not know the language; {share:.0%} of the letters are"
            " unknown to it, or pieces of their own. By tokenize.encoder: auto such texts are read"
            " by character. A folder with a text encoder for the language does better there."
        )


def _unlabelled(profile: Profile) -> Iterator[str]:
    rows, empty = len(profile.cells), len(profile.cells) - len(profile.filled)
    if empty <= _UNLABELLED * rows:
        return
    keep = f"{use(profile, f'{TARGET}category')} keeps them"
    if profile.name == "label":
        keep = f"rename the column, to class, say, and --use 'class={TARGET}category' keeps them"
    yield (
        f"{profile.name}: {empty} of {rows} rows have no label, and ingest refuses them. To"
        f" pre-train on them too, {keep}."
    )
