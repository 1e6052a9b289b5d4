import json

import numpy as np
import pyarrow as pa
import pytest

from fuseline.contracts import EXAMPLES, features_schema, read_manifest, read_table
from fuseline.data.modalities.tabular.columns import Categorical, Date, Numeric, dates, guess_kind
from fuseline.data.modalities.tabular.encoding import TabularEncoding
from fuseline.data.modalities.tabular.features import extract_tabular_features
from fuseline.errors import ConfigError
from fuseline.params.extract_features import TabularFeatureParams
from tests.support.examples_tables import write_examples


def params(kinds=None, bins=4, most=2):
    return TabularFeatureParams(kinds=kinds or {}, num_bins=bins, max_categories=most)


def strings(*cells):
    return pa.array(cells, pa.string())


class Run:
    def __init__(self, folder, rows, given=None):
        self.examples = write_examples(folder / "examples", rows)
        self.folder = folder / "f"
        self.metrics = extract_tabular_features(
            self.examples, self.folder, given or params(), "fp32"
        )
        self.manifest = read_manifest(self.folder, "features")
        _, dim = self.manifest["shape"]
        table = read_table(self.folder, features_schema(1, dim), "features")
        self.column = table.column("features").combine_chunks()

    def values(self):
        flat = self.column.drop_null().flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(-1, self.manifest["shape"][1]).astype(np.float32)

    def shards(self):
        return [(self.folder / name).read_bytes() for name in self.manifest["shards"]]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("1", " 2.5", "-3e2", None, "NA", ""), "numeric"),
        (("1", "2", "three"), "categorical"),
        (("1", "inf"), "numeric"),
        (("-Infinity", "one"), "categorical"),
        (("2024-01-31", "2024-02-01T10:00:00+02:00", None), "date"),
        (("2024-01-31", "31/01/2024"), "categorical"),
        (("2020", "2021"), "numeric"),
        (("1010", "9999"), "numeric"),
        (("1010", "9999", "abroad"), "categorical"),
        (("9999-12-31", "2024-01-31", "0001-01-01"), "date"),
        ((None, "", "nan"), "categorical"),
        ((), "categorical"),
    ],
)
def test_kinds_are_guessed_from_the_cells_that_are_there(cells, kind):
    assert guess_kind(strings(*cells)) == kind


def test_a_number_is_flag_standardised_value_and_bins():
    column = Numeric.fit("x", strings(*map(str, range(9))), params(bins=4))
    assert column.edges == [0.0, 2.0, 4.0, 6.0, 8.0]
    values, unparsed = column.encode(strings("5", "-1e9", "1e9", None, "five", "1e200"))
    assert unparsed == 2
    deviation = np.std(range(9))
    np.testing.assert_allclose(values[0], [0, 1 / deviation, 1, 1, 0.5, 0])
    assert values[1].tolist() == [0, -5, 0, 0, 0, 0]
    assert values[2].tolist() == [0, 5, 1, 1, 1, 1]
    for row in (3, 4, 5):
        assert values[row].tolist() == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("cells", [("0.1",) * 7, (), (None,), ("1e150", "-1e150", "5e-324")])
def test_constant_empty_and_extreme_columns_stay_finite(cells):
    column = Numeric.fit("x", strings(*cells), params())
    json.dumps(column.state(), allow_nan=False)
    values, _ = column.encode(strings("0.1", "0.2", "-1e150", None, *cells))
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 5
    if cells == ("0.1",) * 7:
        assert values[0].tolist() == pytest.approx([0, 0])


def test_a_category_is_missing_unknown_or_one_of_the_commonest_by_count_then_name():
    column = Categorical.fit("x", strings("b", "a", "c", "c", " a", "b", "d", "", None), params())
    assert column.categories == ["a", "b"]
    values, unparsed = column.encode(strings("b", "c", "", None, " a "))
    assert unparsed == 0
    assert values.tolist() == [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]


def test_a_date_is_flag_days_and_waves():
    column = Date.fit("x", strings("2024-01-01", "2024-01-03"), params())
    values, unparsed = column.encode(strings("2024-01-01", "2024-01-08", "soon", None))
    assert column.dim == values.shape[1] == 6
    assert unparsed == 1
    assert values[0, :4].tolist() == [0, -1, 0, 1]
    assert values[1, 1] == 5
    np.testing.assert_allclose(values[0, 4:], values[1, 4:], atol=1e-9)
    assert values[2].tolist() == values[3].tolist() == [1, 0, 0, 0, 0, 0]
    timed = Date.fit("x", strings("2024-01-01T06:00:00", "2024-01-03T08:00:00+02:00"), params())
    values, _ = timed.encode(strings("2024-01-01T06:00Z", "2024-01-01T08:00+02:00"))
    assert timed.dim == 8
    np.testing.assert_allclose(values[0, 6:], [1, 0], atol=1e-9)
    np.testing.assert_allclose(values[0], values[1])


def test_days_are_counted_in_every_year_there_is():
    cells = ("0001-01-01", "1010-01-01", "1970-01-02", "9999-12-31", "9999-12-31T23:59:59-12:00")
    found = dates(strings(*cells))
    expected = [np.datetime64(day).astype("datetime64[D]").astype(int) for day in cells[:4]]
    assert found[:4].tolist() == expected
    assert found[4] == pytest.approx(expected[3] + 1.5, abs=1e-4)
    column = Date.fit("x", strings(*cells), params())
    assert np.isfinite(column.encode(strings(*cells, "2024-01-31"))[0]).all()


def test_a_date_does_not_depend_on_its_neighbours_or_the_clock():
    fine = "2024-01-01T06:00:00.123456789"
    found = dates(strings(fine, "0001-01-01", "now", "today"))
    assert found[:2].tolist() == [dates(strings(fine))[0], dates(strings("0001-01-01"))[0]]
    assert np.isnan(found[2:]).all()


def test_columns_stand_side_by_side_in_order_of_their_names(tmp_path):
    rows = [
        {"tabular": {"size": "1", "hue": "red"}},
        {"tabular": None},
        {"tabular": {"size": "3"}},
        {"tabular": {"hue": "blue", "size": "oops", "new": "1"}},
        {"tabular": {}},
    ]
    run = Run(tmp_path, rows, params(kinds={"size": "numeric"}))
    assert [column["name"] for column in run.manifest["columns"]] == ["hue", "new", "size"]
    assert run.column.is_null().to_pylist() == [False, True, False, False, False]
    assert run.metrics["missing"] == 1
    assert run.metrics["unparsed_cells"] == 1
    assert run.metrics["columns"] == 3
    hue = run.values()[:, :4]
    assert hue.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]


def test_only_training_rows_are_fitted_on(tmp_path):
    rows = [{"tabular": {"x": str(x), "c": "a"}} for x in range(6)]
    others = [{"tabular": {"x": "1e6", "c": "z"}, "split": split} for split in ("dev", "test")]
    alone = Run(tmp_path / "alone", [*rows, {"split": "dev"}, {"split": "test"}])
    beside = Run(tmp_path / "beside", [*rows, *others])
    assert beside.manifest["columns"] == alone.manifest["columns"]
    assert beside.manifest["columns"][0]["categories"] == ["a"]


def test_rows_that_come_later_change_nothing_until_the_table_doubles(tmp_path):
    rows = [{"tabular": {"x": str(x)}} for x in range(8)]
    runs = [
        Run(tmp_path / str(count), [*rows, *[{"tabular": {"x": "99"}}] * count])
        for count in (0, 7, 8)
    ]
    assert runs[1].manifest["columns"] == runs[0].manifest["columns"]
    assert runs[1].shards()[:2] == runs[0].shards()[:2]
    assert runs[2].manifest["columns"] != runs[0].manifest["columns"]


def test_the_manifest_is_enough_to_encode_raw_rows(tmp_path):
    rows = [
        {"tabular": {"x": str(x), "d": f"2024-01-{x + 1:02d}", "c": "ab"[x % 2]}} for x in range(9)
    ]
    run = Run(tmp_path, rows)
    encoding = TabularEncoding.from_manifest(json.loads(json.dumps(run.manifest["columns"])))
    cells = pa.array([list(row["tabular"].items()) for row in rows], EXAMPLES.field("tabular").type)
    values, _ = encoding.encode(cells)
    np.testing.assert_array_equal(values[:, 0].astype(np.float32), run.values())


def test_no_training_row_with_cells_gives_a_width_all_the_same(tmp_path):
    run = Run(tmp_path, [{"split": "dev", "tabular": {"x": "1"}}] * 4)
    assert run.manifest["shape"] == [1, 1]
    assert run.metrics["columns"] == 0


def test_a_table_without_columns_is_the_same_for_any_params(tmp_path):
    runs = [Run(tmp_path / str(bins), [{}] * 4, params(bins=bins)) for bins in (4, 8)]
    assert runs[0].shards() == runs[1].shards()
    assert runs[0].manifest == runs[1].manifest
    assert runs[0].metrics.keys() == Run(tmp_path / "x", [{"tabular": {"x": "1"}}]).metrics.keys()


def test_a_kind_for_a_column_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"tabular\.kinds: expected columns .*\(x\), found 'y'"):
        Run(tmp_path, [{"tabular": {"x": "1"}}], params(kinds={"y": "numeric"}))


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1010", "8020", "unknown"], "categorical"),
        (["2020", "2021"], "numeric"),
        (["2024-01-01", "9999-12-31"], "date"),
        (["1.5"] * 9 + ["5 EUR"], "numeric"),
        (["1.5"] * 8 + ["5 EUR"] * 2, "categorical"),
        (["2024-01-01"] * 9 + ["soon"], "date"),
    ],
)
def test_a_slip_changes_no_kind_and_a_code_is_no_date(cells, kind):
    assert guess_kind(pa.array(cells)) == kind
