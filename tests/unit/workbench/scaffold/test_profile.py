"""What `init` calls numbers and dates are numbers and dates to the features too."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa

from fuseline.data.modalities.tabular.columns import dates, numbers
from fuseline.workbench.scaffold.profile import parses_as_date, parses_as_number

NUMBERS = [
    "".join(parts)
    for parts in product(
        ("", "-", "+", " "),
        ("0", "007", "12", "9" * 45, "٣", "1_0", ""),
        ("", ".", ".5", ",5", ".5.1"),
        ("", "e5", "E-7", "e+300", "e400", "e"),
    )
]
DATES = [
    "".join(parts)
    for parts in product(
        ("0000", "0001", "1010", "2023", "9999", "24", "٢٠٢٤"),
        ("-", "/", "."),
        ("00", "2", "02", "12", "13"),
        ("-", "/", "."),
        ("1", "00", "28", "29", "31"),
        ("", "T10:00", " 23:59:59", "T24:00", " 9:00", "T10:00:00.123456789", "T10:00:00,5"),
        ("", "Z", "+02:00", "-1200", "+14:00", "+99:00", " UTC"),
    )
]


def test_what_is_called_a_number_parses() -> None:
    called = [text for text in NUMBERS if parses_as_number(text)]
    assert {"12.5", "-0.5e5", "+12E-7"} <= set(called)
    assert not np.isnan(numbers(pa.array(called))).any()


def test_what_is_called_a_date_parses() -> None:
    called = [text for text in DATES if parses_as_date(text)]
    assert {"2023-02-28", "9999/12/31", "0001.12.31T10:00Z"} <= set(called)
    assert not np.isnan(dates(pa.array(called))).any()
