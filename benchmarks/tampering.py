"""Objects changed on the server's side: what a pull does about them, for each kind of remote.

Real servers on loopback, the outputs of a whole run on 120 rows. One object at a time is changed,
then fetched in a fresh clone. It is refused when the commands fail and no file reaches the clone,
or the folder that it lies in, that the first one has not.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from fuseline.contracts import hash_file
from tests.support.servers import SERVERS, SSHD
from tests.support.team import Member, Team
from tests.support.workspace import Workspace

SEED = 20_003
# Of lists, and as many of files.
CASES_PER_DAMAGE = 2
Damage = Callable[[bytes, bytes, random.Random], bytes]
WAYS = {
    "dvc pull without verify": "dvc remote modify --local team verify false && dvc pull {out}",
    "dvc pull": "dvc pull {out}",
    "fuseline check-remote, dvc pull": "fuseline check-remote && dvc pull {out}",
}


def _flip(content: bytes, _: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _truncate(content: bytes, _: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _extend(content: bytes, other: bytes, rng: random.Random) -> bytes:
    return content + other[: rng.randrange(1, len(other))]


DAMAGES: dict[str, Damage] = {
    "flip": _flip,
    "truncate": _truncate,
    "extend": _extend,
    "swap": lambda _content, other, _rng: other,
    "empty": lambda _content, _other, _rng: b"",
}


@dataclass(frozen=True)
class Case:
    """An object of an output, the list of a folder's files or a file, and its new content."""

    damage: str
    out: str
    oid: str
    content: bytes


def main(
    finished: Workspace | None = None,
    kinds: Sequence[str] = tuple(SERVERS),
    ways: Sequence[str] = tuple(WAYS),
    damages: Sequence[str] = tuple(DAMAGES),
    count: int = CASES_PER_DAMAGE,
) -> None:
    """Print how many of the changed objects each way of pulling refuses, for each kind of remote.

    Args:
        finished: a small repository after its first `dvc repro`, to save making one.
        kinds: of remotes.
        ways: of pulling.
        damages: what is done to objects.
        count: of lists that each damage is done to, and of files.
    """
    with tempfile.TemporaryDirectory(prefix="fuseline-tampering-") as folder:
        if finished is None:
            finished = Workspace.create(Path(folder) / "finished")
            finished.repro()
        for kind in kinds:
            if kind == "ssh" and not SSHD:
                print("ssh: not measured, no sshd here")
                continue
            root = Path(folder) / kind
            (root / "server").mkdir(parents=True)
            with SERVERS[kind](root / "server") as running:
                team = Team.found(kind, running, finished, root)
                measure(team, root, ways, list(_cases(team, damages, count)))


def measure(team: Team, root: Path, ways: Sequence[str], cases: Sequence[Case]) -> None:
    """Print how many of the changed objects each way of pulling refuses."""
    joined = team.join(root / "joined")
    for place, way in enumerate(ways):
        command = WAYS[way]
        # What is refused for another reason than its change would count for nothing.
        unchanged = Case("none", cases[0].out, cases[0].oid, team.stored(cases[0].oid).read_bytes())
        good = root / f"{place}-unchanged"
        assert not _refused(team, joined, unchanged, command, good), way
        taken = [
            case
            for number, case in enumerate(cases)
            if not _refused(team, joined, case, command, root / f"{place}-{number}")
        ]
        kinds = Counter(
            f"{case.damage} of a {'list' if case.oid.endswith('.dir') else 'file'}"
            for case in taken
        )
        said = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
        print(f"{team.kind}: {way}: {len(cases) - len(taken)} of {len(cases)} refused", end="")
        print(f"; delivered: {said}" if taken else "", flush=True)


def _cases(team: Team, damages: Sequence[str], count: int) -> Iterator[Case]:
    rng = random.Random(SEED)
    lists = sorted(_folders(team).items())
    files = sorted({(out, oid) for out, list_ in lists for oid in _files(team, list_)})
    for damage in damages:
        for objects in (lists, files):
            for out, oid in rng.sample(objects, count):
                content = team.stored(oid).read_bytes()
                _, other = rng.choice([item for item in objects if item[1] != oid])
                yield Case(
                    damage, out, oid, DAMAGES[damage](content, team.stored(other).read_bytes(), rng)
                )


def _folders(team: Team) -> dict[str, str]:
    """The pipeline's folders in the remote, to the hashes of their lists."""
    stages = YAML(typ="safe").load(team.first.workspace.lock)["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    return {
        path: oid
        for path, oid in outs.items()
        if oid.endswith(".dir") and team.stored(oid).exists()
    }


def _files(team: Team, oid: str) -> list[str]:
    return [entry["md5"] for entry in json.loads(team.stored(oid).read_bytes())]


def _refused(team: Team, joined: Member, case: Case, command: str, root: Path) -> bool:
    # In a folder of its own, so that what is written outside of the clone is seen.
    clone = Member(Workspace(root / "clone"), joined.own)
    shutil.copytree(joined.root, clone.root)
    before = _hashes(clone)
    with team.tampered({case.oid: case.content}):
        status = clone.run(command.format(out=case.out)).returncode
    return status != 0 and not _strange(before, clone, team.first)


def _strange(before: dict[Path, str], clone: Member, first: Member) -> list[Path]:
    """Files in a clone or beside it that are new there, and not those of the first clone."""
    parent = clone.root.parent
    return [
        path
        for path, sha256 in _hashes(clone).items()
        if before.get(path) != sha256
        and (
            not (parent / path).is_relative_to(clone.root)
            or not (origin := first.root / (parent / path).relative_to(clone.root)).is_file()
            or hash_file(origin) != sha256
        )
    ]


def _hashes(clone: Member) -> dict[Path, str]:
    """Files in a clone and beside it to their hashes, but for what DVC keeps for itself."""
    own = [clone.root / ".dvc" / name for name in ("cache", "tmp", "config.local")]
    own += [clone.home, clone.root.with_name(f"{clone.root.name}-dvc")]
    return {
        path.relative_to(clone.root.parent): hash_file(path)
        for path in clone.root.parent.rglob("*")
        if path.is_file() and not any(path.is_relative_to(place) for place in own)
    }


if __name__ == "__main__":
    main()
