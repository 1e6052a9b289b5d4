"""One column of a table to numbers, by kind; each is fitted once and states itself as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuseline.params.extract_features import TabularFeatureParams

if TYPE_CHECKING:
    import pandas as pd

# Spellings of an absent number or date; as a category only the empty cell is absent.
ABSENT = ("", "na", "n/a", "nan", "nat", "null", "none", "-", "?")
# Standardised values beyond are cut: they say "far out", and float16 holds them.
MOST_DEVIATIONS = 5.0
# The square of a larger number might exceed float64; none that was measured is.
LARGEST = 1e150
# Numbers all the same, though no value can be made of them: a column that has some is one of
# numbers, in which they count as cells that do not parse.
INFINITE = ("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity")
# Of the cells that are there: a slip in one of them makes no categories of numbers.
PARSED_SHARE = 0.9
DAYS_OF_YEAR, DAYS_OF_WEEK, HOURS_OF_DAY = 365.25, 7.0, 24.0
MICROSECONDS_OF_DAY = 86_400.0e6


@dataclass(frozen=True)
class Column(ABC):
    """A fitted column."""

    kind: ClassVar[str]

    name: str

    @classmethod
    @abstractmethod
    def fit(cls, name: str, cells: pa.Array, params: TabularFeatureParams) -> Self:
        """Learn from the training rows' cells (N,) of strings; there may be none."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width of a cell."""

    @abstractmethod
    def encode(self, cells: pa.Array) -> tuple[np.ndarray, int]:
        """(N, dim) float64, and how many cells that are there do not parse."""

    def state(self) -> dict[str, Any]:
        """All that was learnt; JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The column that `state` was asked of."""
        return cls(**{key: value for key, value in state.items() if key != "kind"})


@dataclass(frozen=True)
class Numeric(Column):
    """[missing, standardised value, piecewise-linear encoding over quantiles].

    The encoding is that of Gorishniy et al. 2022 (arXiv 2203.05556), except that its first and
    last bin are cut at 0 and 1 too: the standardised value says how far out a number lies.
    """

    kind = "numeric"

    mean: float
    deviation: float
    edges: list[float]

    @classmethod
    def fit(cls, name: str, cells: pa.Array, params: TabularFeatureParams) -> Numeric:
        values = numbers(cells)
        return cls(name, *_moments(values), quantiles(values, params.num_bins))

    @property
    def dim(self) -> int:
        return 2 + max(0, len(self.edges) - 1)

    def encode(self, cells: pa.Array) -> tuple[np.ndarray, int]:
        values = numbers(cells)
        missing = np.isnan(values)
        edges = np.array(self.edges)
        bins = [np.clip((values - low) / (high - low), 0.0, 1.0) for low, high in pairwise(edges)]
        encoded = np.stack([missing, _standardised(values, self.mean, self.deviation), *bins], 1)
        encoded[missing, 1:] = 0.0
        return encoded, _unparsed(cells, missing)


@dataclass(frozen=True)
class Categorical(Column):
    """[missing, unknown, one-hot of the commonest training values]; ties go by name."""

    kind = "categorical"

    categories: list[str]

    @classmethod
    def fit(cls, name: str, cells: pa.Array, params: TabularFeatureParams) -> Categorical:
        counted = pc.value_counts(pc.drop_null(_stripped(cells))).to_pylist()
        ranked = sorted(
            (-item["counts"], item["values"]) for item in counted if item["values"] != ""
        )
        return cls(name, [value for _, value in ranked[: params.max_categories]])

    @property
    def dim(self) -> int:
        return 2 + len(self.categories)

    def encode(self, cells: pa.Array) -> tuple[np.ndarray, int]:
        values = _stripped(cells)
        found = pc.index_in(values, pa.array(self.categories, pa.string()))
        absent = pc.fill_null(pc.equal(values, ""), True).to_numpy(False)
        place = pc.fill_null(found, -1).to_numpy(False) + 2
        place = np.where(absent, 0, place)
        encoded = np.zeros((len(cells), self.dim))
        encoded[np.arange(len(cells)), place] = 1.0
        return encoded, 0


@dataclass(frozen=True)
class Date(Column):
    """[missing, standardised days, sine and cosine of the day of the year and of the week, and
    of the hour where any training cell has a time]."""

    kind = "date"

    mean: float
    deviation: float
    has_time: bool

    @classmethod
    def fit(cls, name: str, cells: pa.Array, params: TabularFeatureParams) -> Date:
        del params
        days = dates(cells)
        present = days[~np.isnan(days)]
        return cls(name, *_moments(days), bool((present % 1.0 != 0.0).any()))

    @property
    def dim(self) -> int:
        return 8 if self.has_time else 6

    def encode(self, cells: pa.Array) -> tuple[np.ndarray, int]:
        days = dates(cells)
        missing = np.isnan(days)
        whole = np.floor(days)
        periods = [(_day_of_year(whole), DAYS_OF_YEAR), (whole, DAYS_OF_WEEK)]
        if self.has_time:
            periods.append(((days - whole) * HOURS_OF_DAY, HOURS_OF_DAY))
        waves = [
            wave(2.0 * np.pi * value / period)
            for value, period in periods
            for wave in (np.sin, np.cos)
        ]
        encoded = np.stack([missing, _standardised(days, self.mean, self.deviation), *waves], 1)
        encoded[missing, 1:] = 0.0
        return encoded, _unparsed(cells, missing)


COLUMNS: dict[str, type[Column]] = {
    "numeric": Numeric,
    "categorical": Categorical,
    "date": Date,
}


def guess_kind(cells: pa.Array) -> str:
    """`numeric` or `date` where nearly every cell that is there parses as such, else
    `categorical`; see `PARSED_SHARE`."""
    present = ~_absent(cells)
    if present.any():
        are_numbers = ~np.isnan(numbers(cells)) | _is_one_of(cells, INFINITE)
        for kind, parsed in (("numeric", are_numbers), ("date", ~np.isnan(dates(cells)))):
            if parsed[present].mean() >= PARSED_SHARE:
                return kind
    return "categorical"


def numbers(cells: pa.Array) -> np.ndarray:
    """(N,) float64, NaN where a cell is absent or no number within `LARGEST`."""
    # Imported where it is needed: features that are all known should cost no import.
    import pandas as pd

    series: pd.Series[Any] = _present_text(cells).to_pandas()
    values = pd.to_numeric(series, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def dates(cells: pa.Array) -> np.ndarray:
    """(N,) float64 days since 1970-01-01 UTC, NaN where a cell is absent or no ISO 8601 date; a
    year alone is none, since it may as well be a number or a code."""
    import pandas as pd

    text = _present_text(cells)
    # pandas reads "today" off the clock.
    dated = pc.and_(pc.greater(pc.utf8_length(text), len("2024")), pc.not_equal(text, "today"))
    text = pc.if_else(dated, text, pa.scalar(None, pa.string()))
    # One cell in nanoseconds would narrow the years of its neighbours to 1677–2262.
    text = pc.replace_substring_regex(text, r"([T ].*\.\d{6})\d+", r"\1")
    found = pd.to_datetime(text.to_pandas(), format="ISO8601", errors="coerce", utc=True)
    passed = found.dt.as_unit("us").dt.tz_localize(None).to_numpy("datetime64[us]")
    return np.where(np.isnat(passed), np.nan, passed.astype(np.int64) / MICROSECONDS_OF_DAY)


def quantiles(values: np.ndarray, num_bins: int) -> list[float]:
    """Edges of bins that hold equally many values; fewer where values repeat, none without."""
    present = values[~np.isnan(values)]
    if not len(present):
        return []
    shares = np.linspace(0.0, 1.0, num_bins + 1)
    # Quantiles that are values of the column: no rounding makes two edges of one.
    edges = np.unique(np.quantile(present, shares, method="nearest"))
    return [float(edge) for edge in edges]


def _present_text(cells: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(_absent(cells)), pa.scalar(None, pa.string()), _stripped(cells))


def _stripped(cells: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(cells)


def _absent(cells: pa.Array) -> np.ndarray:
    """(N,) bool, where a cell is null or one of the spellings of nothing."""
    absent: np.ndarray = _is_one_of(cells, ABSENT) | pc.is_null(cells).to_numpy(False)
    return absent


def _is_one_of(cells: pa.Array, spellings: Sequence[str]) -> np.ndarray:
    """(N,) bool, where a cell is one of some spellings, in any case; False where it is null."""
    lower = pc.utf8_lower(_stripped(cells))
    found: np.ndarray = pc.fill_null(pc.is_in(lower, pa.array(spellings)), False).to_numpy(False)
    return found


def _unparsed(cells: pa.Array, missing: np.ndarray) -> int:
    return int((missing & ~_absent(cells)).sum())


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the values that are there; a deviation of 1 where none differ."""
    present = values[~np.isnan(values)]
    if not len(present):
        return 0.0, 1.0
    differ = present.min() < present.max()
    return float(present.mean()), (float(present.std()) if differ else 0.0) or 1.0


def _standardised(values: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.clip((values - mean) / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)


def _day_of_year(days: np.ndarray) -> np.ndarray:
    """0 on the first of January."""
    known = np.nan_to_num(days).astype("datetime64[D]")
    passed: np.ndarray = (known - known.astype("datetime64[Y]")).astype(np.float64)
    return passed
