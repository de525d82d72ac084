"""Fixtures: a data folder, a clock that stands still, and records of four instruments."""

from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout

NOON = 1_800_014_400_000_000_000  # 2027-01-15T12:00:00Z


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests end no machine: what a sync is for is tested by making it fail."""
    monkeypatch.setattr("os.fsync", lambda fd: None)
    monkeypatch.setattr("os.fdatasync", lambda fd: None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def key() -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId("m0"), InstrumentId("m0:yes"))


@pytest.fixture
def records() -> Callable[[int, int], list[Record]]:
    """A recording of four instruments: ``records(first, count)`` numbers each change by its size."""

    def make(first: int, count: int) -> list[Record]:
        made: list[Record] = []
        for number in range(first, first + count):
            ts = NOON + number * 1_000_000
            market = MarketId(f"m{number % 4}")
            key = InstrumentKey(VenueName("mock"), market, InstrumentId(f"{market}:yes"))
            made.append(BookDelta(key, ts, ts - 5, 1, number, "bid", Price(400_000), Size(number)))
            if number % 10 == 0:
                levels = ((Price(500_000), Size(7_000_000)), (Price(490_000), Size(1)))
                made.append(BookSnapshot(key, ts, None, 1, None, levels, ()))
                made.append(Trade(key, ts, ts, Price(510_000), Size(3), "buy", TradeId(str(number))))
                made.append(BookTop(key, ts, None, pack_levels(levels), b"", trusted=True))
                made.append(Coverage(key, ts, ts + 1_000, "covered", "live", 1, trades="live", lifecycle="polled"))
        return made

    return make
