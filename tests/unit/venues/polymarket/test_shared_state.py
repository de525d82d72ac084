"""What the connections of a feed share is bounded."""

import msgspec
import pytest

from predsurv.core.events import MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, OrderSide, TradeId
from predsurv.core.num import Price, Size
from predsurv.venues.polymarket import shared_state as module
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState


def told(number: int, on: str = "11", side: OrderSide = "buy") -> Trade:
    """Return trade ``number`` at a half, as told on a token of the market."""
    key = InstrumentKey(VENUE, MarketId("0x1"), InstrumentId(on))
    return Trade(key, 1, number, Price(500_000), Size(number), side, TradeId(f"{number}/{on}"))


def test_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRICES_MAX", "SIZES_MAX", "SEEN_MAX"):
        monkeypatch.setattr(module, name, 4)
    shared = PolymarketSharedState()
    for number in range(1, 30):
        assert shared.prices[f"0.{number:02}"] == number * 10_000
        assert shared.sizes[str(number)] == number * 1_000_000
        assert shared.told_trades.add(told(number), "0x")
        assert max(len(shared.prices), len(shared.sizes)) <= 4
    assert shared.told_trades.add(told(1), "0x")
    assert not shared.told_trades.add(told(29), "0x")
    assert shared.told_trades.add(told(2, on="12", side="sell"), "0x")
    assert not shared.told_trades.add(told(28, on="12", side="sell"), "0x")


def test_the_announcement_connection_shares_announcements_only() -> None:
    shared = PolymarketSharedState()
    other = shared.for_announcements()
    assert shared.announcement_ids.add("created 0x1")
    assert not other.announcement_ids.add("created 0x1")
    assert shared.told_trades.add(told(1), "0x")
    assert other.told_trades.add(told(1), "0x")


def test_sizes_of_trades_are_not_cached() -> None:
    shared = PolymarketSharedState()
    codec = PolymarketCodec(1, shared)
    codec.requests({InstrumentKey(VENUE, MarketId("0x1"), InstrumentId("11"))}, frozenset())
    trade = {"asset_id": "11", "price": "0.5", "side": "BUY", "event_type": "last_trade_price"}
    trades = [
        {**trade, "size": f"{n}.5", "timestamp": str(1791199970000 + n), "transaction_hash": "0x"} for n in range(9)
    ]
    out: list[MarketEvent] = []
    codec.decode([msgspec.json.encode(trades)], 1_791_199_971_000_000_000, out)
    assert [event.size for event in out if isinstance(event, Trade)] == [n * 1_000_000 + 500_000 for n in range(9)]
    assert shared.sizes == {}
