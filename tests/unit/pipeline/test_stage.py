"""The frame of a stage: all outputs or none, and a message where something is amiss."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from fuseline.errors import ContractError
from fuseline.pipeline import environment
from fuseline.pipeline.metrics_file import read_metrics, write_metrics
from fuseline.pipeline.provenance import stage_hashes
from fuseline.pipeline.stage import FINISHED, UNRECORDED_SECONDS, StageRun, leaf, run_stage
from tests.support.examples_tables import write_examples
from tests.support.no_locks import without_locks
from tests.support.repository import REPOSITORY

SOURCE, FOLDER, METRICS = Path("source.txt"), Path("out/folder"), Path("metrics/it.json")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    (tmp_path / "code.json").write_text('{"report": "abc"}')
    (tmp_path / SOURCE).write_text("rows")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def frame(**changes: object):
    arguments = {"params": ["report"], "inputs": [SOURCE], "outputs": [FOLDER, METRICS]}
    return run_stage("report", **(arguments | changes))


def write_outputs(run: StageRun, content: str = "new") -> None:
    run.out(FOLDER).mkdir()
    (run.out(FOLDER) / "part").write_text(content)
    write_metrics(run.out(METRICS), {"rows": 1}, headline=["rows"])


def test_outputs_appear_when_the_stage_ends(root: Path) -> None:
    with frame() as run:
        write_outputs(run)
        assert not FOLDER.exists()
    assert (FOLDER / "part").read_text() == "new"
    assert read_metrics(METRICS) == {"rows": 1}
    assert list(root.rglob("*.partial")) == []


def test_a_weight_of_a_label_that_no_row_has_stops_a_stage_that_reads_examples(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("class_weights: none", "class_weights: {bea: 2}"))
    examples = write_examples(root / "data/examples", [{"label": "ant"}, {"label": "bee"}])
    with frame() as run:
        write_outputs(run)
    with pytest.raises(SystemExit), frame(inputs=[examples.relative_to(root)]):
        raise AssertionError("the stage's work began")
    said = capsys.readouterr().err
    assert "finetune.class_weights.bea: expected a label of data/examples, label (ant, bee)" in said


def test_outputs_replace_older_ones_whole() -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "old").write_text("old")
    with frame() as run:
        write_outputs(run)
    assert [path.name for path in FOLDER.iterdir()] == ["part"]


@pytest.mark.parametrize("error", [ContractError("rows are missing"), RuntimeError("a bug")])
def test_a_failing_stage_leaves_older_outputs_alone(error: Exception) -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "old").write_text("old")
    with pytest.raises((SystemExit, RuntimeError)), frame() as run:
        write_outputs(run)
        raise error
    assert [path.name for path in FOLDER.iterdir()] == ["old"]
    assert not METRICS.exists()


def test_what_a_failed_run_left_is_cleared_by_the_next() -> None:
    with pytest.raises(RuntimeError), frame() as run:
        write_outputs(run, "torn")
        (run.out(FOLDER) / "torn").write_text("torn")
        raise RuntimeError
    with frame() as run:
        write_outputs(run)
    assert [path.name for path in FOLDER.iterdir()] == ["part"]


def test_a_users_error_is_one_message_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, frame():
        raise ContractError("examples: expected rows, found none.")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "\nreport: examples: expected rows, found none.\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), frame():
        _ = 1 / 0


def test_a_full_disk_is_one_message_and_leaves_the_progress(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, frame() as run:
        run.work.mkdir()
        write_outputs(run, "torn")
        raise OSError(errno.ENOSPC, "No space left on device", "out/big.parquet")
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "\nreport: out/big.parquet: No space left on device. Free some space where the stage writes"
        " (.checkpoints/, metrics/, out/), then run `dvc repro` again: it goes on with what was"
        " finished.\n"
    )
    assert run.work.exists()
    assert list(root.rglob("*.partial")) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_once_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    without_locks(monkeypatch, number)
    for _ in range(2):
        with frame() as run:
            run.work.mkdir(exist_ok=True)
            write_outputs(run)
    assert (FOLDER / "part").read_text() == "new"
    assert capsys.readouterr().err.count("keeps no locks") == 1


def test_outputs_are_on_the_disk_before_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with frame() as run:
        write_outputs(run)
        part = str((run.out(FOLDER) / "part").absolute())
        assert part not in synced
    assert part in synced
    assert str(FOLDER.parent.absolute()) in synced


def stop(capsys: pytest.CaptureFixture[str], **changes: object) -> str:
    """The message with which the frame stops a stage that writes its outputs."""
    with pytest.raises(SystemExit) as caught, frame(**changes) as run:
        write_outputs(run)
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_an_output_that_was_not_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    message = stop(capsys, outputs=[FOLDER, METRICS, Path("out/more")])
    assert "out/more: the stage declared this output but did not write it" in message


def test_an_output_that_was_not_declared_has_no_place() -> None:
    with pytest.raises(KeyError), frame(outputs=[FOLDER]) as run:
        write_outputs(run)


def test_an_input_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    message = stop(capsys, inputs=[Path("gone.txt")])
    assert "gone.txt: input not found. Run `dvc repro`, or `dvc pull`" in message


def test_an_input_that_changed_meanwhile_stops_the_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit), frame() as run:
        write_outputs(run)
        SOURCE.write_text("other rows")
    assert "source.txt: changed while the stage ran" in capsys.readouterr().err
    assert not FOLDER.exists()


def test_a_file_added_to_an_input_folder_stops_the_stage(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("folder")
    folder.mkdir()
    with pytest.raises(SystemExit), frame(inputs=[folder]) as run:
        write_outputs(run)
        (folder / "late").write_text("late")
    assert "folder: changed while the stage ran" in capsys.readouterr().err


def test_an_input_written_anew_with_the_same_content_is_no_change() -> None:
    with frame() as run:
        write_outputs(run)
        SOURCE.write_text("rows")
    assert FOLDER.exists()


def test_wrong_params_of_any_section_stop_before_the_work(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("salt: 0", "slat: 0"))
    with pytest.raises(SystemExit), frame():
        pytest.fail("the work began")
    assert "ingest.split.slat: unknown key" in capsys.readouterr().err


def test_without_code_hashes_the_stage_says_how_to_make_them(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "code.json").unlink()
    assert "code.json: not found. Run `dvc repro code`" in stop(capsys)


def fingerprint(**changes: object) -> str:
    with frame(**changes) as run:
        write_outputs(run)
    return run.fingerprint


def test_the_fingerprint_is_of_params_code_inputs_and_cell(root: Path) -> None:
    found = [fingerprint(), fingerprint(cell="image")]
    SOURCE.write_text("other rows")
    found.append(fingerprint())
    (root / "code.json").write_text('{"report": "other"}')
    found.append(fingerprint())
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("num_examples: 24", "num_examples: 23"))
    found.append(fingerprint())
    assert len(set(found)) == len(found)


def test_the_fingerprint_is_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    assert fingerprint() == before
    monkeypatch.setattr(environment, "current", lambda: {"packages": {"torch": "0.1"}})
    assert fingerprint() != before


def test_who_made_the_outputs_is_recorded_beside_them() -> None:
    with frame(cell="image") as run:
        write_outputs(run)
        assert not environment.RECORD_FILE.exists()
    record = environment.read_record()
    assert environment.made_by(Path(), "report@image") is not None
    assert set(record["stages"]["report@image"]["outs"]) == {str(FOLDER), str(METRICS)}


def test_outputs_do_not_depend_on_the_record(root: Path) -> None:
    fingerprints = [fingerprint()]
    environment.RECORD_FILE.unlink()
    fingerprints.append(fingerprint())
    assert fingerprints[0] == fingerprints[1]


def test_a_torn_record_stops_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    environment.RECORD_FILE.write_text("<<<<<<< HEAD")
    with pytest.raises(SystemExit), frame():
        pytest.fail("the work began")
    assert "environment.json: expected a record of environments" in capsys.readouterr().err


def test_too_few_cores_are_one_clear_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "available_cores", lambda: 1)
    fingerprint(params=["report"])
    assert capsys.readouterr().err == ""
    fingerprint(params=["base.num_threads"])
    assert capsys.readouterr().err == (
        "report: 1 core for base.num_threads = 2: slower, but the same results, since the number"
        " of threads stays as set.\n"
    )


def test_the_fingerprint_leaves_out_what_the_stage_does_not_read(root: Path) -> None:
    before = fingerprint()
    (root / "code.json").write_text('{"report": "abc", "ingest": "new"}')
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("seed: 17", "seed: 18"))
    assert fingerprint() == before


@pytest.fixture
def progressed() -> StageRun:
    """A run that failed after some work."""
    with pytest.raises(RuntimeError), frame() as run:
        run.work.mkdir()
        (run.work / "step").write_text("3")
        raise RuntimeError
    return run


def record(root: Path, seconds_ago: float, hashes: str | None = None) -> None:
    """Write DVC's lock file, with the hash of the metrics file, as of some seconds ago."""
    if hashes is None:
        hashes = hashlib.md5(METRICS.read_bytes()).hexdigest() if METRICS.exists() else ""
    (root / "dvc.lock").write_text(f"md5: {hashes}")
    moment = time.time() - seconds_ago
    os.utime(root / "dvc.lock", (moment, moment))


def test_work_is_not_gone_on_with_where_the_code_is_other_than_its_hash(
    progressed: StageRun, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "src").mkdir()
    (root / "stages").mkdir()
    (root / "stages/report.py").write_text("x = 1")
    with pytest.raises(SystemExit), frame():
        pytest.fail("the work began")
    assert "Run `dvc repro code` first" in capsys.readouterr().err


def test_work_is_gone_on_with_where_the_code_is_as_hashed(root: Path) -> None:
    (root / "src").mkdir()
    (root / "stages").mkdir()
    (root / "stages/report.py").write_text("x = 1")
    (root / "code.json").write_text(json.dumps(stage_hashes(root / "src", root / "stages")))
    for step in ("1", "2"):
        with pytest.raises(RuntimeError), frame() as run:
            run.work.mkdir(exist_ok=True)
            (run.work / step).touch()
            raise RuntimeError
    assert len(list(run.work.iterdir())) == 2


def test_finished_work_that_another_run_reads_stays(progressed: StageRun, root: Path) -> None:
    with frame() as run:
        write_outputs(run)
    marker = (run.work / FINISHED).read_text()
    context = multiprocessing.get_context("fork")
    started, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(started, release))
    other.start()
    try:
        assert started.wait(30)
        (run.work / FINISHED).write_text(marker)
        record(root, seconds_ago=-60)
        with frame(outputs=[], cell="other"):
            assert (run.work / "step").exists()
    finally:
        release.set()
        other.join()


def test_finished_work_that_nothing_records_goes_in_time(progressed: StageRun) -> None:
    with frame() as run:
        write_outputs(run)
    moment = time.time() - 2 * UNRECORDED_SECONDS
    os.utime(run.work / FINISHED, (moment, moment))
    with frame() as run:
        assert not run.work.exists()
        write_outputs(run)


def test_progress_outlives_a_failure_and_success_until_it_is_recorded(
    progressed: StageRun, root: Path
) -> None:
    record(root, seconds_ago=60)
    for _ in range(2):
        with frame() as run:
            assert (run.work / "step").read_text() == "3"
            write_outputs(run)
    record(root, seconds_ago=-60, hashes="of other outputs")
    with frame() as run:
        assert (run.work / "step").exists()
        write_outputs(run)
    record(root, seconds_ago=-60)
    with frame() as run:
        assert not run.work.exists()
        write_outputs(run)


def test_progress_of_a_failed_run_outlives_what_others_record(
    progressed: StageRun, root: Path
) -> None:
    record(root, seconds_ago=-60)
    with frame(outputs=[]):
        assert (progressed.work / "step").exists()


def test_a_changed_input_starts_without_the_progress_of_another() -> None:
    with pytest.raises(RuntimeError), frame() as run:
        run.work.mkdir()
        raise RuntimeError
    SOURCE.write_text("other rows")
    with frame() as other:
        assert other.work != run.work
        write_outputs(other)


def hold(started, release) -> None:
    with frame(outputs=[]):
        started.set()
        release.wait(30)


def test_the_second_run_at_once_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("fork")
    started, release = context.Event(), context.Event()
    first = context.Process(target=hold, args=(started, release))
    first.start()
    try:
        assert started.wait(30)
        assert "another run of stage 'report' is at work here" in stop(capsys)
    finally:
        release.set()
        first.join(30)
    assert first.exitcode == 0


def test_leaf_follows_a_dotted_key() -> None:
    assert leaf({"a": {"b": {"c": 1}}}, "a.b.c") == 1
