from __future__ import annotations

import pytest

from fuseline.data.sources.emoji_groups import variant_group

VARIANTS = {
    "1F3C3": [  # running: tone, gender, direction, and all of them
        "1F3C3",
        "1F3C3-1F3FD",
        "1F3C3-200D-2640-FE0F",
        "1F3C3-200D-27A1-FE0F",
        "1F3C3-1F3FF-200D-2642-FE0F-200D-27A1-FE0F",
    ],
    "1F9D1-1F52C": ["1F468-200D-1F52C", "1F469-1F3FB-200D-1F52C", "1F9D1-200D-1F52C"],
    "1F46A": ["1F46A", "1F468-200D-1F466", "1F469-200D-1F469-200D-1F467-200D-1F466"],
    "1F48F": ["1F48F", "1F469-200D-2764-FE0F-200D-1F48B-200D-1F468"],
    "1F491": ["1F491-1F3FB", "1F9D1-1F3FB-200D-2764-FE0F-200D-1F9D1-1F3FC"],
    "1F46D": ["1F46B", "1F46C", "1F46D", "1F9D1-200D-1F91D-200D-1F9D1"],
    "1F9D1": ["1F468", "1F469-1F3FE", "1F9D1"],
    "1F91D": ["1F91D", "1FAF1-1F3FB-200D-1FAF2-1F3FC"],
    "2640": ["2640-FE0F"],  # the signs themselves are emoji too
    "27A1": ["27A1-FE0F"],
    "1F1E9-1F1EA": ["1F1E9-1F1EA"],
    "1F3F4-2620": ["1F3F4-200D-2620-FE0F"],
}


@pytest.mark.parametrize(
    ("group", "code"), [(group, code) for group, codes in VARIANTS.items() for code in codes]
)
def test_variants_share_the_group_of_their_base(group: str, code: str) -> None:
    assert variant_group(code.split("-")) == group


def test_different_things_that_people_do_stay_apart() -> None:
    codes = ["1F468-200D-1F52C", "1F468-200D-1F680", "1F468-200D-1F9B0", "1F468", "1F466"]
    assert len({variant_group(code.split("-")) for code in codes}) == len(codes)
