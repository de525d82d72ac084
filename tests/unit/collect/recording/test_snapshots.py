"""A row of best levels is due when they changed, within the configured bounds of frequency."""

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.collect.recording.snapshots import SnapshotSampler
from predsurv.core.records import BookTop, Record
from tests.kit.packed_levels import unpack_levels
from tests.kit.recorder_samples import START, A, S, book, delta


def opened() -> tuple[SnapshotSampler, RecordedInstrument]:
    tops, line = SnapshotSampler(2, S, 10 * S), RecordedInstrument(A, 1_000_000)
    line.book.apply(book(A, START))
    line.changed_at = START
    tops.book_trusted(line, START)
    return tops, line


def shown(tops: SnapshotSampler, mark: int) -> list[BookTop]:
    out: list[Record] = []
    tops.sample_until(mark, out)
    return [row for row in out if isinstance(row, BookTop)]


def times(rows: list[BookTop]) -> list[int]:
    return [(row.ts_recv - START) // S for row in rows]


def change(tops: SnapshotSampler, line: RecordedInstrument, ts: int, price: int) -> None:
    line.book.apply(delta(A, ts, price, 3))
    line.changed_at = ts
    if not line.pending:
        tops.book_changed(line, ts)


def test_a_new_book_is_shown_as_soon_as_its_instant_is_over() -> None:
    tops, _ = opened()
    assert times(shown(tops, START)) == []
    assert times(shown(tops, START + 1)) == [0]
    assert times(shown(tops, START + 9 * S)) == []


def test_changes_are_shown_at_most_once_per_interval_as_of_its_end() -> None:
    tops, line = opened()
    shown(tops, START + 1)
    change(tops, line, START + S // 4, 41)
    change(tops, line, START + S // 2, 42)
    assert times(shown(tops, START + S)) == []
    (row,) = shown(tops, START + S + 1)
    assert [price for price, _ in unpack_levels(row.bids)] == [420_000, 410_000]


def test_a_change_of_no_shown_level_is_not_shown() -> None:
    tops, line = opened()
    change(tops, line, START, 41)
    shown(tops, START + 1)
    change(tops, line, START + 2 * S, 1)
    assert times(shown(tops, START + 5 * S)) == []


def test_a_quiet_book_has_its_heartbeats_and_a_dropped_instrument_none() -> None:
    tops, line = opened()
    assert times(shown(tops, START + 25 * S)) == [0, 10]
    assert times(shown(tops, START + 26 * S)) == [20]
    line.recorded = False
    assert times(shown(tops, START + 90 * S)) == []


def test_a_lost_book_is_shown_as_unknown() -> None:
    tops, line = opened()
    shown(tops, START + 1)
    row = tops.book_lost(line, START + 3 * S)
    assert (row.trusted, row.bids, row.asks, row.ts_recv) == (False, b"", b"", START + 3 * S)
    assert line.bids is None
