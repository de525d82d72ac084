"""How long trades were observed, and why not for the rest."""

from itertools import accumulate

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.figures import CHANNEL_REASONS, figures
from predsurv.mine.measures import intervals
from predsurv.mine.observation import UNKNOWN, channels_told

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


def test_a_gap_of_a_feed_without_books_tells_of_trades() -> None:
    rows: list[Row] = [(0, 10, "gap", "not_offered", "polled"), (10, 15, "gap", "not_offered", "stall")]
    assert told(*rows, (15, 16, "gap", "not_offered", None)) == ["polled", "stall", None]
    times = intervals.channel_time(coverage(*rows), "trades").sort("reason").collect()
    assert times.select("reason", "seconds").rows() == [("polled", 10.0), ("stall", 5.0)]


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


told_times = st.lists(
    st.tuples(st.integers(1, 300), st.sampled_from(["live", "polled", "stall", "disconnect", UNKNOWN]))
)


@given(told_times, told_times)
def test_time_in_which_a_channel_was_not_observed_is_summed_up_by_its_reason(
    trades: list[tuple[int, str]], lifecycle: list[tuple[int, str]]
) -> None:
    found = _figures(trades, lifecycle)
    for channel, told in (("trades", trades), ("lifecycle", lifecycle)):
        for reason in CHANNEL_REASONS:
            wanted = sum(seconds for seconds, each in told if each == reason)
            assert found[f"{channel}_gap_{reason}_s"] == pytest.approx(wanted)
        observed = sum(seconds for seconds, each in told if each in ("live", "polled"))
        assert found[f"{channel}_observed_s"] == pytest.approx(observed)
        missing = {
            reason: sum(seconds for seconds, each in told if each == reason)
            for reason in sorted({each for _, each in told} - {"live", "polled"})
        }
        assert found[f"{channel}_missing"] in [
            reason for reason in missing or [None] if reason is None or missing[reason] == max(missing.values())
        ]


def test_the_example_of_the_documentation() -> None:
    found = _figures([(300, "live"), (60, "disconnect"), (40, "stall")], [(400, "live")])
    names = ("trades_observed_s", "trades_gap_disconnect_s", "trades_gap_stall_s", "trades_missing", "gap_s")
    assert [found[name] for name in names] == pytest.approx([300, 60, 40, "disconnect", 0])


def _figures(trades: list[tuple[int, str]], lifecycle: list[tuple[int, str]]) -> dict[str, object]:
    """Return the statistics of an instrument with these covered seconds, by how each channel was observed."""
    channels = []
    for channel, told in (("trades", trades), ("lifecycle", lifecycle)):
        ends = list(accumulate(seconds for seconds, _ in told))
        starts = [0, *ends][: len(ends)]
        rows = [(start * S, end * S, "covered", how) for start, end, (_, how) in zip(starts, ends, told, strict=True)]
        schema = {"start": pl.Int64, "end": pl.Int64, "state": pl.String, channel: pl.String}
        frame = pl.LazyFrame(rows, schema=schema, orient="row").with_columns(pl.lit("a").alias("instrument_id"))
        channels.append(intervals.channel_time(frame, channel))
    covered = (0, 400 * S, "covered", "live", 1.0, "m", "a")
    names = ["start", "end", "state", "reason", "inclusion", "market_id", "instrument_id"]
    coverage_rows = pl.LazyFrame([covered], schema=names, orient="row")
    measures = {
        "coverage": intervals.coverage_totals(coverage_rows).collect(),
        "channels": pl.concat(channels).collect(),
    }
    return figures(measures).collect().row(0, named=True)
