"""What an account reads of its orders, trades, balances and notifications."""

import base64
import json
from collections.abc import Mapping

import pytest

from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.simulate.polymarket.trading import account_reads
from tests.kit.desk_polymarket import DeskTrader, error_of, silent_simulator
from tests.kit.polymarket_trader import quoted

S = 1_000_000_000
LOW: Mapping[str, int] = {"price": 20_000, "size": 10_000_000}


@pytest.fixture
def simulator() -> PolymarketSimulator:
    return silent_simulator()


@pytest.fixture
def trader(simulator: PolymarketSimulator) -> DeskTrader:
    return DeskTrader(simulator)


def bought(simulator: PolymarketSimulator, trader: DeskTrader) -> str:
    """Buy at the best offer of the first quoted market; return the order's id."""
    row = quoted(simulator)
    return trader.placed(row, price=simulator.books[row.book].asks.best(), size=5_000_000)


@pytest.mark.parametrize("cursor", ["LTE=", "MA", "!!!!", "eA==", base64.b64encode(b"1" * 12).decode(), "é"])
def test_a_cursor_that_is_no_position_is_refused(trader: DeskTrader, cursor: str) -> None:
    for path in ("/data/orders", "/data/trades"):
        assert error_of(trader.ask("GET", path, next_cursor=cursor)) == "invalid next_cursor"


def test_pages_follow_their_cursors_to_the_last(
    simulator: PolymarketSimulator, trader: DeskTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_reads, "PAGE_ROWS", 2)
    orders = [trader.placed(quoted(simulator), **LOW) for _ in range(5)]
    seen, cursor, sizes = list[str](), "MA==", list[int]()
    while cursor != "LTE=":
        page = trader.get("/data/orders", next_cursor=cursor)
        seen += [row["id"] for row in page["data"]]
        sizes.append(page["count"])
        assert (page["limit"], page["count"]) == (2, len(page["data"]))
        cursor = page["next_cursor"]
    assert (seen, sizes) == (orders, [2, 2, 1])


def test_orders_are_found_by_id_market_and_token(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    row = quoted(simulator)
    other = quoted(simulator, lambda each: each.number != row.number)
    yes, no, elsewhere = trader.placed(row, **LOW), trader.placed(row, 1, **LOW), trader.placed(other, **LOW)

    def found(**wanted: str) -> list[str]:
        return [each["id"] for each in trader.get("/data/orders", **wanted)["data"]]

    assert found(id=no) == [no]
    assert found(market=row.condition.upper()) == [yes, no], "hex is the same in either case"
    assert found(asset_id=other.tokens[0]) == [elsewhere]
    assert found(asset_id=other.tokens[0], market=row.condition) == []
    assert found(market="") == [yes, no, elsewhere]
    assert trader.ask("GET", "/data/order/0x12").status == 404


async def test_trades_are_bound_by_time(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    order = bought(simulator, trader)
    (trade,) = trader.get("/data/trades")["data"]
    second = int(trade["match_time"])
    assert trade["taker_order_id"] == order

    def count(**bounds: str) -> int:
        return len(trader.get("/data/trades", **bounds)["data"])

    assert count(after=str(second - 1), before=str(second + 1)) == 1
    assert count(after=str(second)) == 0
    assert count(before=str(second)) == 0
    assert count(after="yesterday", before="9" * 14) == 1, "what is no time bounds nothing"
    assert count(maker_address=trade["maker_address"].lower()) == 1
    assert count(market="0x" + "00" * 32) == 0
    assert DeskTrader(simulator, "0x" + "5a" * 32).get("/data/trades")["data"] == []


def test_a_trade_is_the_takers_whichever_api_key_of_the_account_asks(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    bought(simulator, trader)
    (trade,) = trader.get("/data/trades")["data"]
    (same,) = DeskTrader(simulator, nonce=1).get("/data/trades")["data"]
    assert (trade["trader_side"], trade["maker_address"]) == ("TAKER", trader.api_key.address)
    assert same == trade


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"asset_type": "DOLLARS"},
        {"asset_type": "COLLATERAL", "token_id": "1"},
        {"asset_type": "CONDITIONAL"},
        {"asset_type": "CONDITIONAL-V2", "token_id": ""},
    ],
)
def test_a_balance_of_nothing_in_particular_is_refused(trader: DeskTrader, query: dict[str, str]) -> None:
    assert error_of(trader.ask("GET", "/balance-allowance", **query)) == "invalid asset type or token id"


def test_an_account_starts_with_dollars_and_no_shares(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    dollars = trader.get("/balance-allowance", asset_type="COLLATERAL")
    assert dollars["balance"] == "10000000000"
    assert set(dollars["allowances"].values()) == {str((1 << 256) - 1)}
    token = quoted(simulator).tokens[0]
    for kind in ("CONDITIONAL", "CONDITIONAL-V2"):
        assert trader.get("/balance-allowance", asset_type=kind, token_id=token)["balance"] == "0"


def test_ends_of_orders_are_notified_until_dropped(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    assert trader.get("/notifications") == []
    filled, first, second = bought(simulator, trader), *(trader.placed(quoted(simulator), **LOW) for _ in range(2))
    trader.ask("DELETE", "/orders", [first, second])
    told = trader.get("/notifications")
    assert [(each["payload"]["order_id"], each["type"]) for each in told] == [(filled, 2), (first, 1), (second, 1)]
    assert told[1]["payload"]["remaining_size"] == "10"
    assert DeskTrader(simulator, "0x" + "5a" * 32).get("/notifications") == []
    dropped = trader.ask("DELETE", "/notifications", ids=f"{told[0]['id']},{told[2]['id']},x")
    assert json.loads(dropped.body) == "OK"
    assert trader.get("/notifications") == [told[1]]
    trader.ask("DELETE", "/notifications")
    assert trader.get("/notifications") == [told[1]], "no ids drop nothing"


def test_no_more_notifications_are_kept_than_the_most(
    simulator: PolymarketSimulator, trader: DeskTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_reads, "NOTIFICATIONS_KEPT_MAX", 2)
    orders = [trader.placed(quoted(simulator), **LOW) for _ in range(3)]
    trader.ask("DELETE", "/cancel-all")
    assert [each["payload"]["order_id"] for each in trader.get("/notifications")] == orders[1:]


def test_no_order_scores(trader: DeskTrader) -> None:
    assert json.loads(trader.ask("POST", "/orders-scoring", ["0x1", "0x2"]).body) == {"0x1": False, "0x2": False}
    for body in (b"", b"{}", b"[1]", b"\xff"):
        assert json.loads(trader.ask("POST", "/orders-scoring", body).body) == {}
    assert trader.get("/order-scoring", order_id="0x1") == {"scoring": False}
