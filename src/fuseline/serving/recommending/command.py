"""What `fuseline recommend` does with its options."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.serving.recommending.catalogue import History
from fuseline.serving.recommending.filters import Condition
from fuseline.serving.recommending.given import history_of, read_events
from fuseline.serving.recommending.lists import write_lists
from fuseline.serving.recommending.reasons import Why
from fuseline.serving.recommending.recommender import Recommended, Recommender, load_recommender

GIVE_HISTORY = (
    'To recommend to somebody new, write what they used to a file, such as ["ID", "ID"], and give'
    " it with --history FILE.json; an empty list, [], asks for what is popular."
)
NOTHING_KNOWN = "No history: ranked by what is popular and by the items' own worth."
NOTHING_FITS = "No item is left to list. Loosen --where, or add --include-seen."
# Of a title in a terminal.
WIDTH = 60


@dataclass(frozen=True)
class Asked:
    """How lists are made.

    Attributes:
        where: conditions as written.
    """

    model: Path
    count: int
    where: Sequence[str]
    diversity: float
    include_seen: bool

    def options(self) -> dict[str, Any]:
        """Of `Recommender.recommend` and `write_lists`.

        Raises:
            ConfigError: a condition is none.
        """
        return {
            "count": self.count,
            "where": [Condition.of(one, "--where") for one in self.where],
            "diversity": self.diversity,
            "seen": self.include_seen,
        }


def check_choice(
    user: str | None, history: Path | None, all_users: bool, output: Path | None
) -> None:
    """Hold to one person or all of them.

    Raises:
        ConfigError: none or several are named, or a file is missing or too many.
    """
    if sum([user is not None, history is not None, all_users]) != 1:
        raise ConfigError(
            "expected one of --user U, --history FILE.json, and --all-users -o lists.parquet. Name"
            " one of them."
        )
    if all_users != (output is not None):
        raise ConfigError(
            "--output: goes with --all-users, and --all-users with it. Write"
            " --all-users -o lists.parquet, or leave both out."
        )


def recommend_all(asked: Asked, output: Path) -> str:
    """Write the lists of all known users; what was done."""
    options = asked.options()
    num_users = write_lists(load_recommender(asked.model), output, **options)
    return f"{output}: lists of {num_users} users, {asked.count} items each at most."


def recommend_one(asked: Asked, user: str | None, history: Path | None) -> tuple[str, str]:
    """The list of one person as a terminal shows it, and as JSON.

    Raises:
        ConfigError: the user is unknown, or the history is wrong.
    """
    options = asked.options()
    recommender = load_recommender(asked.model)
    found = _history(recommender, user, history)
    listed = recommender.recommend(found, **options)
    if not listed:
        print(NOTHING_FITS, file=sys.stderr)
    known = bool(len(found.items))
    content = {
        "basis": "history" if known else "popularity",
        "items": [one.as_object() for one in listed],
    }
    lines = [_described(one) for one in listed]
    return "\n".join(lines if known else [NOTHING_KNOWN, *lines]), json.dumps(
        content, ensure_ascii=False
    )


def _history(recommender: Recommender, user: str | None, path: Path | None) -> History:
    if path is not None:
        as_of, items = recommender.facts.as_of, recommender.items
        found, unknown = history_of(read_events(path), items, as_of, str(path))
        if unknown:
            shown = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
            print(f"{path}: left out, as no item here: {shown}", file=sys.stderr)
        return found
    known = recommender.users.find(user or "")
    if known is None:
        raise ConfigError(
            f"--user: nothing is known of '{user}': expected one of the {len(recommender.users)}"
            f" users of the export. {GIVE_HISTORY}"
        )
    return known


def _described(one: Recommended) -> str:
    """As people read it: the title, the score, and what spoke for it."""
    title = _short(one.text or one.id)
    return f"{one.rank:>3}. {title}  [{one.id}]  score {one.score:.3f}\n     {_because(one.why)}"


def _because(found: Why) -> str:
    reasons = [(f"“{_short(one.text or one.id)}”", one.share) for one in found.history]
    reasons += [("its popularity", found.popularity.share), ("itself", found.constant.share)]
    said = [f"{name} {share:.0%}" for name, share in reasons if share >= 0.005]
    alone = sorted(found.modalities.items(), key=lambda one: -one[1].adds)
    most = f"; by its {alone[0][0]} most" if len(alone) > 1 and alone[0][1].adds > 0 else ""
    return f"because of {', '.join(said)}{most}" if said else "nothing spoke for it"


def _short(text: str) -> str:
    # What a terminal would obey is left out.
    line = "".join(one for one in " ".join(text.split()) if one.isprintable())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
