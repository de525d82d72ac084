"""Tests of predsurv.store.read.replay, and of cursor and tables."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.errors import IntegrityError
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    GapReason,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Trade,
    TradingPhase,
    VenuePhase,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_HOUR, Layout
from predsurv.store.read import cursor, tables
from predsurv.store.read.replay import replay
from predsurv.store.schema import EXACT_MAX
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000
MOCK = VenueName("mock")
KEYS = [InstrumentKey(MOCK, MarketId(f"m{n // 2}"), InstrumentId(f"i{n}")) for n in range(4)]

times = st.integers(-3, 3).map(lambda step: NOON + step * 7) | st.integers(NOON - NS_HOUR, NOON + NS_HOUR)
keys = st.sampled_from(KEYS)
prices = st.integers(0, 10**6).map(Price)
sizes = st.integers(0, EXACT_MAX).map(Size)
venue_times = st.none() | st.integers(-(2**63) + 1, 2**63 - 1)
levels = st.lists(st.tuples(prices, sizes), max_size=3).map(tuple)
markets = st.sampled_from([key.market_id for key in KEYS])
events: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        BookDelta,
        keys,
        times,
        venue_times,
        st.integers(0, 9),
        venue_times,
        st.sampled_from(["bid", "ask"]),
        prices,
        sizes,
    ),
    st.builds(BookSnapshot, keys, times, venue_times, st.integers(0, 9), venue_times, levels, levels),
    st.builds(
        Trade,
        keys,
        times,
        venue_times,
        prices,
        sizes,
        st.sampled_from(["buy", "sell", None]),
        st.none() | st.text("ab1", min_size=1).map(TradeId),
    ),
    st.builds(
        MarketChange,
        st.just(MOCK),
        markets,
        st.none() | st.sampled_from([key.instrument_id for key in KEYS]),
        times,
        venue_times,
        st.sampled_from(["created", "fee", "paused"]),
        st.just("{}"),
        st.none(),
        st.none() | prices,
    ),
    st.builds(MarketResolved, st.just(MOCK), markets, times, venue_times, st.just(()), st.booleans()),
)


def record(data_dir: Path, *segments: Sequence[Record]) -> None:
    """Record these segments, each in batches of three."""
    clock = ManualClock(NOON)
    log = WriteAheadLog(data_dir / "state", "c0", clock)
    for records in segments:
        for start in range(0, len(records), 3):
            log.append(records[start : start + 3])
            log.flush()
        path = log.rotate()
        if path is not None:
            seal_segment(path, Layout(data_dir), clock)
    log.close()


def read(data_dir: Path, start: int = NOON - 2 * NS_HOUR, end: int = NOON + 2 * NS_HOUR) -> list[MarketEvent]:
    return list(replay(data_dir, MOCK, start, end))


def ts_recv(record: Record) -> int:
    assert not isinstance(record, Coverage)
    return record.ts_recv


def told(number: int, name: str | None, ts: int = NOON) -> Trade:
    """Return a trade with an id on instrument ``number``."""
    return Trade(KEYS[number], ts, None, Price(500_000), Size(7), "buy", None if name is None else TradeId(name))


def test_a_reader_of_an_instrument_gets_the_trades_told_on_the_other_outcome_of_its_market(tmp_path: Path) -> None:
    trades = [told(0, "a"), told(1, "b", NOON + 1), told(1, None, NOON + 2), told(2, "c", NOON + 3)]
    levels = ((Price(1), Size(1)),)
    books: list[Record] = [BookSnapshot(KEYS[n], NOON, None, 1, None, levels, ()) for n in range(2)]
    record(tmp_path, [*books, *trades])
    seen = list(replay(tmp_path, MOCK, NOON, NOON + NS_HOUR, {KEYS[0]}))
    assert [event for event in seen if isinstance(event, Trade)] == trades[:3]
    assert [event.key for event in seen if isinstance(event, BookSnapshot)] == [KEYS[0]]


def test_a_trade_that_was_told_on_every_outcome_under_one_id_is_read_once(tmp_path: Path) -> None:
    trades = [told(0, "a"), told(1, "a"), told(1, "b"), told(0, "c"), told(0, None), told(1, None)]
    record(tmp_path, trades)
    for wanted in (0, 1):
        seen = list(replay(tmp_path, MOCK, NOON, NOON + NS_HOUR, {KEYS[wanted]}))
        assert sorted(str(event.trade_id) for event in seen if isinstance(event, Trade)) == ["None", "None", *"abc"]
        assert [event.key for event in seen if isinstance(event, Trade) and event.trade_id == "a"] == [KEYS[wanted]]
    assert list(replay(tmp_path, MOCK, NOON, NOON + NS_HOUR, set(KEYS[:2]))) == trades


@settings(max_examples=15)
@given(st.lists(st.lists(events, max_size=20), max_size=3))
def test_what_was_recorded_is_replayed_exactly_in_order(segments: list[list[Record]]) -> None:
    with TemporaryDirectory() as folder:
        record(Path(folder), *segments)
        assert read(Path(folder)) == sorted((each for segment in segments for each in segment), key=ts_recv)


@settings(max_examples=10)
@given(st.lists(events, max_size=40), times, times)
def test_a_replay_of_a_time_range_has_the_events_received_in_it(records: list[Record], start: int, end: int) -> None:
    with TemporaryDirectory() as folder:
        record(Path(folder), records)
        expected = [each for each in sorted(records, key=ts_recv) if start <= ts_recv(each) < end]
        assert read(Path(folder), start, end) == expected


_PHASES: Final[tuple[TradingPhase, ...]] = ("closed", "open")


def change(n: int, ts: int, size: int = 1) -> BookDelta:
    return BookDelta(KEYS[n], ts, None, 1, None, "bid", Price(1), Size(size))


def test_a_file_longer_than_a_step_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "STEP_ROWS", 4)
    books = [BookSnapshot(KEYS[0], NOON + 50, None, 1, None, ((Price(2), Size(1)), (Price(1), Size(1))), ())] * 5
    records: list[Record] = [*(change(n % 4, NOON + n // 10, n) for n in range(100)), *books]
    record(tmp_path, records[:60], records[60:])
    assert read(tmp_path) == sorted(records, key=ts_recv)
    for name, value in (("WHOLE_ROWS_MAX", 0), ("BATCH_ROWS", 7), ("RELEASED_BATCHES", 2)):
        monkeypatch.setattr(tables, name, value)
    assert read(tmp_path) == sorted(records, key=ts_recv)


def test_only_wanted_instruments_are_read(tmp_path: Path) -> None:
    pause = [MarketChange(MOCK, MarketId(name), None, NOON + 1, None, "paused", "{}") for name in ("m0", "m1")]
    record(tmp_path, [change(0, NOON), change(1, NOON), change(2, NOON), *pause])
    found = list(replay(tmp_path, MOCK, NOON, NOON + 9, frozenset({KEYS[1]})))
    assert found == [change(1, NOON), pause[0]]
    assert list(replay(tmp_path, MOCK, NOON, NOON + 9, frozenset())) == []


def test_a_phase_of_the_whole_venue_is_replayed_whatever_is_wanted(tmp_path: Path) -> None:
    phases = [VenuePhase(MOCK, NOON + n, None, phase, "{}") for n, phase in enumerate(_PHASES)]
    record(tmp_path, [*phases, MarketChange(MOCK, MarketId("m0"), None, NOON + 9, None, "paused", "{}")])
    assert list(replay(tmp_path, MOCK, NOON, NOON + 99, frozenset())) == phases
    assert len(list(replay(tmp_path, MOCK, NOON, NOON + 99))) == 3


def test_a_gap_is_replayed_once_where_it_began(tmp_path: Path) -> None:
    def gap(start: int, end: int, reason: GapReason = "disconnect") -> Coverage:
        return Coverage(KEYS[0], NOON + start, NOON + end, "gap", reason, 3)

    book = BookSnapshot(KEYS[0], NOON + 30, None, 3, None, (), ())
    covered = Coverage(KEYS[0], NOON + 30, NOON + 40, "covered", "live", 3)
    record(
        tmp_path, [change(0, NOON + 10), gap(10, 20), gap(20, 25), gap(25, 30, "stall"), book, covered], [gap(40, 50)]
    )
    assert read(tmp_path) == [
        Gap(KEYS[0], NOON + 10, "disconnect", 3),
        change(0, NOON + 10),
        Gap(KEYS[0], NOON + 25, "stall", 3),
        book,
        Gap(KEYS[0], NOON + 40, "disconnect", 3),
    ]


def test_book_tops_are_not_replayed(tmp_path: Path) -> None:
    record(tmp_path, [BookTop(KEYS[0], NOON, None, b"", b"", trusted=True)])
    assert read(tmp_path) == []


def test_another_venue_is_not_read(tmp_path: Path) -> None:
    record(tmp_path, [change(0, NOON)])
    assert list(replay(tmp_path, VenueName("other"), NOON, NOON + 1)) == []


@pytest.mark.parametrize("cut", [0, 1, 500], ids=["empty", "one byte", "half"])
def test_a_truncated_file_is_named(tmp_path: Path, cut: int) -> None:
    record(tmp_path, [change(0, NOON)])
    (path,) = tmp_path.rglob("deltas_*.parquet")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IntegrityError, match=rf"{path.name}.*predsurv verify"):
        read(tmp_path)


def test_no_flipped_bit_is_read_as_a_wrong_number(tmp_path: Path, records: Callable[[int, int], list[Record]]) -> None:
    record(tmp_path, records(0, 200))
    (path,) = tmp_path.rglob("deltas_*.parquet")
    expected, whole = read(tmp_path), path.read_bytes()
    found = 0
    for at in range(4, len(whole) - 8, len(whole) // 80):
        content = bytearray(whole)
        content[at] ^= 1 << (at % 8)
        path.write_bytes(content)
        try:
            assert read(tmp_path) == expected, at
        except IntegrityError:
            found += 1
    assert found > 70


def test_a_file_of_another_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path, [change(0, NOON)])
    monkeypatch.setattr(tables, "SCHEMA_VERSION", "2")
    with pytest.raises(IntegrityError, match="schema version 2"):
        read(tmp_path)
