"""The reducer keeps what belongs to wanted, trusted books and counts everything else."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.recording.reducer import EventReducer
from predsurv.collect.recording.snapshots import FoldPlace, SnapshotSampler
from predsurv.core import native
from predsurv.core.events import (
    BookDelta,
    Connected,
    Disconnected,
    Dropped,
    Malformed,
    MarketChange,
    MarketEvent,
    Quote,
    Unknown,
    Wanted,
)
from predsurv.core.level_changes import LevelChanges, PackedEvent, PackedRecord, each_record
from predsurv.core.num import MICROS
from predsurv.core.records import BookTop, Coverage
from predsurv.state.book import Book
from tests.kit.packed_changes import packed
from tests.kit.recorder_samples import (
    POLICY,
    START,
    VENUE,
    A,
    B,
    C,
    S,
    book,
    delta,
    gap,
    level,
    recording,
    streams,
    trade,
)


def folded(*events: PackedEvent) -> tuple[EventReducer, list[PackedRecord]]:
    coverage = CoverageTracker("live")
    coverage.want(Wanted(A, START), None)
    reducer = EventReducer(SnapshotSampler(2, S, 10 * S), coverage)
    reducer.instruments[A] = RecordedInstrument(A, 1_000_000)
    out: list[PackedRecord] = []
    reducer.apply(events, out)
    return reducer, out


def test_facts_without_records_are_counted() -> None:
    reducer, out = folded(
        Connected(VENUE, START, 7, 1),
        Connected(VENUE, START, 8, 2),
        Disconnected(VENUE, START + S, 7, 1, "reset"),
        Unknown(VENUE, START, "x"),
        Malformed(VENUE, START, "x", "d"),
        Dropped(VENUE, START, 5),
        Quote(A, START, None, None, None),
    )
    counters = reducer.counters
    assert out == []
    assert (counters.events, counters.connects, counters.disconnects, counters.connections) == (7, 2, 1, 1)
    assert (counters.unknown, counters.malformed, counters.dropped, counters.connected_since) == (1, 1, 5, {8: START})


def test_deltas_need_a_trusted_book_of_their_own_connection() -> None:
    reducer, out = folded(
        delta(A, START, 41, 1),
        book(A, START + 1),
        delta(A, START + 2, 41, 1),
        delta(A, START + 2, 42, 1, epoch=2),
        gap(A, START + 3),
        delta(A, START + 4, 43, 1),
    )
    assert reducer.counters.orphans == 3
    assert [row for row in out if row == delta(A, START + 2, 41, 1)]
    assert (reducer.counters.trusted, reducer.counters.gaps) == (0, {"disconnect": 1})


def test_events_of_other_instruments_are_counted_and_left_out() -> None:
    reducer, out = folded(book(B, START), delta(B, START, 1, 1), trade(B, START), gap(B, START))
    assert (out, reducer.counters.strays) == ([], 3)


def test_trades_of_a_mirror_are_kept_as_told_as_long_as_its_instrument_is_recorded() -> None:
    recorder = Recorder(POLICY)
    recorder.advance(START)
    recorder.want({A: 1_000_000}, {A: None}, {A: B, C: A})
    told = [trade(A, START + 1), trade(B, START + 2), trade(C, START + 3)]
    assert recorder.apply(told) == told[:2]
    assert (recorder.counters.strays, recorder.mirrors) == (1, {A: B})
    recorder.drop([A])
    assert recorder.apply([trade(B, START + 4)]) == []
    assert recorder.mirrors == {}
    assert all(record.key != B for record in recorder.stop() if isinstance(record, Coverage))


def test_books_of_a_mirror_are_not_recorded() -> None:
    recorder = Recorder(POLICY)
    recorder.advance(START)
    recorder.want({A: 1_000_000}, {A: None}, {A: B})
    assert recorder.apply([book(B, START + 1), delta(B, START + 2, 41, 1), gap(B, START + 3)]) == []
    assert recorder.counters.strays == 2


def test_a_market_change_is_kept_and_handed_on() -> None:
    event = MarketChange(VENUE, A.market_id, None, START, None, "paused", "{}")
    reducer, out = folded(event)
    assert out == reducer.lifecycle == [event]


def test_the_watermark_is_the_latest_event_and_never_goes_back() -> None:
    reducer, _ = folded(trade(A, START + 5 * S), gap(A, START + 2 * S, "stall"))
    assert reducer.watermark == START + 5 * S


def told(batches: Sequence[Sequence[PackedEvent]]) -> tuple[object, ...]:
    """Return everything a recorder says of ``batches`` and all that it then knows."""
    recorder = recording(A, B)
    records = [record for batch in batches for record in each_record(recorder.apply(batch))]
    books = [(book.top(9), book.ts_recv, book.ts_venue, book.epoch, book.seq) for book in books_of(recorder)]
    records += recorder.advance(recorder.watermark + 100 * S)
    sampler = recorder._reducer.sampler
    waiting = [(due, line.book.key, line.due, line.pending, line.changed_at) for due, _, line in sorted(sampler.due)]
    return records, recorder.watermark, recorder.counters, waiting, books, recorder.stop()


def books_of(recorder: Recorder) -> list[Book]:
    return [instrument.book for instrument in recorder.instruments.values()]


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
@given(streams())
def test_the_compiled_function_gives_the_same_records(batches: list[list[MarketEvent]]) -> None:
    seen = []
    for speedups in (native.speedups, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "speedups", speedups)
            seen += [told(batches), told([packed(batch) for batch in batches])]
    assert seen[0] == seen[1] == seen[2] == seen[3]


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
def test_the_compiled_function_folds_plain_deltas() -> None:
    assert native.speedups is not None
    reducer, out = folded(book(A, START), delta(A, START + 1, 40, 1))
    sampler = reducer.sampler
    events: list[PackedEvent] = [delta(A, START + 2, 41, 1), delta(A, START + 3, 42, 1), trade(A, START + 4)]
    events += [LevelChanges([delta(A, START + 5, 43, 1), delta(B, START + 5, 1, 1)]), trade(B, START + 6)]
    place = events, 0, START + 1, START + S, True
    assert sampler.fold(native.speedups.fold_events, place, reducer.instruments, out) == (4, START + 5, 1, 0)
    assert each_record(out)[-4:] == [*events[:3], delta(A, START + 5, 43, 1)]
    assert reducer.instruments[A].changed_at == START + 5
    assert reducer.instruments[A].book.best_bid() == level(43, 1)
    left: list[PackedEvent] = [trade(A, START + 4), LevelChanges([delta(A, START + S, 42, 1)]), gap(A, START + 6)]
    for each in left:
        place = [each], 0, START + 5, START + S, True
        assert sampler.fold(native.speedups.fold_events, place, reducer.instruments, out) == (0, START + 5, 0, 0)


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
def test_the_compiled_functions_refuse_arguments_of_other_types() -> None:
    assert native.speedups is not None
    reducer, out = folded(book(A, START))
    sampler = reducer.sampler
    with pytest.raises(TypeError):
        native.speedups.fold_events([], 0, START, START, reducer.instruments, out, sampler.due, 7, 1, 2, S, True)
    with pytest.raises(TypeError):
        native.speedups.show_due([(1, 1, "no line")], 2, sampler.sequence, 2, S, out)
    with pytest.raises(TypeError):
        native.speedups.show_due([1], 2, sampler.sequence, 2, S, out)
    del reducer.instruments[A].changed_at
    reducer.instruments[A].pending, reducer.instruments[A].due = True, START - S
    place: FoldPlace = [delta(A, START + 1, 41, 1)], 0, START, START + S, True
    with pytest.raises(AttributeError):
        sampler.fold(native.speedups.fold_events, place, reducer.instruments, out)


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
def test_the_compiled_function_needs_a_book_and_its_times() -> None:
    assert native.speedups is not None
    for missing in ("book", "due", "changed_at", "shown_at"):
        reducer, out = folded(book(A, START))
        line = reducer.instruments[A]
        line.pending, line.due = True, START
        delattr(line, missing)
        with pytest.raises((AttributeError, TypeError)):
            native.speedups.show_due([(START, 0, line)], START + S, reducer.sampler.sequence, 2, S, out)


def test_changes_that_are_all_folded_are_the_record_and_others_are_left_out() -> None:
    kept = LevelChanges([delta(A, START + 1, 41, 1), delta(A, START + 1, 42, 1)])
    reducer, out = folded(book(A, START), kept)
    assert native.speedups is None or out[-1] is kept
    assert (reducer.counters.events, reducer.watermark) == (3, START + 1)
    mixed = [delta(A, START + 2, 43, 1), delta(B, START + 2, 1, 1), delta(A, START + 2, 44, 1)]
    out = []
    reducer.apply([LevelChanges(mixed), LevelChanges([delta(A, START + 3, 45, 1, epoch=2)])], out)
    assert each_record(out) == [mixed[0], mixed[2]]
    assert (reducer.counters.strays, reducer.counters.orphans, reducer.counters.events) == (1, 1, 7)


def test_a_row_that_is_overdue_stands_before_the_change_that_follows_it() -> None:
    first, late = delta(B, START + 5 * S, 1, 1), delta(A, START + 5 * S, 41, 1)
    reducer, out = folded(book(A, START), LevelChanges([delta(A, START + 1, 42, 1)]))
    reducer.instruments[B] = RecordedInstrument(B, MICROS)
    reducer.apply([book(B, START + 4 * S)], out)
    del out[:]
    reducer.apply([delta(A, START + 5 * S - 1, 43, 1), LevelChanges([first, late])], out)
    kinds = [(each.key, type(each)) for each in each_record(out) if isinstance(each, BookTop | BookDelta)]
    assert kinds[-4:] == [(B, BookTop), (B, BookDelta), (A, BookTop), (A, BookDelta)]


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
def test_the_compiled_fold_of_changes_refuses_what_it_cannot_fold() -> None:
    assert native.speedups is not None
    fold, run = native.speedups.fold_events, [LevelChanges([delta(A, START + 2 * S, 41, 1)])]
    reducer, out = folded(book(A, START), delta(A, START, 41, 1))
    order, when = reducer.sampler.sequence, (START, START + 9 * S)
    wrong: Any
    for wrong in ((), None):
        with pytest.raises(TypeError):
            fold(wrong, 0, *when, reducer.instruments, out, [], order, S, 2, S, True)
    with pytest.raises(TypeError):
        fold(run, 0, *when, reducer.instruments, out, [], 7, S, 2, S, True)
    with pytest.raises(TypeError):
        fold(run, 0, *when, {A: "no line"}, out, [], order, S, 2, S, True)
    for missing in ("book", "due", "changed_at", "shown_at"):
        reducer, out = folded(book(A, START))
        line = reducer.instruments[A]
        line.pending, line.due = missing != "shown_at", START
        delattr(line, missing)
        with pytest.raises((AttributeError, TypeError)):
            fold(run, 0, *when, reducer.instruments, out, [], order, S, 2, S, True)
    reducer, out = folded(book(A, START))
    del reducer.instruments[A].epoch
    assert fold(run, 0, *when, reducer.instruments, out, [], order, S, 2, S, True) == (1, START + 2 * S, 0, 1)
