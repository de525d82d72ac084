"""Recorded time is tiled, snapshot rows equal the applied deltas, and every hour can be read alone."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.state.book import Book
from tests.kit.packed_levels import unpack_levels
from tests.kit.recorder_samples import (
    KEYS,
    POLICY,
    START,
    VENUE,
    A,
    B,
    S,
    book,
    delta,
    gap,
    level,
    recording,
    streams,
    trade,
)

HOUR = 3_600 * S


def spans(records: Iterable[Record]) -> list[tuple[int, int, str]]:
    return [((r.start - START) // S, (r.end - START) // S, r.reason) for r in records if isinstance(r, Coverage)]


def tops(records: Iterable[Record]) -> list[tuple[float, bool]]:
    return [((r.ts_recv - START) / S, r.trusted) for r in records if isinstance(r, BookTop)]


def test_a_book_is_shown_at_once_then_when_it_changed_at_most_once_per_interval() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START)])
    records += recorder.apply([delta(A, START + S // 10, 41, 1)])
    records += recorder.apply([delta(A, START + S // 5, 42, 1)])
    records += recorder.advance(START + S)
    assert tops(records) == [(0.0, True)]
    records += recorder.advance(START + S + 1)
    assert tops(records) == [(0.0, True), (1.0, True)]
    shown = [r for r in records if isinstance(r, BookTop)][-1]
    assert unpack_levels(shown.bids) == (level(42, 1), level(41, 1))


def test_a_change_below_the_shown_levels_is_kept_as_a_delta_and_not_shown() -> None:
    recorder = recording(A)
    recorder.apply([book(A, START), delta(A, START, 41, 1)])
    assert tops(recorder.advance(START + 2 * S)) == [(0.0, True)]
    records = recorder.apply([delta(A, START + 3 * S, 2, 1)]) + recorder.advance(START + 5 * S)
    assert [type(r) for r in records] == [BookDelta]


def test_a_quiet_book_is_shown_once_per_heartbeat() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START)])
    for second in range(1, 35):
        records += recorder.advance(START + second * S)
    assert tops(records) == [(0.0, True), (10.0, True), (20.0, True), (30.0, True)]


def test_a_busy_book_whose_best_levels_stay_the_same_still_has_its_heartbeat() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START), delta(A, START, 41, 1)])
    for tenth in range(1, 250):
        records += recorder.apply([delta(A, START + tenth * S // 10, 2, tenth)])
    assert tops(records) == [(0.0, True), (10.0, True), (20.0, True)]


def test_a_lost_book_is_shown_as_unknown_and_its_deltas_are_dropped_until_the_next_snapshot() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START), gap(A, START + S, "seq_gap"), delta(A, START + 2 * S, 41, 1)])
    records += recorder.apply([book(A, START + 3 * S), delta(A, START + 3 * S, 41, 1)])
    records += recorder.advance(START + 3 * S + 1)
    assert tops(records) == [(0.0, True), (1.0, False), (3.0, True)]
    assert sum(isinstance(r, BookDelta) for r in records) == 1
    assert (recorder.counters.orphans, recorder.counters.gaps) == (1, {"seq_gap": 1})
    assert spans(records) == [(0, 1, "live"), (1, 3, "seq_gap")]


def test_a_delta_of_another_connection_is_not_applied() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START, epoch=2), delta(A, START + 1, 41, 1, epoch=1)])
    assert not any(isinstance(r, BookDelta) for r in records)


def test_events_of_instruments_that_are_not_wanted_leave_nothing() -> None:
    recorder = recording(A)
    assert recorder.apply([book(B, START), delta(B, START, 1, 1), trade(B, START), gap(B, START)]) == []
    assert recorder.counters.strays == 3


def test_rotation_ends_the_coverage_of_one_instrument_and_begins_that_of_another() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START + S)])
    records += recorder.advance(START + 5 * S)
    records += recorder.want({B: 250_000}, {B: None})
    records += recorder.apply([book(B, START + 6 * S)]) + recorder.advance(START + 8 * S)
    records += recorder.want({A: MICROS}, {})
    records += recorder.apply([book(A, START + 9 * S)]) + recorder.stop()
    by_key = {key: [r for r in records if isinstance(r, Coverage) and r.key == key] for key in (A, B)}
    assert spans(by_key[A]) == [(0, 1, "subscribing"), (1, 5, "live"), (5, 8, "rotated_out"), (8, 9, "subscribing")]
    assert spans(by_key[B]) == [(5, 6, "subscribing"), (6, 8, "live")]
    assert {r.inclusion for r in by_key[B]} == {250_000}


def test_wanting_the_same_set_again_changes_nothing() -> None:
    recorder = recording(A, B)
    recorder.apply([book(A, START)])
    recorder.coverage.take_changes()
    assert recorder.want({A: MICROS, B: MICROS}, {}) == []
    assert recorder.coverage.take_changes() == []


def test_a_closed_market_gives_up_its_place_and_can_come_back() -> None:
    recorder = recording(A)
    recorder.apply([book(A, START)])
    recorder.advance(START + 2 * S)
    assert spans(recorder.drop([A, B])) == [(0, 2, "live")]
    assert recorder.counters.trusted == 0
    assert recorder.advance(START + 100 * S) == []
    assert spans(recorder.want({A: MICROS}, {})) == [(2, 100, "rotated_out")]


def test_rows_of_the_instant_in_which_a_market_closes_are_in_the_interval_that_is_open_from_then_on() -> None:
    recorder, closed_at = recording(A), START + 5 * S
    recorder.apply([book(A, START)])
    records = recorder.apply(
        [
            delta(A, closed_at, 40, 0),
            delta(A, closed_at, 60, 0, "ask"),
            MarketChange(VENUE, A.market_id, None, closed_at, None, "closed", "{}"),
        ]
    )
    assert [record.ts_recv for record in records if isinstance(record, BookDelta)] == [closed_at, closed_at]
    assert spans(recorder.drop([A])) == [(0, 5, "live")], "more of this instant may be queued: it is not covered"
    assert recorder.coverage.idle("rotated_out") == [(A, closed_at)]
    recorder.coverage.release([(A, closed_at)])
    recorder.advance(START + 9 * S)
    assert spans(recorder.want({A: MICROS}, {A: closed_at})) == [(5, 9, "rotated_out")]


def test_an_instrument_whose_earlier_coverage_was_not_looked_up_is_not_recorded() -> None:
    recorder = recording(A)
    with pytest.raises(KeyError):
        recorder.want({A: MICROS, B: MICROS}, {})
    assert list(recorder.instruments) == [A]


def test_lifecycle_is_kept_and_handed_on_once() -> None:
    recorder = recording()
    events: list[MarketEvent] = [
        MarketChange(VENUE, A.market_id, None, START, None, "created", "{}"),
        MarketResolved(VENUE, A.market_id, START, None, ()),
    ]
    assert recorder.apply(events) == events
    assert recorder.take_lifecycle() == events
    assert recorder.take_lifecycle() == []


def test_every_hour_begins_with_the_whole_book_of_every_live_instrument() -> None:
    recorder = recording(A, B)
    end = START + HOUR
    recorder.apply([book(A, START), delta(A, end - 5, 41, 1)])
    records = recorder.apply([trade(A, end - 1), delta(A, end + 7, 41, 0)])
    kept = [r for r in records if isinstance(r, BookSnapshot | BookDelta | Trade)]
    assert [type(r) for r in kept] == [Trade, BookSnapshot, BookDelta]
    assert isinstance(kept[1], BookSnapshot)
    assert (kept[1].ts_recv, kept[1].bids) == (end, (level(41, 1), level(40, 5)))


def test_a_clock_that_jumps_ahead_leaves_a_gap_and_keeps_the_books() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START), delta(A, START + 2 * S, 41, 1)])
    records += recorder.step_clock(START + 62 * S)
    records += recorder.apply([delta(A, START + 63 * S, 42, 1)])
    records += recorder.advance(START + 65 * S) + recorder.stop()
    assert spans(records) == [(0, 2, "live"), (2, 62, "clock_step"), (62, 65, "live")]
    snapshot = [r for r in records if isinstance(r, BookSnapshot)][-1]
    assert (snapshot.ts_recv, snapshot.bids) == (START + 62 * S, (level(41, 1), level(40, 5)))


def test_a_clock_that_jumps_back_leaves_a_trace_and_time_goes_on() -> None:
    recorder = recording(A)
    recorder.apply([book(A, START)])
    recorder.advance(START + 60 * S)
    records = recorder.step_clock(START + 60 * S)  # the steady clock's answer to any step back
    records += recorder.apply([delta(A, START + 62 * S, 42, 1)])
    records += recorder.advance(START + 70 * S) + recorder.stop()
    times = [(r.start - START, r.end - START, r.reason) for r in records if isinstance(r, Coverage)]
    assert times == [
        (0, 60 * S, "live"),
        (60 * S, 60 * S + 1, "clock_step"),
        (60 * S + 1, 70 * S, "live"),
    ]
    assert sum(isinstance(r, BookDelta) for r in records) == 1
    assert [at for at, _ in tops(records)] == [60.000000001, 62.0]


def test_what_waited_in_a_queue_while_the_clock_jumped_is_recorded_behind_the_gap() -> None:
    recorder, after = recording(A), START + 602 * S
    records = recorder.apply([book(A, START), delta(A, START + S, 41, 1)])
    waited: list[MarketEvent] = [
        delta(A, START + 2 * S - 5, 42, 1),
        trade(A, START + 2 * S - 4),
        delta(A, after - 7, 43, 1),
    ]
    records += recorder.step_clock(after) + recorder.apply(waited, after + 9)
    records += recorder.apply([delta(A, after + 8, 42, 0)], after + 9) + recorder.advance(after + S)
    times = [r.ts_recv - after for r in records if isinstance(r, BookSnapshot | BookDelta | Trade)]
    assert times[2:] == [0, 0, 0, 0, 8], "the whole book, three that waited, one that did not"
    assert spans(records) == [(0, 1, "live"), (1, 602, "clock_step")]


def test_an_event_from_the_future_is_recorded_at_the_present() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START), delta(A, START + 3_600 * S, 41, 1)], START + S)
    records += recorder.apply([delta(A, START + 2 * S, 42, 1)], START + 2 * S)
    assert [r.ts_recv - START for r in records if isinstance(r, BookDelta)] == [S, 2 * S]
    assert recorder.watermark == START + 2 * S


def test_a_stall_that_began_with_the_last_whole_book_ends_the_trust_in_it_for_whoever_reads() -> None:
    for lost in (START, START - 30 * S):  # at the very time of the book, and before one that a step repeated
        recorder = recording(A, at=START - 60 * S)
        records = recorder.apply([book(A, START - 50 * S)])
        records += recorder.step_clock(START)
        records += recorder.apply([gap(A, lost, "stall")]) + recorder.advance(START + S) + recorder.stop()
        gaps = [r.start - START for r in records if isinstance(r, Coverage) and r.reason == "stall"]
        assert gaps[-1] == 1, "gaps sort before the book of their time, so one begins after it"


def test_a_stall_detected_late_retracts_covered_time() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START + S)])
    records += recorder.advance(START + 40 * S)
    records += recorder.coverage.cut(recorder.watermark)
    records += recorder.apply([gap(A, START + 25 * S, "stall"), book(A, START + 42 * S)])
    records += recorder.advance(START + 50 * S) + recorder.stop()
    assert spans(records) == [(0, 1, "subscribing"), (1, 25, "live"), (25, 42, "stall"), (42, 50, "live")]


def test_after_a_stall_detected_late_no_later_row_says_that_the_book_is_trusted() -> None:
    recorder = recording(A)
    records = recorder.apply([book(A, START)])
    records += recorder.advance(START + 15 * S)  # shows a heartbeat at ten seconds
    records += recorder.apply([gap(A, START + 5 * S, "stall")])
    assert [(at, known) for at, known in tops(records)] == [(0.0, True), (10.0, True), (10.000000001, False)]


def test_a_stall_over_the_full_hour_is_a_gap_on_both_sides_of_it() -> None:
    recorder = recording(A, at=START - 20 * S)
    records = recorder.apply([book(A, START - 20 * S)])
    records += recorder.advance(START + 5 * S)
    assert sum(isinstance(r, BookSnapshot) and r.ts_recv == START for r in records) == 1
    records += recorder.apply([gap(A, START - 10 * S, "stall")])
    records += recorder.apply([book(A, START + 9 * S)])
    intervals = [(r.start - START, r.end - START, r.reason) for r in records if isinstance(r, Coverage)]
    # A reader that meets the hour's snapshot is told again, right behind it.
    assert intervals == [(-20 * S, -10 * S, "live"), (-10 * S, 1, "stall"), (1, 9 * S, "stall")]


def test_a_full_disk_makes_everything_a_gap_from_the_watermark_on() -> None:
    recorder = recording(A, B)
    recorder.apply([book(A, START)])
    recorder.advance(START + 3 * S)
    records = recorder.interrupt("disk_full") + recorder.apply([delta(A, START + 4 * S, 42, 1)])
    assert spans(records) == [(0, 3, "live"), (0, 3, "subscribing")]
    assert recorder.counters.trusted == 0
    assert not any(isinstance(r, BookDelta) for r in records)


def test_a_snapshot_that_comes_while_muted_is_not_trusted() -> None:
    recorder = recording(A, B)
    recorder.apply([book(A, START)])
    recorder.interrupt("disk_full", mute=True)
    records = recorder.apply([book(A, START + S), book(B, START + S), delta(B, START + 2 * S, 42, 1)])
    recorder.unmute()
    assert (records, recorder.counters.trusted) == ([], 0)
    assert spans(recorder.apply([book(A, START + 3 * S), book(B, START + 3 * S)])) == [(0, 3, "disk_full")] * 2


def test_changes_contain_what_is_open_and_after_a_stop_until_when() -> None:
    recorder = recording(A, B)
    recorder.apply([book(A, START + S)])
    notes = dict(recorder.coverage.take_changes())
    assert (notes[A], notes[B]) == (
        Coverage(A, START + S, START + S, "covered", "live", 1),
        Coverage(B, START, START, "gap", "subscribing", 0),
    )
    recorder.advance(START + 4 * S)
    recorder.stop()
    end = START + 4 * S
    assert dict(recorder.coverage.take_changes()) == {
        key: Coverage(key, end, end, "gap", "shutdown", 0) for key in (A, B)
    }


def test_a_gap_of_an_earlier_run_is_resumed() -> None:
    recorder = recording()
    recorder.coverage.resume([Coverage(A, START - 9 * S, START - 9 * S, "gap", "crash", 0)])
    records = recorder.want({A: MICROS}, {}) + recorder.apply([book(A, START + S)])
    assert spans(records) == [(-9, 1, "crash")]


wants = st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from([MICROS, 300_000])), max_size=8)


@given(streams(), wants, st.data())
def test_time_is_tiled_whatever_happens(
    batches: list[list[MarketEvent]], plans: list[dict[InstrumentKey, int]], data: st.DataObject
) -> None:
    recorder = recording()
    records: list[Record] = []
    wanted_at: dict[InstrumentKey, int] = {}
    for number, batch in enumerate(batches):
        plan = plans[number] if number < len(plans) else dict.fromkeys(recorder.instruments, MICROS)
        records += recorder.want(plan, dict.fromkeys(plan))
        wanted_at = dict.fromkeys(plan, recorder.watermark) | wanted_at
        records += recorder.apply(batch)
        if data.draw(st.booleans()):
            records += recorder.coverage.cut(recorder.watermark)
    still_wanted = list(recorder.instruments)
    records += recorder.stop()
    rows = {key: [r for r in records if isinstance(r, Coverage) and r.key == key] for key in wanted_at}
    for key, intervals in rows.items():
        assert all(interval.start < interval.end for interval in intervals)
        assert all(left.end == right.start for left, right in pairwise(intervals))
        assert not intervals or intervals[0].start == wanted_at[key]
    for key in still_wanted:
        # A gap from before a full hour ends the nanosecond after it, which may be the one after the mark.
        assert (rows[key][-1].end if rows[key] else wanted_at[key]) - recorder.watermark in (0, 1)


@given(streams())
def test_folding_everything_up_to_a_top_gives_that_top(batches: list[list[MarketEvent]]) -> None:
    recorder = recording(*KEYS)
    records: list[Record] = []
    for batch in batches:
        records += recorder.apply(batch)
    records += recorder.advance(recorder.watermark + 100 * S)
    books = {key: Book(key) for key in KEYS}
    shown = [r for r in records if isinstance(r, BookTop) and r.trusted]
    changes = [r for r in records if isinstance(r, BookSnapshot | BookDelta)]
    for row in sorted(shown, key=lambda r: r.ts_recv):
        while changes and changes[0].ts_recv <= row.ts_recv:
            books[changes[0].key].apply(changes.pop(0))
        assert books[row.key].top(POLICY.top_levels) == (unpack_levels(row.bids), unpack_levels(row.asks))


@given(streams())
def test_each_hour_can_be_folded_alone(batches: list[list[MarketEvent]]) -> None:
    recorder = recording(*KEYS)
    records: list[Record] = []
    for batch in batches:
        records += recorder.apply(batch)
    whole = {key: Book(key) for key in KEYS}
    alone: dict[tuple[InstrumentKey, int], Book] = {}
    for record in records:
        if isinstance(record, BookSnapshot | BookDelta):
            whole[record.key].apply(record)
            part = alone.setdefault((record.key, record.ts_recv // HOUR), Book(record.key))
            if isinstance(record, BookDelta):
                assert part.trusted
            part.apply(record)
            assert part.top(99) == whole[record.key].top(99)


@given(streams())
def test_deltas_are_kept_once_and_in_order(batches: list[list[MarketEvent]]) -> None:
    recorder = recording(*KEYS)
    sent = [event for batch in batches for event in batch if isinstance(event, BookDelta)]
    kept = [r for batch in batches for r in recorder.apply(batch) if isinstance(r, BookDelta)]
    assert len(kept) + recorder.counters.orphans == len(sent)
    remaining = iter(sent)
    assert all(any(record is event for event in remaining) for record in kept)


@given(streams())
def test_snapshot_rows_keep_their_distance(batches: list[list[MarketEvent]]) -> None:
    recorder = recording(*KEYS)
    last: dict[InstrumentKey, BookTop] = {}
    for record in [r for batch in batches for r in recorder.apply(batch)]:
        if isinstance(record, BookTop):
            before = last.get(record.key)
            if before is not None and before.trusted and record.trusted:
                assert record.ts_recv >= before.ts_recv + POLICY.snapshot_interval
            last[record.key] = record
