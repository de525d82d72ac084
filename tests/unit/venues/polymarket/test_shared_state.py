"""What is remembered is remembered within bounds."""

import msgspec
import pytest

from predsurv.core.events import MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.venues.polymarket import shared_state as module
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState


def test_memories_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRICES_MAX", "SIZES_MAX", "SEEN_MAX"):
        monkeypatch.setattr(module, name, 4)
    memory = PolymarketSharedState()
    for number in range(1, 30):
        assert memory.prices[f"0.{number:02}"] == number * 10_000
        assert memory.sizes[str(number)] == number * 1_000_000
        assert memory.trades.add(str(number))
        assert max(len(memory.prices), len(memory.sizes)) <= 4
    assert memory.trades.add("1")
    assert not memory.trades.add("29")


def test_herald_shares_announcements_only() -> None:
    memory = PolymarketSharedState()
    other = memory.for_herald()
    assert memory.announced.add("created 0x1")
    assert not other.announced.add("created 0x1")
    assert memory.trades.add("t")
    assert other.trades.add("t")


def test_sizes_traded_are_not_remembered() -> None:
    memory = PolymarketSharedState()
    codec = PolymarketCodec(1, memory)
    codec.requests({InstrumentKey(VENUE, MarketId("0x1"), InstrumentId("11"))}, frozenset())
    trade = {"asset_id": "11", "price": "0.5", "side": "BUY", "event_type": "last_trade_price"}
    trades = [
        {**trade, "size": f"{n}.5", "timestamp": str(1791199970000 + n), "transaction_hash": "0x"} for n in range(9)
    ]
    out: list[MarketEvent] = []
    codec.decode([msgspec.json.encode(trades)], 1_791_199_971_000_000_000, out)
    assert [event.size for event in out if isinstance(event, Trade)] == [n * 1_000_000 + 500_000 for n in range(9)]
    assert memory.sizes == {}
