"""A small recorded session of known statistics, written by the real store."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from predsurv.core.events import BookDelta, CoverageReason, Level, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.mine.recorded_days import MiningDay
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.recordings import write_universe

S = 1_000_000_000

HOUR = 3_600 * S

T0 = 1_795_132_800 * S  # 2026-11-20T00:00Z

DATE = "2026-11-20"

START = T0 + 10 * HOUR - 100 * S  # everything crosses ten o'clock

KEY = InstrumentKey(VenueName("mock"), MarketId("m1"), InstrumentId("m1-yes"))

QUIET = InstrumentKey(VenueName("mock"), MarketId("m2"), InstrumentId("m2-yes"))


def level(cents: int) -> Level:
    return Price(cents * 10_000), Size(10_000_000)


def top(second: int, bid: int, ask: int, key: InstrumentKey = KEY) -> BookTop:
    return BookTop(key, START + second * S, None, pack_levels([level(bid)]), pack_levels([level(ask)]), trusted=True)


def change(second: int) -> BookDelta:
    return BookDelta(KEY, START + second * S, None, 1, None, "bid", Price(490_000), Size(1_000_000))


def covered(
    start: int,
    end: int,
    key: InstrumentKey = KEY,
    trades: CoverageReason | None = "live",
    reason: CoverageReason = "live",
) -> Coverage:
    return Coverage(
        key, START + start * S, START + end * S, "covered", reason, 1, trades=trades, lifecycle=trades and "live"
    )


def gap(start: int, end: int) -> Coverage:
    return Coverage(KEY, START + start * S, START + end * S, "gap", "disconnect", 1)


def trade(second: int, cents: int, shares: int) -> Trade:
    return Trade(KEY, START + second * S, None, Price(cents * 10_000), Size(shares * 1_000_000), "buy", None)


def session() -> list[Record]:
    """Observed 0–120 and 140–300 s: spread 2 c for 50 s, 4 c for 70 s, 6 c for 160 s; a quiet one beside it."""
    return [
        top(0, 49, 51),
        top(0, 20, 60, QUIET),
        *(change(second) for second in (10, 20, 50)),
        top(50, 48, 52),
        trade(60, 50, 8),
        covered(0, 120),
        gap(120, 140),
        trade(130, 50, 1_000),
        top(140, 47, 53),
        *(change(second) for second in (150, 290)),
        covered(140, 300),
        covered(0, 300, QUIET),
    ]


def record(folder: Path, parts: Sequence[Sequence[Record]], collector: str = "c0") -> MiningDay:
    """Write each part as one sealed segment."""
    clock = ManualClock(START)
    log = WriteAheadLog(folder / "state", collector, clock)
    for part in parts:
        log.append(part)
        log.flush()
        path = log.rotate()
        assert path is not None
        seal_segment(path, Layout(folder), clock)
    log.close()
    return MiningDay(folder, VenueName("mock"), DATE)


def listed(day: MiningDay, *markets: Market) -> MiningDay:
    """Write a universe that has listed ``markets`` since before the session; return ``day``."""
    write_universe(day.data_dir, day.venue, day.date, [replace(each, fetched_at=T0) for each in markets])
    return day
