"""Coverage tiles the time from first wanted to last wanted: no hole, no overlap, right reasons."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot, ChannelChange, CoverageReason, Gap, MarketEvent, Unwanted, Wanted
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.ids import VenueName as V
from predsurv.core.records import Coverage
from predsurv.state.coverage import (
    CoverageReducer,
    between,
    decode_intervals,
    encode_intervals,
    gap,
    open_gap,
    retracted,
)

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))


def book(ts: int, epoch: int = 1) -> BookSnapshot:
    return BookSnapshot(KEY, ts, None, epoch, None, (), ())


def change(ts: int, reason: CoverageReason) -> ChannelChange:
    return ChannelChange(V("mock"), ts, "trades", reason)


def fold(reducer: CoverageReducer, events: list[MarketEvent]) -> list[Coverage]:
    """Apply ``events`` to a reducer from which nothing was released."""
    return [
        row
        for event in events
        for row in (reducer.want(event, None) if isinstance(event, Wanted) else reducer.apply(event))
    ]


def spans(rows: list[Coverage]) -> list[tuple[int, int, str]]:
    return [(row.start, row.end, row.reason) for row in rows]


def test_a_day_in_the_life() -> None:
    rows = fold(
        CoverageReducer(),
        [
            Wanted(KEY, 10),
            book(15),
            Gap(KEY, 30, "disconnect", 1),
            Gap(KEY, 31, "stall", 1),
            book(40, epoch=2),
            Unwanted(KEY, 50, "rotated_out"),
            Wanted(KEY, 70),
            book(72, epoch=2),
            Unwanted(KEY, 90, "shutdown"),
        ],
    )
    assert spans(rows) == [
        (10, 15, "subscribing"),
        (15, 30, "live"),
        (30, 40, "disconnect"),
        (40, 50, "live"),
        (50, 70, "rotated_out"),
        (70, 72, "subscribing"),
        (72, 90, "live"),
    ]
    assert [row.state for row in rows] == ["gap", "covered", "gap", "covered", "gap", "gap", "covered"]


def test_a_cause_replaces_mere_subscribing_but_not_an_earlier_cause() -> None:
    rows = fold(
        CoverageReducer(),
        [Wanted(KEY, 1), Gap(KEY, 2, "disconnect", 1), Gap(KEY, 3, "stall", 1), book(4)],
    )
    assert spans(rows) == [(1, 2, "subscribing"), (2, 4, "disconnect")]


def test_polled_time_says_so() -> None:
    rows = fold(CoverageReducer("polled"), [Wanted(KEY, 1), book(2), Unwanted(KEY, 3, "shutdown")])
    assert spans(rows)[-1] == (2, 3, "polled")


def test_a_frame_that_was_still_on_the_wire_covers_nothing() -> None:
    reducer = CoverageReducer()
    fold(reducer, [Wanted(KEY, 1), book(2), Unwanted(KEY, 3, "rotated_out"), book(4)])
    assert [(each.state, each.reason) for each in reducer.open_intervals()] == [("gap", "rotated_out")]


def test_time_of_a_dead_recorder_is_a_gap() -> None:
    reducer = CoverageReducer()
    reducer.resume(KEY, 5, "crash")
    assert spans(fold(reducer, [Wanted(KEY, 9), book(12)])) == [(5, 12, "crash")]


def test_a_change_of_inclusion_starts_a_new_interval() -> None:
    reducer = CoverageReducer()
    rows = fold(reducer, [Wanted(KEY, 1), book(2), Wanted(KEY, 5, 250_000), Wanted(KEY, 6, 250_000)])
    rows += reducer.cut(8)
    assert [(row.start, row.end, row.inclusion) for row in rows] == [
        (1, 2, 1_000_000),
        (2, 5, 1_000_000),
        (5, 8, 250_000),
    ]


def test_a_cut_leaves_the_idle_alone_until_asked() -> None:
    reducer = CoverageReducer()
    fold(reducer, [Wanted(KEY, 1), Unwanted(KEY, 3, "rotated_out")])
    assert reducer.cut(5) == []
    assert spans(reducer.cut(6, idle=True)) == [(3, 6, "rotated_out")]


def test_unwatched_instruments_leave_no_rows() -> None:
    assert fold(CoverageReducer(), [book(1), Gap(KEY, 2, "stall", 1)]) == []


def test_a_gap_in_the_past_takes_back_what_is_still_open() -> None:
    reducer = CoverageReducer()
    rows = fold(reducer, [Wanted(KEY, 1), book(2), Gap(KEY, 1, "stall", 1), book(20)])
    assert spans(rows) == [(1, 2, "subscribing"), (2, 20, "stall")]
    rows = fold(reducer, [Gap(KEY, 35, "stall", 1), book(40)])
    assert spans(rows) == [(20, 35, "live"), (35, 40, "stall")]


def test_held_claims_are_written_down_late_and_gaps_at_once() -> None:
    reducer = CoverageReducer()
    fold(reducer, [Wanted(KEY, 1), book(2)])
    assert spans(reducer.cut(30, held=10)) == [(2, 20, "live")]
    assert reducer.cut(30, held=10) == []
    assert spans(fold(reducer, [Gap(KEY, 22, "stall", 1)])) == [(20, 22, "live")]
    assert spans(reducer.cut(31, held=10)) == [(22, 31, "stall")]


def test_an_instrument_that_was_released_is_not_tracked_until_it_is_wanted_from_its_end_on() -> None:
    reducer = CoverageReducer()
    fold(reducer, [Wanted(KEY, 1), Unwanted(KEY, 3, "rotated_out")])
    reducer.release(KEY)
    reducer.release(KEY)
    assert reducer.open_interval(KEY) is None
    assert spans(reducer.want(Wanted(KEY, 9), 3)) == [(3, 9, "rotated_out")]
    assert reducer.want(Wanted(KEY, 9), 3) == [], "of a tracked instrument the end is known here"


def test_an_instrument_is_wanted_and_resumed_only_in_ways_that_leave_no_hole() -> None:
    reducer = CoverageReducer()
    with pytest.raises(TypeError, match="end of earlier coverage"):
        reducer.apply(Wanted(KEY, 1))
    reducer.resume(KEY, 3, "crash")
    with pytest.raises(ValueError, match="tracked already"):
        reducer.resume(KEY, 5, "crash")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, 99, [(10, 20, "crash")]),
        (12, 15, [(10, 12, "live"), (12, 15, "crash"), (15, 20, "live")]),
        (12, 99, [(10, 12, "live"), (12, 20, "crash")]),
        (0, 10, [(10, 20, "live")]),
        (20, 99, [(10, 20, "live")]),
    ],
)
def test_covered_time_is_retracted_in_pieces_that_span_the_same(
    since: int, until: int, expected: list[tuple[int, int, str]]
) -> None:
    covered = Coverage(KEY, 10, 20, "covered", "live", 7, 250_000)
    pieces = retracted(covered, since, until, "crash")
    assert spans(pieces) == expected
    assert {(piece.epoch, piece.inclusion) for piece in pieces} == {(7, 250_000)}
    assert all(retracted(piece, 0, 99, "stall") == [piece] for piece in pieces if piece.state == "gap")


def test_stored_intervals_are_read_back() -> None:
    intervals = [gap(KEY, 1, 2, "crash"), open_gap(KEY, 2, "shutdown"), between(gap(KEY, 1, 2, "stall"), 3, 4)]
    assert decode_intervals(encode_intervals(intervals)) == intervals
    assert spans(intervals) == [(1, 2, "crash"), (2, 2, "shutdown"), (3, 4, "stall")]
    with pytest.raises(msgspec.DecodeError):
        decode_intervals(b"\xc1")


def test_an_open_interval_can_be_split() -> None:
    reducer = CoverageReducer()
    assert reducer.split(KEY, 5) == []
    fold(reducer, [Wanted(KEY, 1), book(2)])
    assert spans(reducer.split(KEY, 5)) == [(2, 5, "live")]
    assert reducer.split(KEY, 4) == []
    assert spans(reducer.cut(9)) == [(5, 9, "live")]


_CHANNEL_REASONS: tuple[CoverageReason, ...] = ("live", "disconnect", "polled")

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["wanted", "book", "gap", "late_gap", "out", "cut", "cut_held", "cut_idle", "split", "channel"]
        ),
        st.integers(-2, 5),  # clocks may step back
        st.integers(0, 2),
        st.integers(1, 3),
    ),
    max_size=60,
)


def act(reducer: CoverageReducer, now: int, kind: str, variant: int, epoch: int) -> list[Coverage]:
    match kind:
        case "wanted":
            return reducer.want(Wanted(KEY, now, 500_000 * variant), None)
        case "book":
            return reducer.apply(book(now, epoch))
        case "gap":
            return reducer.apply(Gap(KEY, now, ("stall", "seq_gap", "disconnect")[variant], epoch))
        case "late_gap":
            return reducer.apply(Gap(KEY, now - 4 * epoch, "stall", epoch))
        case "out":
            return reducer.apply(Unwanted(KEY, now, "rotated_out"))
        case "split":
            return reducer.split(KEY, now - variant)
        case "channel":
            return reducer.apply(change(now - variant, _CHANNEL_REASONS[epoch - 1]))
        case _:
            return reducer.cut(now, idle=kind == "cut_idle", held=7 if kind == "cut_held" else 0)


@given(steps)
def test_tiles_have_no_hole_and_no_overlap(moves: list[tuple[str, int, int, int]]) -> None:
    reducer, now, rows = CoverageReducer(), 100, list[Coverage]()
    first: int | None = None
    for kind, elapsed, variant, epoch in moves:
        now = max(1, now + elapsed)
        rows += act(reducer, now, kind, variant, epoch)
        if kind == "wanted" and first is None:
            first = now
    rows += reducer.cut(now, idle=True)
    assert all(row.start < row.end for row in rows)
    assert all(a.end == b.start for a, b in itertools.pairwise(rows))
    if rows:
        assert rows[0].start == first


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 12)), max_size=30))
def test_late_gaps_cover_exactly_what_they_say_while_claims_are_held(stalls: list[tuple[int, int]]) -> None:
    """However often claims are written, a stall of at most the held time is never covered."""
    reducer, now, rows, stalled = CoverageReducer(), 100, list[Coverage](), set[int]()
    reducer.want(Wanted(KEY, now), None)
    rows += reducer.apply(book(now))
    for calm, late in stalls:
        now += calm + late
        rows += reducer.cut(now, held=12)
        rows += reducer.apply(Gap(KEY, now - late, "stall", 1))
        stalled |= set(range(now - late, now))
        rows += reducer.apply(book(now))
    rows += reducer.cut(now)
    covered = {moment for row in rows if row.state == "covered" for moment in range(row.start, row.end)}
    assert not covered & stalled
    assert covered | stalled == set(range(100, now))
