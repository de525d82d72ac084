"""What is kept of accounts has a most; without the libraries that check signatures there are none."""

import sys

import pytest

from predsurv.core.errors import ConfigError
from predsurv.simulate.polymarket.trading import accounts, settlement
from predsurv.simulate.polymarket.trading.signatures import SignatureChecker
from tests.kit.desk_polymarket import DeskTrader, silent_simulator
from tests.kit.polymarket_trader import quoted


def test_the_oldest_finished_order_is_forgotten_and_no_live_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "ORDERS_KEPT_MAX", 2)
    simulator = silent_simulator()
    trader, row = DeskTrader(simulator), quoted(simulator)
    live, done, third = (trader.placed(row, price=20_000, size=10_000_000) for _ in range(3))
    assert [each["id"] for each in trader.get("/data/orders")["data"]] == [live, done, third], "nothing has ended"
    trader.ask("DELETE", "/order", {"orderID": done})
    last = trader.placed(row, price=20_000, size=10_000_000)
    assert trader.ask("GET", f"/data/order/{done}").status == 404
    assert [each["id"] for each in trader.get("/data/orders")["data"]] == [live, third, last]


def test_the_oldest_trade_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "TRADES_KEPT_MAX", 1)
    simulator = silent_simulator()
    trader, row = DeskTrader(simulator), quoted(simulator)
    offer = simulator.books[row.book].asks.best()
    _, last = (trader.placed(row, price=offer, size=5_000_000) for _ in range(2))
    assert [each["taker_order_id"] for each in trader.get("/data/trades")["data"]] == [last]


def test_without_the_extra_there_is_market_data_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coincurve", None)
    with pytest.raises(ConfigError, match="live"):
        SignatureChecker()
    simulator = silent_simulator()
    assert simulator.trading is None
