"""Every price is in one range and in all of them together."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.price_ranges import ALL, in_ranges, named


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=20))
def test_every_price_counts_in_its_range_and_in_all(prices: list[int]) -> None:
    rows = in_ranges(pl.LazyFrame({"price": [each / 1e6 for each in prices]}))
    counted = named(rows.group_by("position").agg(pl.len().alias("n"))).collect()
    found = dict(counted.iter_rows())
    assert found.pop(ALL) == len(prices)
    for name, count in found.items():
        low, high = (int(bound) * 10_000 for bound in name.split("–"))
        assert count == sum(low <= each < high or each == high == 1_000_000 for each in prices)
    assert sum(found.values()) == len(prices)


def test_ranges_come_cheapest_first() -> None:
    rows = named(pl.LazyFrame({"position": [12, 3, 0]})).collect()
    assert rows["price_cents"].to_list() == ["0–5", "20–30", ALL]
