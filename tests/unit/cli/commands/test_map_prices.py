"""Prices of a pair from the days on which both venues were recorded."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from predsurv.cli.commands.map_prices import ComparedMarkets, price_words, together
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import Market
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from tests.kit.mapping_universes import market
from tests.kit.recordings import record

MINUTE = 60_000_000_000
AT = 1_795_132_800_000_000_000  # 2026-11-20T00:00Z
DAY = 1_440 * MINUTE
CLOSE = "2026-12-31T00:00:00Z"
KALSHI, POLYMARKET = market("kalshi", "KX-1", "Is it?", "", CLOSE), market("polymarket", "0x1", "Is it?", "", CLOSE)


def seen(listed: Market, mids: Sequence[int], at: int = AT) -> list[Record]:
    """Return a book a minute whose mid is so many cents, all of it observed."""
    key = listed.key(0)
    rows: list[Record] = [_top(key, at + number * MINUTE, mid) for number, mid in enumerate(mids)]
    return [*rows, Coverage(key, at, at + len(mids) * MINUTE, "covered", "live", 1, trades="live", lifecycle="live")]


def _top(key: InstrumentKey, ts: int, mid: int) -> BookTop:
    bid, ask = ((Price((mid + side) * 10_000), Size(1_000_000)) for side in (-1, 1))
    return BookTop(key, ts, None, pack_levels([bid]), pack_levels([ask]), trusted=True)


def test_minutes_that_both_venues_recorded_are_compared(tmp_path: Path) -> None:
    mids = [50 + number % 3 for number in range(30)]
    record(tmp_path, AT, seen(KALSHI, mids), collector="k")
    record(tmp_path, AT, seen(POLYMARKET, [each + 3 for each in mids[:20]]), collector="p")
    (found,) = together(tmp_path, [ComparedMarkets(KALSHI, POLYMARKET, inverse=False)])
    assert found is not None
    assert found.minutes == 20
    assert found.difference_usd == pytest.approx(0.03)
    assert found.correlation == pytest.approx(1.0)
    (turned,) = together(tmp_path, [ComparedMarkets(KALSHI, POLYMARKET, inverse=True)])
    assert turned is not None
    assert turned.correlation == pytest.approx(-1.0)


def test_days_of_one_venue_alone_and_other_markets_say_nothing(tmp_path: Path) -> None:
    other = market("kalshi", "KX-2", "Or is it?", "", CLOSE)
    assert price_words(tmp_path, [ComparedMarkets(KALSHI, POLYMARKET, inverse=False)]) == [""]
    record(tmp_path, AT, seen(KALSHI, [50] * 5), collector="k")
    record(tmp_path, AT + DAY, seen(POLYMARKET, [50] * 5, AT + DAY), collector="p")
    assert price_words(tmp_path, [ComparedMarkets(KALSHI, POLYMARKET, inverse=False)]) == [""]
    record(tmp_path, AT + DAY, seen(KALSHI, [51] * 4, AT + DAY), collector="k")
    pairs = [ComparedMarkets(other, POLYMARKET, inverse=False), ComparedMarkets(KALSHI, POLYMARKET, inverse=False)]
    assert price_words(tmp_path, pairs) == [
        "",
        "apart by 1.0 ¢ on average over 4 minutes, within 5 ¢ in 100%, too few changes",
    ]
