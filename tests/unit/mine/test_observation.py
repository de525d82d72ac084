"""How long trades were observed, and why not for the rest."""

import polars as pl
import pytest

from predsurv.mine.observation import trade_time, trades_told

S = 1_000_000_000

Row = tuple[int, int, str, str, str | None]
"""Start and end in seconds, state, reason, how trades were observed."""


def coverage(*rows: Row) -> pl.LazyFrame:
    frame = pl.LazyFrame(rows, schema=["start", "end", "state", "reason", "trades"], orient="row")
    return frame.with_columns(
        pl.lit("a").alias("instrument_id"),
        pl.col("start") * S,
        pl.col("end") * S,
        pl.col("trades").cast(pl.String),
    )


def told(*rows: Row, polled_too: bool = False) -> list[str | None]:
    frame = coverage(*rows).with_columns(trades_told(polled_too=polled_too))
    return frame.collect()["trades"].to_list()


def test_what_is_told_stands_and_a_gap_tells_nothing() -> None:
    assert told(
        (0, 1, "covered", "live", "not_offered"), (1, 2, "covered", "polled", "polled"), (2, 3, "gap", "stall", None)
    ) == ["not_offered", "polled", None]


@pytest.mark.parametrize(
    ("reason", "polled_too", "says"),
    [("live", False, "live"), ("polled", False, "unknown"), ("polled", True, "polled")],
)
def test_of_a_version_that_did_not_tell_only_streamed_time_counts(reason: str, says: str, *, polled_too: bool) -> None:
    assert told((0, 1, "covered", reason, None), polled_too=polled_too) == [says]


def test_observed_time_is_summed_and_the_longest_reason_named() -> None:
    rows = coverage(
        (0, 10, "covered", "live", "live"),
        (10, 12, "covered", "live", "disconnect"),
        (12, 17, "covered", "live", "stall"),
        (17, 20, "covered", "live", "disconnect"),
        (20, 25, "covered", "polled", "polled"),
        (25, 90, "gap", "crash", None),
    )
    assert trade_time(rows).collect().rows() == [("a", 15.0, "stall")]
    assert trade_time(coverage((0, 5, "covered", "live", "live"))).collect().rows() == [("a", 5.0, None)]
    assert trade_time(coverage((0, 5, "covered", "live", "not_offered"))).collect().rows() == [
        ("a", 0.0, "not_offered")
    ]
