"""How long trades were observed, and why not for the rest."""

import polars as pl
import pytest

from predsurv.mine.observation import channels_told

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
        pl.lit(None, pl.String).alias("lifecycle"),
    )


def told(*rows: Row, polled_too: bool = False) -> list[str | None]:
    frame = coverage(*rows).with_columns(channels_told(polled_too=polled_too))
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


def test_the_lifecycle_counts_as_observed_as_trades_where_nothing_tells() -> None:
    frame = coverage((0, 1, "covered", "live", "stall"), (1, 2, "covered", "live", None)).with_columns(
        pl.Series("lifecycle", ["live", None])
    )
    found = frame.with_columns(channels_told(polled_too=False)).collect()
    assert found["lifecycle"].to_list() == ["live", "live"]
