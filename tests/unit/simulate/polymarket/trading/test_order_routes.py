"""Orders are placed and cancelled one by one, in batches, by market and all at once."""

import json
from typing import Any

import pytest

from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.simulate.polymarket.trading.order_routes import CANCELS_MAX, ORDERS_MAX
from tests.kit.desk_polymarket import DeskTrader, error_of, silent_simulator
from tests.kit.polymarket_trader import quoted

S = 1_000_000_000
LOW: dict[str, Any] = {"price": 20_000, "size": 10_000_000}


@pytest.fixture
def simulator() -> PolymarketSimulator:
    return silent_simulator()


@pytest.fixture
def trader(simulator: PolymarketSimulator) -> DeskTrader:
    return DeskTrader(simulator)


def live(trader: DeskTrader) -> list[str]:
    return [row["id"] for row in trader.get("/data/orders")["data"]]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[", b"null", b"\xff", b"[" * 20_000])
def test_a_batch_that_is_no_list_of_orders_is_refused(trader: DeskTrader, body: bytes) -> None:
    assert error_of(trader.ask("POST", "/orders", body)) == "Invalid order payload"


def test_a_batch_has_a_most_of_orders(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    bodies = [trader.body(trader.sign(quoted(simulator), **LOW)) for _ in range(ORDERS_MAX + 1)]
    assert error_of(trader.ask("POST", "/orders", bodies)) == "Too many orders in payload: 16, max allowed: 15"
    assert live(trader) == []
    rows = json.loads(trader.ask("POST", "/orders", bodies[1:]).body)
    assert live(trader) == [row["orderID"] for row in rows]
    assert len(rows) == ORDERS_MAX


def test_a_refusal_in_a_batch_is_a_success_without_an_order(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    row = quoted(simulator)
    good = trader.sign(row, **LOW)
    rows = json.loads(trader.ask("POST", "/orders", [{"no": "order"}, trader.body(good)]).body)
    assert (rows[0]["success"], rows[0]["orderID"], rows[0]["errorMsg"]) == (True, "", "Invalid order payload")
    assert (rows[0]["status"], rows[0]["tradeIDs"]) == ("", [])
    assert (rows[1]["success"], rows[1]["orderID"], rows[1]["errorMsg"]) == (True, good.order_id, "")


@pytest.mark.parametrize("modes", [(True, True), (True, False)])
def test_in_post_only_mode_a_batch_is_taken_when_all_of_it_is_post_only(
    simulator: PolymarketSimulator, trader: DeskTrader, modes: tuple[bool, bool]
) -> None:
    row = quoted(simulator)
    bodies = [trader.body(trader.sign(row, post_only=mode, **LOW)) for mode in modes]
    simulator.inject(ScriptedFault(0, "postonly", S))
    answer = trader.ask("POST", "/orders", bodies)
    assert answer.status == (200 if all(modes) else 503)
    assert len(live(trader)) == (2 if all(modes) else 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"orderID":7}', b'{"orderID":"abc"}', b"[" * 20_000])
def test_a_cancel_that_names_no_order_is_refused(trader: DeskTrader, body: bytes) -> None:
    assert error_of(trader.ask("DELETE", "/order", body)) == "Invalid orderID"


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b"[" * 20_000])
def test_cancels_that_are_no_list_of_ids_are_refused(trader: DeskTrader, body: bytes) -> None:
    assert error_of(trader.ask("DELETE", "/orders", body)) == "Invalid order payload"


def test_cancels_are_answered_id_by_id_and_have_a_most(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    row = quoted(simulator)
    first, second = trader.placed(row, **LOW), trader.placed(row, **LOW)
    too_many = [first] * (CANCELS_MAX + 1)
    said = error_of(trader.ask("DELETE", "/orders", too_many))
    assert said == "Too many orders in payload: 1001, max allowed: 1000"
    answer = json.loads(trader.ask("DELETE", "/orders", [first, "0x12", first]).body)
    assert answer == {"canceled": [first], "not_canceled": {"0x12": "already canceled or matched"}}
    assert live(trader) == [second]


def test_the_orders_of_a_market_or_a_token_are_cancelled(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    row = quoted(simulator)
    other = quoted(simulator, lambda each: each.number != row.number)
    yes, no, elsewhere = trader.placed(row, 0, **LOW), trader.placed(row, 1, **LOW), trader.placed(other, **LOW)
    for body in (b"{}", b"nonsense", {"market": "", "asset_id": ""}):
        assert error_of(trader.ask("DELETE", "/cancel-market-orders", body)) == "Invalid order payload"

    def cancelled(**named: str) -> list[str]:
        found: list[str] = json.loads(trader.ask("DELETE", "/cancel-market-orders", named).body)["canceled"]
        return found

    assert cancelled(market=other.condition, asset_id=row.tokens[1]) == [], "a token of another market"
    assert cancelled(asset_id=row.tokens[1]) == [no]
    again = trader.placed(row, 1, **LOW)
    assert cancelled(market=row.condition, asset_id="") == [yes, again]
    assert live(trader) == [elsewhere]


def test_nobody_cancels_the_orders_of_another_account(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    mine = trader.placed(quoted(simulator), **LOW)
    answer = json.loads(other.ask("DELETE", "/orders", [mine]).body)
    assert answer["not_canceled"] == {mine: "already canceled or matched"}
    assert json.loads(other.ask("DELETE", "/cancel-all").body)["canceled"] == []
    assert live(trader) == [mine]


async def test_a_delayed_order_cannot_be_cancelled_and_then_trades(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    row = quoted(simulator)
    ask = simulator.books[row.book].asks.best()
    simulator.inject(ScriptedFault(0, "orderdelayed", S))
    answer = trader.place(row, price=ask, size=5_000_000)
    assert answer["status"] == "delayed"
    assert trader.get(f"/data/order/{answer['orderID']}")["status"] == "DELAYED"
    said = json.loads(trader.ask("DELETE", "/order", {"orderID": answer["orderID"]}).body)["not_canceled"]
    assert said == {answer["orderID"]: "cannot cancel because the order is in pending/delayed status"}
    await simulator.advance(S)
    assert trader.get(f"/data/order/{answer['orderID']}")["status"] in ("MATCHED", "LIVE")
