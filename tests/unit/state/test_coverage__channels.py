"""Covered time tells how trades and the lives of markets were observed; books alone decide what is covered."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot, Channel, ChannelChange, CoverageReason, Gap, Unwanted, Wanted
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.ids import VenueName as V
from predsurv.core.records import Coverage
from predsurv.state import coverage
from predsurv.state.coverage import ChannelHistory, ChannelStates, CoverageReducer, decode_intervals, retracted

KEYS = [InstrumentKey(V("mock"), MarketId(name), InstrumentId(name)) for name in "ab"]
KEY = KEYS[0]


def change(ts: int, reason: CoverageReason, channel: Channel = "trades") -> ChannelChange:
    return ChannelChange(V("mock"), ts, channel, reason)


def book(ts: int, key: InstrumentKey = KEY) -> BookSnapshot:
    return BookSnapshot(key, ts, None, 1, None, (), ())


def covered_from(
    start: int, channels: ChannelStates | None = None, keys: list[InstrumentKey] = KEYS
) -> CoverageReducer:
    reducer = CoverageReducer(channels=channels)
    for key in keys:
        reducer.want(Wanted(key, start), None)
        reducer.apply(book(start, key))
    return reducer


def told(rows: list[Coverage], key: InstrumentKey = KEY) -> list[tuple[int, int, str | None, str | None]]:
    return [(row.start, row.end, row.trades, row.lifecycle) for row in rows if row.key == key]


def test_a_change_divides_the_covered_time_of_every_instrument_at_its_time() -> None:
    reducer = covered_from(10, ChannelStates(trades="not_offered"))
    reducer.apply(change(20, "polled"))
    reducer.apply(change(25, "disconnect", "lifecycle"))
    rows = reducer.cut(30)
    for key in KEYS:
        assert told(rows, key) == [
            (10, 20, "not_offered", "live"),
            (20, 25, "polled", "live"),
            (25, 30, "polled", "disconnect"),
        ]
    assert told(reducer.cut(40)) == [(30, 40, "polled", "disconnect")]


def test_a_gap_tells_nothing_of_the_channels_and_keeps_its_reason() -> None:
    reducer = covered_from(10)
    reducer.apply(change(15, "disconnect"))
    rows = reducer.apply(Gap(KEY, 18, "disconnect", 1)) + reducer.apply(change(20, "live")) + reducer.apply(book(24))
    assert told(rows) == [(10, 15, "live", "live"), (15, 18, "disconnect", "live"), (18, 24, None, None)]
    assert told(reducer.apply(Unwanted(KEY, 30, "shutdown"))) == [(24, 30, "live", "live")]


def test_a_gap_found_late_reaches_back_over_a_change() -> None:
    reducer = covered_from(10)
    reducer.apply(change(20, "disconnect"))
    assert told(reducer.apply(Gap(KEY, 15, "stall", 1))) == [(10, 15, "live", "live")]
    assert [(row.start, row.reason) for row in reducer.cut(30) if row.key == KEY] == [(15, "stall")]


def test_a_loss_found_late_is_told_from_when_it_began() -> None:
    reducer = covered_from(10)
    reducer.apply(change(30, "disconnect", "lifecycle"))
    reducer.apply(change(12, "stall"))
    assert told(reducer.cut(40)) == [
        (10, 12, "live", "live"),
        (12, 30, "stall", "live"),
        (30, 40, "stall", "disconnect"),
    ]


def test_what_changes_nothing_divides_nothing() -> None:
    reducer = covered_from(10)
    for event in (change(12, "live"), change(14, "disconnect"), change(14, "live"), change(15, "stall", "book")):
        reducer.apply(event)
    assert told(reducer.cut(20)) == [(10, 20, "live", "live")]


def test_pieces_that_are_retracted_tell_nothing_of_the_channels() -> None:
    (row, _) = covered_from(10).cut(20)
    assert told(retracted(row, 12, 15, "crash")) == [
        (10, 12, "live", "live"),
        (12, 15, None, None),
        (15, 20, "live", "live"),
    ]


def test_intervals_of_versions_that_did_not_tell_channels_apart_are_read() -> None:
    (row,) = decode_intervals(coverage._ENCODER.encode([["coverage", KEY, 1, 2, "covered", "live", 7, 250_000]]))
    assert told([row]) == [(1, 2, None, None)]
    assert told(ChannelHistory(()).told(row)) == [(1, 2, None, None)]


def test_the_history_keeps_only_what_tells_of_open_time() -> None:
    reducer = covered_from(10)
    for ts in range(11, 21):
        reducer.apply(change(ts, "live" if ts % 2 else "disconnect"))
    reducer.cut(30, held=15)
    assert [each.since for each in reducer.channels.states] == [15, 16, 17, 18, 19, 20]
    reducer.cut(30)
    assert len(reducer.channels.states) == 1


def test_of_more_changes_than_are_kept_the_oldest_count_as_not_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "CHANGES_MAX", 2)
    reducer = covered_from(10)
    for ts, reason in ((12, "disconnect"), (14, "live"), (16, "polled")):
        reducer.apply(change(ts, reason))  # type: ignore[arg-type]
    assert told(reducer.cut(20)) == [(10, 16, "disconnect", "live"), (16, 20, "polled", "live")]


REASONS: tuple[CoverageReason, ...] = ("live", "polled", "disconnect", "not_offered")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["trades", "lifecycle", "gap", "book", "cut"]),
            st.integers(0, 5),
            st.integers(0, 9),
            st.sampled_from(REASONS),
        ),
        max_size=50,
    )
)
def test_every_covered_moment_tells_the_last_word_about_each_channel(
    moves: list[tuple[str, int, int, CoverageReason]],
) -> None:
    """Against a table of every moment; what is told or found late is never later than what is held open."""
    reducer, now, rows = covered_from(100, keys=[KEY]), 100, list[Coverage]()
    words: dict[Channel, dict[int, CoverageReason]] = {"trades": {}, "lifecycle": {}}
    for kind, elapsed, late, reason in moves:
        now += elapsed
        if kind in ("trades", "lifecycle"):
            channel: Channel = "trades" if kind == "trades" else "lifecycle"
            since = max(100, now - late)
            reducer.apply(change(since, reason, channel))
            words[channel] |= dict.fromkeys(range(since, 1_000), reason)
        elif kind == "gap":
            rows += reducer.apply(Gap(KEY, now - late, "stall", 1))
        elif kind == "book":
            rows += reducer.apply(book(now))
        else:
            rows += reducer.cut(now, held=10)
    rows += reducer.cut(now)
    assert all(row.start < row.end for row in rows)
    assert all(before.end == after.start for before, after in pairwise(rows))
    closed_late = {moment for row in rows if row.state == "covered" for moment in range(row.start, row.end)}
    assert closed_late <= set(range(100, now))
    if not any(kind == "gap" for kind, *_ in moves):
        for row in rows:
            for moment in range(row.start, row.end):
                assert row.state == "gap" or (row.trades, row.lifecycle) == (
                    words["trades"].get(moment, "live"),
                    words["lifecycle"].get(moment, "live"),
                )
