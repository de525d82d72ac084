"""Quantiles of histograms, by going through each instrument's rows one by one."""

from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.mine.instrument_codes import InstrumentCodes
from predsurv.mine.quantiles import quantiles

NAMES = st.sampled_from(["a", "b", "elsewhere"])
COUNTS = st.dictionaries(st.tuples(NAMES, st.integers(-5, 4)), st.integers(1, 50), max_size=12)
CODES = InstrumentCodes(pl.Series(["b", "a", "b"]))
WAITS = {"wait_p10_s": 0.1, "wait_p50_s": 0.5, "wait_p90_s": 0.9, "wait_p99_s": 0.99}
Counts = Mapping[tuple[str, int], int]


def histogram(counts: Counts, value: str, weight: str = "count") -> pl.DataFrame:
    """A histogram whose rows are in no order."""
    kind = pl.Int16 if value == "bucket" else pl.Float64 if value == "size" else pl.Int64
    columns = {"instrument_id": pl.String, value: kind, weight: pl.Float64 if weight == "seconds" else pl.Int64}
    rows = [(name, number, count) for (name, number), count in reversed(list(counts.items()))]
    return pl.DataFrame(rows, schema=columns, orient="row")


def of(measures: dict[str, pl.DataFrame]) -> dict[str, dict[str, float | None]]:
    """The quantiles by instrument."""
    found = [each.to_dicts() for each in quantiles(measures, CODES)]
    return {row.pop("instrument_id"): row for rows in found for row in rows}


def own(counts: Counts, name: str) -> list[tuple[int, int]]:
    return sorted((number, count) for (owner, number), count in counts.items() if owner == name)


def least(rows: list[tuple[int, int]], share: float) -> int:
    """The least value up to which lies ``share`` of all weight."""
    every = [number for number, count in rows for _ in range(count)]
    return next(number for place, number in enumerate(every, 1) if place >= share * len(every) - 1e-9)


def seconds(bucket: int | None) -> float | None:
    return None if bucket is None else 2.0 ** ((bucket + 0.5) / 8)


@settings(max_examples=20)
@given(counts=COUNTS)
def test_ages_spreads_and_sizes_are_the_least_values_with_so_much_below(counts: Counts) -> None:
    known = {name for name, _ in counts} - {"elsewhere"}
    ages, spreads, sizes = (
        of({"ages": histogram(counts, "bucket")}),
        of({"spreads": histogram(counts, "spread", "seconds")}),
        of({"sizes": histogram(counts, "size")}),
    )
    assert ages.keys() == spreads.keys() == sizes.keys() == known
    for name in known:
        rows = own(counts, name)
        for share, percent in ((0.5, 50), (0.9, 90)):
            value = least(rows, share)
            assert ages[name][f"message_age_p{percent}_ms"] == pytest.approx((seconds(value) or 0) * 1_000)
            assert spreads[name][f"spread_p{percent}_usd"] == pytest.approx(value / 1e6)
            assert sizes[name][f"trade_p{percent}_shares"] == value
        assert ages[name]["message_age_p99_ms"] == pytest.approx((seconds(least(rows, 0.99)) or 0) * 1_000)
        assert spreads[name]["spread_p10_usd"] == pytest.approx(least(rows, 0.1) / 1e6)


def outlasted(ended: Counts, cut: Counts, name: str, share: float) -> int | None:
    """The first bucket after which 1 − ``share`` of the times go on, those cut off within one counted half there."""
    whole, short = dict(own(ended, name)), dict(own(cut, name))
    left, outlasting = sum(whole.values()) + sum(short.values()), 1.0
    for bucket in sorted({*whole, *short}):
        at_risk = left - short.get(bucket, 0) / 2
        outlasting *= 1 - whole.get(bucket, 0) / at_risk
        if outlasting <= 1 - share + 1e-9:
            return bucket
        left -= whole.get(bucket, 0) + short.get(bucket, 0)
    return None


@settings(max_examples=20)
@given(ended=COUNTS, cut=COUNTS)
def test_waits_that_a_visit_cut_off_lasted_at_least_as_long(ended: Counts, cut: Counts) -> None:
    found = of({"waits": histogram(ended, "bucket"), "cut_waits": histogram(cut, "bucket")})
    assert found.keys() == ({name for name, _ in ended} | {name for name, _ in cut}) - {"elsewhere"}
    for name, row in found.items():
        for column, share in WAITS.items():
            wanted = seconds(outlasted(ended, cut, name, share))
            assert row[column] == (None if wanted is None else pytest.approx(wanted))


def test_what_was_not_measured_has_no_quantiles() -> None:
    assert of({}) == {}
