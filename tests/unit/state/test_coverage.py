"""Coverage tiles the time from first wanted to last wanted: no hole, no overlap, right reasons."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookSnapshot, Gap, MarketEvent, Unwanted, Wanted
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.ids import VenueName as V
from predsurv.core.records import Coverage
from predsurv.state.coverage import CoverageReducer

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))


def book(ts: int, epoch: int = 1) -> BookSnapshot:
    return BookSnapshot(KEY, ts, None, epoch, None, (), ())


def fold(reducer: CoverageReducer, events: list[MarketEvent]) -> list[Coverage]:
    return [row for event in events for row in reducer.apply(event)]


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
    assert reducer.tracked() == {KEY: ("gap", "rotated_out")}


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


steps = st.lists(
    st.tuples(
        st.sampled_from(["wanted", "book", "gap", "out", "cut", "cut_idle"]),
        st.integers(-2, 5),  # clocks may step back
        st.integers(0, 2),
        st.integers(1, 3),
    ),
    max_size=60,
)


@given(steps)
def test_tiles_have_no_hole_and_no_overlap(moves: list[tuple[str, int, int, int]]) -> None:
    reducer, now, rows = CoverageReducer(), 100, list[Coverage]()
    first: int | None = None
    for kind, elapsed, variant, epoch in moves:
        now = max(1, now + elapsed)
        if kind == "wanted":
            rows += reducer.apply(Wanted(KEY, now, 500_000 * variant))
            first = now if first is None else first
        elif kind == "book":
            rows += reducer.apply(book(now, epoch))
        elif kind == "gap":
            rows += reducer.apply(Gap(KEY, now, ("stall", "seq_gap", "disconnect")[variant], epoch))
        elif kind == "out":
            rows += reducer.apply(Unwanted(KEY, now, "rotated_out"))
        else:
            rows += reducer.cut(now, idle=kind == "cut_idle")
    rows += reducer.cut(now, idle=True)
    assert all(row.start < row.end for row in rows)
    assert all(a.end == b.start for a, b in itertools.pairwise(rows))
    if rows:
        assert rows[0].start == first
