"""The frame of extraction: the same bytes whatever the cache holds, and nothing done twice."""

import json

import numpy as np
import pytest

from fuseline.contracts import features_schema, read_manifest, read_table
from fuseline.data.modalities.extraction import extract as extraction
from fuseline.data.modalities.extraction.extract import Extractor, Runtime, extract
from fuseline.data.modalities.extraction.feature_cache import FeatureCache
from fuseline.errors import ContractError
from tests.support.examples_tables import write_examples


class Letters:
    """Counts what it encodes: a text's length and first byte, at two positions."""

    shape = (2, 2)
    facts = {"encoder": "letters", "revision": "1"}  # noqa: RUF012

    def __init__(self):
        self.seen = []

    def encode(self, media):
        for medium in media:
            self.seen.append(medium.content)
            if medium.content == b"silent":
                yield None
            else:
                letter = medium.decoded(lambda content: content.decode("ascii")[0])
                value = [len(medium.content), ord(letter)]
                yield np.array([value, value[::-1]], np.float16)


class Run:
    """One extraction, and what it encoded."""

    def __init__(self, examples, name, cache=None, *, columns=("image",), size=1, machine="here"):
        self.encoder, self.loads = Letters(), 0
        self.folder = examples.parent / name
        runtime = Runtime(cache or FeatureCache(None, 0), {"processor": machine}, self.prepare)
        extractor = Extractor(columns[0], extraction.__name__, columns, {"size": size}, self.load)
        self.metrics = extract(examples, self.folder, extractor, runtime)

    def prepare(self):
        self.loads += 1

    def load(self):
        assert self.loads == 1
        return self.encoder

    @property
    def bytes(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    @property
    def values(self):
        table = read_table(self.folder, features_schema(2, 2), "features")
        return table.column("features").to_pylist()


MEDIA = [b"one", None, b"three", b"one", b"silent", b"six!", b"seven"]


@pytest.fixture
def examples(tmp_path):
    return write_examples(tmp_path / "examples", [{"image": content} for content in MEDIA])


@pytest.fixture
def cache(tmp_path):
    cache = FeatureCache(tmp_path / "cache", 10_000_000)
    yield cache
    cache.close()


def test_rows_shards_nulls_and_figures(examples):
    run = Run(examples, "f")
    assert run.values[:3] == [[3, 111, 111, 3], None, [5, 116, 116, 5]]
    assert [row for row, value in enumerate(run.values) if value is None] == [1, 4]
    manifest = read_manifest(run.folder, "features")
    assert manifest["shards"] == ["00000.parquet", "00001.parquet", "00002.parquet"]
    assert {key: manifest[key] for key in ("modality", "shape", "encoder", "revision")} == {
        "modality": "image",
        "shape": [2, 2],
        "encoder": "letters",
        "revision": "1",
    }
    norms = [np.hypot(len(m), m[0]) for m in MEDIA if m and m != b"silent"]
    assert run.metrics["mean_norm"] == pytest.approx(np.mean(norms), rel=1e-3)
    assert run.metrics["rows"] == 7
    assert run.metrics["missing"] == 2


def test_a_warm_cache_computes_nothing_and_changes_no_byte(examples, cache):
    without = Run(examples, "without")
    cold = Run(examples, "cold", cache)
    warm = Run(examples, "warm", cache)
    assert without.bytes == cold.bytes == warm.bytes
    assert without.metrics == cold.metrics == warm.metrics
    assert sorted(cold.encoder.seen) == sorted({m for m in MEDIA if m})
    assert warm.encoder.seen == []
    assert warm.loads == 0


def test_a_partial_cache_changes_no_byte(examples, cache, tmp_path):
    few = write_examples(tmp_path / "few" / "examples", [{"image": b"three"}, {"image": b"six!"}])
    Run(few, "f", cache)
    run = Run(examples, "partial", cache)
    assert run.bytes == Run(examples, "without").bytes
    assert sorted(run.encoder.seen) == [b"one", b"seven", b"silent"]


def test_rows_that_are_added_leave_older_shards_and_cost_only_themselves(examples, cache, tmp_path):
    first = Run(examples, "first", cache)
    grown = [{"image": content} for content in [*MEDIA[:6], b"seven", b"new"]]
    more = Run(write_examples(tmp_path / "more" / "examples", grown), "f", cache)
    assert more.encoder.seen == [b"new"]
    for name in ("00000.parquet", "00001.parquet"):
        assert more.bytes[name] == first.bytes[name]


def test_another_split_is_written_without_computing(cache, tmp_path):
    tables = []
    for split in ("train", "test"):
        rows = [{"image": content, "split": split} for content in MEDIA]
        run = Run(write_examples(tmp_path / split / "examples", rows), "f", cache)
        tables.append(read_table(run.folder, features_schema(2, 2), "features"))
    assert run.encoder.seen == []
    assert set(tables[1].column("split").to_pylist()) == {"test"}
    assert tables[0].column("features") == tables[1].column("features")


def test_other_params_another_machine_and_other_code_compute_anew(examples, cache, monkeypatch):
    Run(examples, "first", cache)
    assert Run(examples, "size", cache, size=2).encoder.seen
    assert Run(examples, "machine", cache, machine="there").encoder.seen
    monkeypatch.setattr(extraction, "code_hash", lambda _: "changed")
    assert Run(examples, "code", cache).encoder.seen


def test_a_damaged_entry_is_computed_anew(examples, cache, tmp_path):
    cold = Run(examples, "cold", cache)
    cache.close()
    path = tmp_path / "cache" / "features.sqlite"
    content = path.read_bytes()
    shard = (cold.folder / "00001.parquet").read_bytes()
    assert content.count(shard[:100]) == 1
    path.write_bytes(content.replace(shard[:100], bytes(100)))
    assert Run(examples, "again", cache).bytes == cold.bytes


def test_a_killed_run_is_taken_up_where_it_stopped(examples, cache, monkeypatch):
    def end(self, columns, progress):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        whole = extraction._Extraction._vectors
        steps = iter([whole, whole, end])

        def step(*given):
            return next(steps)(*given)

        patch.setattr(extraction._Extraction, "_vectors", step)
        with pytest.raises(KeyboardInterrupt):
            Run(examples, "killed", cache)
    run = Run(examples, "resumed", cache)
    assert run.encoder.seen == [b"seven"]
    assert run.bytes == Run(examples, "without").bytes


def test_the_first_column_that_a_row_has_is_taken(tmp_path):
    rows = [{"audio": b"one", "video": b"two"}, {"video": b"three"}, {"audio": b"four"}, {}]
    examples = write_examples(tmp_path / "examples", rows)
    run = Run(examples, "f", columns=("audio", "video"))
    assert [value and value[0] for value in run.values] == [3, 5, 4, None]


@pytest.mark.parametrize("media", [[None] * 4, [b"silent"] * 4])
def test_a_modality_that_no_row_has_gives_the_same_table_for_any_params(tmp_path, media, cache):
    examples = write_examples(tmp_path / "examples", [{"image": content} for content in media])
    runs = [Run(examples, f"size {size}", cache, size=size) for size in (1, 2)]
    assert runs[0].bytes == runs[1].bytes
    manifest = json.loads(runs[0].bytes["manifest.json"])
    assert manifest["shape"] == [1, 1]
    assert manifest["encoder"] == ""
    assert manifest["rows"] == runs[0].metrics["missing"] == 4
    assert runs[0].loads == (media[0] is not None)


def test_a_medium_that_cannot_be_decoded_is_named(tmp_path):
    rows = [{"image": b"fine"}, {"image": b"\xff\xff"}]
    examples = write_examples(tmp_path / "examples", rows)
    with pytest.raises(ContractError, match=r"row 'row-1': its image cannot be decoded"):
        Run(examples, "f")


def test_numbers_beyond_float16_are_refused(examples, monkeypatch):
    monkeypatch.setattr(
        Letters, "encode", lambda _, media: iter([np.full((2, 2), np.inf)] * len(media))
    )
    with pytest.raises(ContractError, match=r"extract_features\.image\.encoder: it gave numbers"):
        Run(examples, "f")
