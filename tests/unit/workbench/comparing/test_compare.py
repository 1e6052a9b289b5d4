"""What `fuseline compare` says of made revisions."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from scipy.stats import binomtest, fisher_exact
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.errors import ConfigError, ContractError
from fuseline.workbench.comparing.compare import compare
from tests.support.compared_repositories import Made, Repository

NONE = Made()
FEW, SOME, MANY = (Made(frozenset(range(count))) for count in (4, 20, 60))
ELSEWHERE = Made(frozenset(range(60, 82)))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repository")


def line(text: str, start: str) -> str:
    (found,) = (one.strip() for one in text.splitlines() if one.strip().startswith(start))
    return found


def p_value(sentence: str) -> float:
    found = re.search(r"\(p ([\d.e-]+), 120 rows\)", sentence)
    assert found is not None, sentence
    return float(found[1])


def test_a_large_difference_is_real_and_a_small_one_is_not(repository: Repository) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.commit("b", {"finetuned": SOME})
    repository.commit("c", {"finetuned": ELSEWHERE})
    real = line(compare(repository.root, ["a", "b"]), "finetuned: accuracy")
    assert real.startswith("finetuned: accuracy +0.333 [+0.")
    assert ": real (p " in real
    chance = line(compare(repository.root, ["b", "c"]), "finetuned: accuracy")
    assert chance.startswith("finetuned: accuracy -0.017 [-0.")
    assert ": within chance (p " in chance
    # The smallest p of several tests counts once for each.
    exact = binomtest(20, 42).pvalue
    assert exact * 0.99 <= p_value(chance) <= 1.0


def test_the_table_has_a_column_per_revision(repository: Repository) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.commit("b", {"finetuned": SOME, "adversarial": FEW})
    text = compare(repository.root, ["a", "b"])
    assert text.splitlines()[0].split() == ["a", "b"]
    row = line(text, "finetuned accuracy")
    assert row.split(maxsplit=2)[2] == "0.500 [0.450, 0.550]   0.833 [0.783, 0.883]"
    assert line(text, "adversarial accuracy").split()[2] == "-"
    assert line(text, "finetuned twin accuracy").split()[3:] == ["0.800", "0.800"]
    assert "adversarial: not evaluated at a" in text


def test_more_tests_make_each_less_sure(repository: Repository) -> None:
    repository.commit("a", {"finetuned": NONE})
    for place, tag in enumerate("bcd"):
        repository.commit(tag, {"finetuned": Made(frozenset(range(7 * place, 7 * place + 7)))})
    alone = line(compare(repository.root, ["a", "b"]), "finetuned: accuracy")
    together = compare(repository.root, ["a", "b", "c", "d"])
    among = line(together.split("b against a")[1].split("c against a")[0], "finetuned: accuracy")
    exact = binomtest(0, 7).pvalue
    assert ": real (p " in alone
    # Three tests: the third is of robust accuracy, by its counts.
    assert p_value(alone) == pytest.approx(3 * exact, rel=0.05)
    assert ": within chance (p " in among
    assert p_value(among) > 3 * exact


def test_the_same_predictions_are_no_difference(repository: Repository) -> None:
    repository.commit("a", {"finetuned": SOME})
    repository.commit("b", {"finetuned": SOME})
    sentence = line(compare(repository.root, ["a", "b"]), "finetuned: accuracy")
    assert sentence.endswith("no difference, both predict the same of every row")


def test_figures_that_no_row_gives_are_compared_by_intervals(repository: Repository) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.commit("b", {"finetuned": NONE})
    repository.commit("c", {"finetuned": SOME})
    sentence = line(compare(repository.root, ["a", "b"]), "finetuned: calibration error")
    assert sentence == (
        "finetuned: calibration error -0.500: real, as the intervals are apart"
        " (weaker: not stored by row)"
    )
    repository.commit("d", {"finetuned": Made(frozenset(range(8)))})
    sentence = line(compare(repository.root, ["b", "d"]), "finetuned: calibration error")
    assert ": not told apart, intervals overlap (weaker: " in sentence


def test_shares_of_rows_that_are_not_stored_are_compared_by_their_counts(
    repository: Repository,
) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.commit("b", {"finetuned": NONE})
    repository.commit("c", {"finetuned": SOME})
    sentence = line(compare(repository.root, ["a", "b"]), "finetuned: robust accuracy")
    # The exact test of accuracy comes before it in Holm's correction, that of macro-F1 after it.
    exact = 2 * fisher_exact([[60, 60], [30, 90]]).pvalue
    assert sentence == (
        f"finetuned: robust accuracy +0.250: real (p {exact:.2g}, 60 of 120 against 30 of 120;"
        " weaker: not stored by row)"
    )
    sentence = line(compare(repository.root, ["b", "c"]), "finetuned: robust accuracy")
    assert ": within chance (p " in sentence


# Right of so many rows on either side, and whether that is a difference.
COUNTS = [
    ((4, 22), (0, 22), False),
    ((0, 22), (4, 22), False),
    ((22, 22), (18, 22), False),
    ((1, 1), (0, 1), False),
    ((3, 3), (0, 3), False),
    ((0, 5), (0, 9), False),
    ((8, 30), (3, 31), False),
    ((22, 22), (0, 22), True),
    ((20, 40), (1, 38), True),
    ((90, 120), (30, 100), True),
]


@pytest.mark.parametrize(("first", "other", "is_real"), COUNTS)
@pytest.mark.parametrize("bootstrapped", [True, False])
def test_counts_of_other_rows_are_told_apart_by_an_exact_test(
    repository: Repository,
    first: tuple[int, int],
    other: tuple[int, int],
    is_real: bool,
    bootstrapped: bool,
) -> None:
    """Intervals of earlier versions had no width at 0 and 1, and lay apart by that alone."""
    for tag, (right, rows) in (("a", first), ("b", other)):
        made = Made(frozenset(range(rows - right)), rows=rows, first_id=ord(tag))
        repository.write({"finetuned": made})
        metrics = made.metrics()
        if bootstrapped:
            share = right / rows
            half = 1.96 * (share * (1 - share) / rows) ** 0.5
            metrics["intervals"] = {
                name: {"low": metrics[name] - half, "high": metrics[name] + half}
                for name in ("accuracy", "macro_f1", "ece")
            }
        repository.rewrite("finetuned", metrics)
        repository.tag(tag)
    text = compare(repository.root, ["a", "b"])
    sentence = line(text, "finetuned: accuracy")
    told = f"{other[0]} of {other[1]} against {first[0]} of {first[1]}"
    assert f"{told}; weaker: other test rows" in sentence
    assert (": real (p " in sentence) == is_real
    assert (": within chance (p " in sentence) != is_real
    if not is_real:
        assert "real, as the intervals are apart" not in line(text, "finetuned: robust accuracy")


@pytest.mark.parametrize("of_one_value", [["a"], ["b"], ["a", "b"]])
def test_an_interval_without_a_width_tells_nothing(
    repository: Repository, of_one_value: list[str]
) -> None:
    for tag, made in (("a", NONE), ("b", Made(frozenset(range(4))))):
        repository.write({"finetuned": made})
        metrics = made.metrics()
        if tag in of_one_value:
            metrics["intervals"]["ece"] = dict.fromkeys(("low", "high"), metrics["ece"])
        repository.rewrite("finetuned", metrics)
        repository.tag(tag)
    sentence = line(compare(repository.root, ["a", "b"]), "finetuned: calibration error")
    assert sentence.endswith("cannot be told (not stored by row, and no intervals)")


def test_predictions_out_of_the_cache_leave_the_weaker_statement(repository: Repository) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.commit("b", {"finetuned": NONE}, cached=False)
    sentence = line(compare(repository.root, ["a", "b"]), "finetuned: accuracy")
    assert "120 of 120 against 60 of 120; weaker: predictions of b not in" in sentence
    assert "dvc pull" in sentence


@pytest.mark.parametrize("other", [Made(rows=100), Made(first_id=7)])
def test_other_test_rows_cannot_be_paired(repository: Repository, other: Made) -> None:
    repository.commit("a", {"finetuned": SOME})
    repository.commit("b", {"finetuned": other})
    sentence = line(compare(repository.root, ["a", "b"]), "finetuned: accuracy")
    assert f"; weaker: other test rows, 120 and {other.rows})" in sentence


def test_predictions_of_other_figures_are_not_used(repository: Repository) -> None:
    repository.commit("a", {"finetuned": SOME})
    repository.write({"finetuned": MANY})
    repository.rewrite("finetuned", MANY.metrics() | {"accuracy": 0.9})
    text = compare(repository.root, ["a"])
    assert "; weaker: the predictions do not give the figures)" in line(text, "finetuned: accuracy")
    assert "120 rows" in line(text, "finetuned: macro-F1")


def test_metrics_of_another_form_do_not_hide_the_rest(repository: Repository) -> None:
    repository.commit("a", {"finetuned": SOME})
    repository.write({"finetuned": MANY})
    metrics = MANY.metrics() | {"accuracy": {"mean": 0.5}, "twin": 0.5}
    del metrics["task"]
    repository.rewrite("finetuned", metrics)
    text = compare(repository.root, ["workspace", "a"])
    assert line(text, "finetuned accuracy").split()[2] == "?"
    assert line(text, "finetuned macro-F1").split()[2] == "0.500"
    assert "?: the metrics of that revision have another form" in text


def test_one_revision_is_compared_with_the_workspace(repository: Repository) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.write({"finetuned": NONE})
    text = compare(repository.root, ["a"])
    assert text.splitlines()[0].split() == ["a", "workspace"]
    assert "workspace against a" in text
    assert ": real (p " in line(text, "finetuned: accuracy +0.500")


def test_experiments_are_known_by_name(repository: Repository) -> None:
    baseline = repository.commit("a", {"finetuned": MANY})
    repository.experiment("brave-fox", {"finetuned": NONE}, baseline=baseline)
    assert "brave-fox against a" in compare(repository.root, ["a", "brave-fox"])


def test_an_experiment_of_the_commit_that_is_checked_out_comes_first(
    repository: Repository,
) -> None:
    commits = [repository.commit(tag, {"finetuned": SOME}) for tag in "ab"]
    for baseline in commits:
        repository.experiment("twice", {"finetuned": NONE}, baseline=baseline)
    assert "twice against a" in compare(repository.root, ["a", "twice"])
    repository.commit("c", {"finetuned": SOME})
    with pytest.raises(ConfigError, match="experiments of 2 commits have this name"):
        compare(repository.root, ["a", "twice"])


def test_figures_older_than_their_models_are_not_shown(repository: Repository) -> None:
    repository.commit("a", {"finetuned": SOME})
    repository.commit("b", {"finetuned": MANY}, evaluated=False)
    with pytest.raises(ContractError, match=r"b: its metrics/evaluate/\*.json are older than"):
        compare(repository.root, ["a", "b"])


def test_figures_that_no_stage_wrote_are_left_out(repository: Repository) -> None:
    repository.commit("a", {"finetuned": SOME, "adversarial": FEW})
    path = repository.root / "metrics/evaluate/adversarial.json"
    path.write_text(path.read_text() + "\n")
    text = compare(repository.root, ["a"])
    assert (
        "workspace: metrics/evaluate/adversarial.json is not what dvc.lock records: run `dvc repro`"
        in text.splitlines()
    )
    assert line(text, "adversarial accuracy").endswith("  -")
    assert "adversarial: " not in text
    assert line(text, "finetuned accuracy").split()[2] == "0.833"


def test_what_a_stage_was_once_called_says_nothing(repository: Repository) -> None:
    """DVC leaves it in the lock file, before the stage as it is."""
    repository.commit("a", {"finetuned": SOME})
    lock = repository.root / "dvc.lock"
    locked = YAML(typ="safe").load(lock)
    outs = [out for stage in locked["stages"].values() for out in stage["outs"]]
    former = {"cmd": "train", "outs": [out | {"md5": "0" * 32} for out in outs]}
    locked["stages"] = {"former": former, **locked["stages"]}
    # Nor does it lead in a circle that a stage reads what it writes.
    trained = locked["stages"]["train@finetuned"]
    trained["deps"] = trained["outs"]
    YAML().dump(locked, lock)
    assert line(compare(repository.root, ["a"]), "finetuned accuracy").split()[2] == "0.833"


def test_few_shot_figures_are_held_to_the_lock_too(repository: Repository) -> None:
    repository.commit("a", {"finetuned": SOME})
    content = b'{"methods": {}}'
    (repository.root / "metrics/prompt.json").write_bytes(content)
    lock = repository.root / "dvc.lock"
    entry = {"path": "metrics/prompt.json", "md5": hashlib.md5(content).hexdigest()}
    locked = YAML(typ="safe").load(lock)
    locked["stages"]["prompt"] = {"cmd": "prompt", "outs": [entry]}
    YAML().dump(locked, lock)
    assert "metrics/prompt.json" not in compare(repository.root, ["a"])
    (repository.root / "metrics/prompt.json").write_text("{}")
    assert "workspace: metrics/prompt.json is not what" in compare(repository.root, ["a"])


@pytest.mark.parametrize("size", [0, 40])
@pytest.mark.parametrize("is_listing", [False, True])
def test_a_damaged_object_in_the_cache_is_named(
    repository: Repository, size: int, is_listing: bool
) -> None:
    repository.commit("a", {"finetuned": MANY})
    repository.commit("b", {"finetuned": SOME})
    for file in (repository.root / ".dvc/cache/files/md5").rglob("*"):
        if file.is_file() and (file.suffix == ".dir") == is_listing:
            file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ContractError, match=r"a damaged file in DVC's cache: .*Remove it, then"):
        compare(repository.root, ["a", "b"])


@pytest.mark.parametrize(
    ("revisions", "message"),
    [
        (["a", "nonsense"], "'nonsense': neither a git revision nor an experiment"),
        (["a", "brave-fix"], "Experiments here: brave-fox. Did you mean 'brave-fox'?"),
        (["a", "empty"], "empty: has no metrics/evaluate/*.json. Run `dvc repro`"),
        (["a", "a"], "'a': named twice"),
        (["a", "broken"], "broken: metrics/evaluate/finetuned.json: expected a mapping of figures"),
        (["a", "edited"], "edited: metrics/evaluate/finetuned.json is not what dvc.lock records"),
        (["a", "half"], "half: dvc.lock: expected a lock file of DVC, found ParserError"),
        (["a", "other"], "other: dvc.lock: expected a lock file of DVC, found AttributeError"),
        (["a", "older"], "older: dvc.lock: expected a lock file of DVC, found KeyError: 'md5'"),
    ],
)
def test_wrong_revisions_end_with_2_and_a_message(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, revisions: list[str], message: str
) -> None:
    repository.commit("empty", {})
    baseline = repository.commit("a", {"finetuned": SOME})
    repository.experiment("brave-fox", {"finetuned": NONE}, baseline=baseline)
    repository.rewrite("finetuned", [])
    repository.tag("broken")
    (repository.root / "metrics/evaluate/finetuned.json").write_text("{}")
    repository.tag("edited")
    for tag, content in (
        ("half", "stages: {"),
        ("other", "[]"),
        ("older", "stages: {one: {cmd: one, outs: [{path: metrics/evaluate/finetuned.json}]}}"),
    ):
        (repository.root / "dvc.lock").write_text(content)
        repository.tag(tag)
    monkeypatch.chdir(repository.root)
    result = CliRunner().invoke(app, ["compare", *revisions])
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_elsewhere_than_in_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["compare", "HEAD"])
    assert result.exit_code == 2
    assert "not a git repository" in result.output


def test_without_a_revision_it_shows_how_to_name_some() -> None:
    result = CliRunner().invoke(app, ["compare"])
    assert result.exit_code == 2
    assert "fuseline compare HEAD~1 HEAD " in result.output
    assert "fuseline compare HEAD  " in result.output
