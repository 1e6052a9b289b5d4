"""A store that may be lost, damaged, shared or full, and never says anything wrong."""

import errno
import fcntl
import multiprocessing
import os
import signal
import sqlite3
import time
import warnings

import pytest

from fuseline.data.modalities.extraction.feature_cache import (
    FeatureCache,
    cache_bytes,
    cache_folder,
)
from fuseline.errors import ConfigError

MEGABYTE = 1_000_000


@pytest.fixture
def cache(tmp_path):
    cache = FeatureCache(tmp_path / "cache", MEGABYTE)
    yield cache
    cache.close()


def file_of(tmp_path):
    return tmp_path / "cache" / "features.sqlite"


def test_what_was_put_is_got_also_by_another_process_later(cache, tmp_path):
    cache.put({b"a": b"one", b"b": b""})
    assert cache.get([b"a", b"b", b"c", b"a"]) == {b"a": b"one", b"b": b""}
    assert FeatureCache(tmp_path / "cache", MEGABYTE).get([b"a"]) == {b"a": b"one"}


def test_an_entry_may_be_replaced(cache):
    cache.put({b"a": b"one"})
    cache.put({b"a": b"another"})
    assert cache.get([b"a"]) == {b"a": b"another"}


def test_without_a_folder_or_a_size_nothing_is_kept(tmp_path):
    for cache in (FeatureCache(None, MEGABYTE), FeatureCache(tmp_path / "cache", 0)):
        cache.put({b"a": b"one"})
        assert cache.get([b"a"]) == {}
    assert not (tmp_path / "cache").exists()


def test_the_least_recently_used_leave_first_and_the_file_stays_small(cache, tmp_path):
    for number in range(9):
        cache.put({b"%d" % number: bytes([number]) * 100_000})
    assert len(cache.get([b"0"])) == 1
    for number in range(9, 12):
        cache.put({b"%d" % number: bytes([number]) * 100_000})
    kept = set(cache.get([b"%d" % number for number in range(12)]))
    assert b"0" in kept
    assert b"11" in kept
    assert b"1" not in kept
    for number in range(100):
        cache.put({b"more %d" % number: bytes([number]) * 100_000})
    cache.close()
    assert file_of(tmp_path).stat().st_size < 1.5 * MEGABYTE


def test_a_smaller_limit_shrinks_the_file(cache, tmp_path):
    cache.put({b"%d" % number: os.urandom(90_000) for number in range(10)})
    cache.close()
    small = FeatureCache(tmp_path / "cache", 200_000)
    small.put({b"new": b"new"})
    assert small.get([b"new"]) == {b"new": b"new"}
    small.close()
    assert file_of(tmp_path).stat().st_size < 400_000


def test_a_damaged_content_counts_as_absent_and_can_be_put_again(cache, tmp_path):
    cache.put({b"a": b"one" * 100, b"b": b"two"})
    cache.close()
    content = file_of(tmp_path).read_bytes()
    assert content.count(b"oneone") > 0
    file_of(tmp_path).write_bytes(content.replace(b"oneone", b"onfone"))
    assert cache.get([b"a", b"b"]) == {b"b": b"two"}
    cache.put({b"a": b"one"})
    assert cache.get([b"a"]) == {b"a": b"one"}


def test_contents_that_changed_places_count_as_absent(cache, tmp_path):
    cache.put({b"a": b"one", b"b": b"two"})
    cache.close()
    database = sqlite3.connect(file_of(tmp_path))
    with database:
        database.execute("UPDATE contents SET id = -id")
        database.execute("UPDATE contents SET id = id + 3")
    database.close()
    assert cache.get([b"a", b"b"]) == {}


@pytest.mark.parametrize("damage", ["junk", "truncated", "empty", "middle", "layout"])
def test_a_damaged_file_is_begun_anew_with_a_warning(cache, tmp_path, damage):
    entries = {b"%d" % number: os.urandom(30_000) for number in range(20)}
    cache.put(entries)
    cache.close()
    path = file_of(tmp_path)
    content = path.read_bytes()
    half = len(content) // 2
    if damage == "layout":
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 99")
        database.close()
    else:
        path.write_bytes(
            {
                "junk": b"no database at all" * 1000,
                "truncated": content[:half],
                "empty": b"",
                "middle": content[:16384] + b"\xff" * half + content[16384 + half :],
            }[damage]
        )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = cache.get(entries)
        assert all(entries[key] == value for key, value in found.items())
        cache.put({b"new": b"new"})
        if b"new" not in cache.get([b"new"]):
            cache.put({b"new": b"new"})
        assert cache.get([b"new"]) == {b"new": b"new"}
    assert damage == "empty" or "begun anew" in str(said[0].message)


def test_a_folder_that_cannot_be_written_costs_only_a_warning(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = FeatureCache(tmp_path / "cache", MEGABYTE)
    with pytest.warns(UserWarning, match="Features are computed without it"):
        cache.put({b"a": b"one"})
    assert cache.get([b"a"]) == {}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_costs_only_a_warning(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    cache = FeatureCache(tmp_path, 10**6)
    with pytest.warns(UserWarning, match=f"{os.strerror(number)}. Features are computed without"):
        cache.put({b"key": b"content"})
    assert cache.get([b"key"]) == {}
    assert list(tmp_path.iterdir()) == []


def write_for_ever(folder, begun):
    cache = FeatureCache(folder, 50 * MEGABYTE)
    for number in range(100_000):
        pair = {b"%d %d" % (number, half): bytes([number % 251]) * 50_000 for half in (0, 1)}
        cache.put(pair)
        begun.set()


def test_a_kill_at_any_moment_leaves_all_of_a_put_or_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    for attempt in range(3):
        begun = context.Event()
        process = context.Process(target=write_for_ever, args=(tmp_path / "cache", begun))
        process.start()
        assert begun.wait(60)
        time.sleep(0.01 * (1 + 3 * attempt))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        cache = FeatureCache(tmp_path / "cache", 50 * MEGABYTE)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = cache.get([b"%d %d" % (n, half) for n in range(500) for half in (0, 1)])
            cache.put({b"after": b"the kill"})
        cache.close()
        assert len(found) >= 2
        for number in range(500):
            assert (b"%d 0" % number in found) == (b"%d 1" % number in found)


def write_some(folder, name):
    cache = FeatureCache(folder, 50 * MEGABYTE)
    for number in range(60):
        cache.put({b"%s %d" % (name, number): name * 2000})


def test_processes_share_a_cache(tmp_path):
    context = multiprocessing.get_context("spawn")
    names = [b"one", b"two"]
    processes = [
        context.Process(target=write_some, args=(tmp_path / "cache", name)) for name in names
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    keys = [b"%s %d" % (name, number) for name in names for number in range(60)]
    assert set(FeatureCache(tmp_path / "cache", 50 * MEGABYTE).get(keys)) == set(keys)


def test_the_folder_is_the_main_repository_s(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert cache_folder() == tmp_path / ".feature_cache"


def test_the_environment_sets_the_size(monkeypatch):
    monkeypatch.delenv("FUSELINE_FEATURE_CACHE_GB", raising=False)
    assert cache_bytes() == 8_000_000_000
    monkeypatch.setenv("FUSELINE_FEATURE_CACHE_GB", "0.5")
    assert cache_bytes() == 500_000_000
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("FUSELINE_FEATURE_CACHE_GB", wrong)
        with pytest.raises(ConfigError, match=f"gigabytes, 0 or more, found '{wrong}'"):
            cache_bytes()
