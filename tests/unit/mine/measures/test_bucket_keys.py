"""Keys of instrument and bucket say both again, and are in their order."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.measures.bucket_keys import bucket_of_key, key_of, unit_of_key
from predsurv.mine.measures.totals import counted

PAIRS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**15), 2**15 - 1)), min_size=1, max_size=20)
SCHEMA = {"code": pl.UInt32(), "bucket": pl.Int16()}


@given(PAIRS)
def test_a_key_says_both_again_and_is_in_their_order(pairs: list[tuple[int, int]]) -> None:
    keys = pl.DataFrame(pairs, schema=SCHEMA, orient="row").select(key_of("code"))
    found = keys.select(unit_of_key().alias("code"), bucket_of_key())
    assert found.rows() == pairs
    assert found.schema["bucket"] == pl.Int16
    assert found.sort("code", "bucket").rows() == keys.sort("key").select(unit_of_key(), bucket_of_key()).rows()


def test_counts_of_hours_add_up_by_instrument_and_bucket() -> None:
    hours = [
        pl.DataFrame(rows, schema={**SCHEMA, "count": pl.Int64()}, orient="row")
        for rows in ([(0, -1, 1), (1, 0, 2)], [(1, 0, 3), (0, 5, 4)])
    ]
    found = counted(hours, ("code", "bucket"))
    assert found.schema == hours[0].schema
    assert sorted(found.rows()) == [(0, -1, 1), (0, 5, 4), (1, 0, 5)]
    named = [hour.with_columns(pl.lit("a").alias("instrument_id")).drop("code") for hour in hours]
    assert sorted(counted(named, ("instrument_id", "bucket"))["count"]) == [1, 4, 5]
    assert counted(hours[:1], ("code", "bucket")) is hours[0]
