"""Tests of predsurv.store.read.verify_books."""

from collections.abc import Callable

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, Level
from predsurv.core.ids import InstrumentId, InstrumentKey
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_HOUR, Layout
from predsurv.store.read import verify_books
from predsurv.store.read.verify_books import check_hour, recorded_hours
from predsurv.store.seal.seal import SealOptions, seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000
Recorder = Callable[..., list[tuple[str, str]]]


def level(price: int, size: int) -> Level:
    return Price(price), Size(size)


BOOK = ((level(500_000, 7), level(490_000, 1), level(480_000, 2)), (level(510_000, 3),))


@pytest.fixture
def found(layout: Layout, key: InstrumentKey) -> Recorder:
    """Record, seal and verify; return the findings as (check, first words)."""

    def run(*records: Record) -> list[tuple[str, str]]:
        log = WriteAheadLog(layout.state, "c0", ManualClock(NOON))
        log.append(records)
        path = log.close()
        assert path is not None
        seal_segment(path, layout, ManualClock(NOON), SealOptions(top_levels=2))
        return [(each.check, each.what) for hour in recorded_hours(layout) for each in check_hour(layout, hour)]

    return run


def book(key: InstrumentKey, ts: int, seq: int | None = None) -> BookSnapshot:
    return BookSnapshot(key, NOON + ts, None, 1, seq, *BOOK)


def change(key: InstrumentKey, ts: int, size: int, seq: int | None = None) -> BookDelta:
    return BookDelta(key, NOON + ts, None, 1, seq, "bid", Price(490_000), Size(size))


def top(key: InstrumentKey, ts: int, second: Level | None) -> BookTop:
    bids = (BOOK[0][0],) if second is None else (BOOK[0][0], second)
    return BookTop(key, NOON + ts, None, pack_levels(bids), pack_levels(BOOK[1]), trusted=True)


def test_books_equal_to_their_snapshots_pass(found: Recorder, key: InstrumentKey) -> None:
    records = [
        book(key, 1), top(key, 1, level(490_000, 1)), change(key, 2, 5), top(key, 2, level(490_000, 5)),
        change(key, 3, 9), top(key, 9, level(490_000, 9)), change(key, 12, 0), top(key, 12, level(480_000, 2)),
        book(key, NS_HOUR), top(key, NS_HOUR, level(490_000, 1)),
    ]  # fmt: skip
    assert found(*records) == []


@pytest.mark.parametrize("second", [level(490_000, 4), level(485_000, 5), None])
def test_levels_that_are_not_those_of_the_book_are_found(
    found: Recorder, key: InstrumentKey, second: Level | None
) -> None:
    ((check, what),) = found(book(key, 1), change(key, 2, 5), top(key, 3, second))
    assert check == "snapshot"
    assert str(NOON + 3) in what


def test_an_hour_that_cannot_be_replayed_alone_is_found(found: Recorder, key: InstrumentKey) -> None:
    findings = found(book(key, 1), change(key, NS_HOUR, 5), top(key, NS_HOUR + 1, level(490_000, 5)))
    assert [check for check, _ in findings] == ["fold"]


def test_levels_without_a_book_are_found(found: Recorder, key: InstrumentKey) -> None:
    other = InstrumentKey(key.venue, key.market_id, InstrumentId("other"))
    assert [check for check, _ in found(book(key, 1), top(other, 2, None))] == ["snapshot"]


def test_sequence_numbers_that_do_not_rise_are_found(found: Recorder, key: InstrumentKey) -> None:
    records = [book(key, 1, 10), change(key, 2, 5, 11), change(key, 3, 6, 11), change(key, 4, 7, 13), book(key, 5, 2)]
    findings = found(*records, change(key, 6, 8, 3))
    assert [check for check, _ in findings] == ["sequence"]
    assert "11" in findings[0][1]


def test_findings_of_an_hour_are_bounded(found: Recorder, key: InstrumentKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_books, "FINDINGS_MAX", 3)
    assert len(found(book(key, 1), *(top(key, ts, None) for ts in range(2, 9)))) == 3
