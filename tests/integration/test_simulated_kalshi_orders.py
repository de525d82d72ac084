"""Orders on the simulated Kalshi over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from predsurv.core.ids import ClientOrderId
from predsurv.simulate.kalshi.trading.order_routes import BLOCKED_FOR
from predsurv.venues.kalshi.orders.answers import judge_order
from tests.kit.kalshi_trader import KalshiTrader, quoted, told
from tests.kit.patience import PATIENCE_S, until
from tests.kit.simulated_kalshi import SimulatedKalshi

ORDERS = "/portfolio/events/orders"
S = 1_000_000_000


@pytest.fixture(params=["ed25519", "rsa"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimulatedKalshi]:
    made = SimulatedKalshi(tmp_path, markets=60, rate=200, key_type=request.param)
    await made.start()
    async with asyncio.timeout(PATIENCE_S):
        await until(lambda: any(book.yes and book.no for book in made.server.markets.books.values()))
        yield made
    await made.aclose()


@pytest.fixture
async def trader(server: SimulatedKalshi) -> AsyncIterator[KalshiTrader]:
    made = KalshiTrader(server)
    yield made
    await made.http.aclose()


def best(server: SimulatedKalshi, ticker: str) -> tuple[int, int]:
    book = server.server.markets.books[ticker]
    return max(book.yes), 1_000_000 - max(book.no)


def text(price: int) -> str:
    return f"{price / 1_000_000:.4f}"


async def test_an_order_rests_in_the_public_book_and_is_cancelled(
    server: SimulatedKalshi, trader: KalshiTrader
) -> None:
    ticker = quoted(server)
    price = best(server, ticker)[0] - 30_000
    link = await trader.listen("user_orders")
    answer = await trader.place(ticker, "bid", text(price), "777")
    assert answer.status_code == 201
    placed = answer.json()
    assert (placed["fill_count"], placed["remaining_count"]) == ("0.00", "777.00")
    message = await told(link, "user_order")
    assert (message["order_id"], message["status"], message["ticker"]) == (placed["order_id"], "resting", ticker)
    await until(lambda: server.server.markets.books[ticker].yes.get(price, 0) >= 77_700)
    (listed,) = (await trader.get("/portfolio/orders", status="resting"))["orders"]
    assert (listed["remaining_count_fp"], listed["book_side"]) == ("777.00", "bid")
    (place,) = (await trader.get("/portfolio/orders/queue_positions"))["queue_positions"]
    assert place["order_id"] == placed["order_id"]
    path = f"{ORDERS}/{placed['order_id']}"
    assert (await trader.ask("DELETE", path, market_ticker=ticker)).json()["reduced_by"] == "777.00"
    assert (await trader.ask("DELETE", path, market_ticker=ticker)).status_code == 404
    assert (await told(link, "user_order"))["status"] == "canceled"
    await link.close()


async def test_yes_and_no_net_and_every_cent_is_accounted_for(server: SimulatedKalshi, trader: KalshiTrader) -> None:
    ticker = quoted(server)
    link = await trader.listen("fill", "market_positions", "trade")
    bought = (await trader.place(ticker, "bid", "0.9900", time_in_force="immediate_or_cancel")).json()
    assert (bought["fill_count"], bought["remaining_count"]) == ("5.00", "0.00")
    fill = await told(link, "fill")
    assert (fill["order_id"], fill["is_taker"], fill["outcome_side"]) == (bought["order_id"], True, "yes")
    assert "seq" not in fill
    public = await told(link, "trade", lambda message: message["trade_id"] == fill["trade_id"])
    assert public["yes_price_dollars"] == fill["yes_price_dollars"]
    (held,) = (await trader.get("/portfolio/positions"))["market_positions"]
    assert held["position_fp"] == "5.00"
    sold = (await trader.place(ticker, "ask", "0.0100", "8", time_in_force="immediate_or_cancel")).json()
    assert sold["fill_count"] == "8.00"
    (held,) = (await trader.get("/portfolio/positions"))["market_positions"]
    assert held["position_fp"] == "-3.00", "three NO are left"
    fills = (await trader.get("/portfolio/fills", ticker=ticker))["fills"]
    cash = 10_000 * 1_000_000
    position = 0
    for each in reversed(fills):
        price, count, fee = (round(float(each[name]) * 1e6) for name in ("yes_price_dollars", "count_fp", "fee_cost"))
        sign = 1 if each["book_side"] == "bid" else -1
        closing = min(count, max(-position * sign, 0))
        own = price if sign > 0 else 1_000_000 - price
        cash += (1_000_000 - own) * closing // 1_000_000 - own * (count - closing) // 1_000_000 - fee
        position += sign * count
    balance = await trader.get("/portfolio/balance")
    assert balance["balance_dollars"] == f"{cash / 1e6:.6f}"
    await link.close()


async def test_an_order_is_amended_and_decreased(server: SimulatedKalshi, trader: KalshiTrader) -> None:
    ticker = quoted(server)
    price = best(server, ticker)[0] - 30_000
    order_id = (await trader.place(ticker, "bid", text(price), "10")).json()["order_id"]
    path = f"{ORDERS}/{order_id}"
    body = {"ticker": ticker, "side": "bid", "price": text(price - 10_000), "count": "20"}
    changed = await trader.ask("POST", f"{path}/amend", body | {"updated_client_order_id": "another"})
    assert (changed.status_code, changed.json()["client_order_id"]) == (200, "another")
    assert changed.json()["remaining_count"] == "20.00"
    reduced = await trader.ask("POST", f"{path}/decrease", {"reduce_by": "5", "market_ticker": ticker})
    assert reduced.json()["remaining_count"] == "15.00"
    (listed,) = (await trader.get("/portfolio/orders", status="resting"))["orders"]
    assert (listed["yes_price_dollars"], listed["remaining_count_fp"]) == (text(price - 10_000), "15.00")
    gone = await trader.ask("POST", f"{path}/decrease", {"reduce_to": "0", "market_ticker": ticker})
    assert gone.json()["remaining_count"] == "0.00"
    assert (await trader.get("/portfolio/orders", status="resting"))["orders"] == []


async def test_refusals_are_the_venues(server: SimulatedKalshi, trader: KalshiTrader) -> None:
    ticker = quoted(server)
    bid, ask = best(server, ticker)
    kept = trader.body(ticker, "bid", text(bid - 30_000))
    assert (await trader.ask("POST", ORDERS, kept)).status_code == 201

    async def refused(**changes: Any) -> tuple[int, str, str]:
        given = trader.body(ticker, "bid", text(bid - 30_000)) | changes
        answer = await trader.ask("POST", ORDERS, given)
        error = answer.json()["error"]
        fate = judge_order(answer.status_code, answer.content, ClientOrderId(given["client_order_id"])).fate
        return answer.status_code, error["code"], fate

    assert await refused(client_order_id=kept["client_order_id"]) == (409, "order_already_exists", "unknown")
    fok = {"time_in_force": "fill_or_kill", "count": "900000", "price": text(ask)}
    assert await refused(**fok) == (400, "insufficient_balance", "rejected")
    fok |= {"count": "3000", "price": "0.0200", "client_order_id": "killed"}
    assert await refused(**fok) == (409, "fill_or_kill_insufficient_resting_volume", "killed")
    assert await refused(client_order_id="killed") == (409, "order_already_exists", "unknown"), "an attempt is an id"
    assert await refused(price="0.5050") == (400, "invalid_price", "rejected")
    assert await refused(price="0.99", post_only=True) == (400, "invalid_order", "rejected")
    assert await refused(count="x") == (400, "invalid_parameters", "rejected")
    assert await refused(time_in_force="") == (400, "missing_parameters", "rejected")
    assert await refused(count="100000000") == (400, "insufficient_balance", "rejected")
    assert (await refused(ticker="KXNONE"))[0] == 404
    assert (await trader.ask("POST", "/portfolio/orders", kept)).status_code == 410
    unsigned = await trader.http.get("/trade-api/v2/portfolio/balance")
    assert unsigned.status_code == 401


async def test_a_batch_is_answered_order_by_order_and_all_can_be_cancelled(
    server: SimulatedKalshi, trader: KalshiTrader
) -> None:
    ticker = quoted(server)
    price = text(best(server, ticker)[0] - 30_000)
    orders = [
        trader.body(ticker, "bid", price),
        trader.body(ticker, "bid", "0.5050"),
        trader.body(ticker, "bid", price),
    ]
    rows = (await trader.ask("POST", f"{ORDERS}/batched", {"orders": orders})).json()["orders"]
    assert [row.get("error", {}).get("code") for row in rows] == [None, "invalid_price", None]
    cancelled = await trader.ask("DELETE", f"{ORDERS}/batched", {"orders": [{"order_id": rows[0]["order_id"]}]})
    assert cancelled.json()["orders"][0]["reduced_by"] == "5.00"
    assert (await trader.ask("DELETE", ORDERS)).status_code == 200
    assert (await trader.get("/portfolio/orders", status="resting"))["orders"] == []
    assert (await trader.place(ticker, "bid", price)).status_code == 400, f"not before {BLOCKED_FOR} ns"


async def test_a_group_stops_at_its_limit_until_it_is_reset(server: SimulatedKalshi, trader: KalshiTrader) -> None:
    ticker = quoted(server)
    made = await trader.ask("POST", "/portfolio/order_groups/create", {"contracts_limit_fp": "5.00"})
    group = made.json()["order_group_id"]
    link = await trader.listen("order_group_updates")
    low = text(best(server, ticker)[0] - 30_000)
    assert (await trader.place(ticker, "bid", low, order_group_id=group)).status_code == 201
    taking = {"order_group_id": group, "time_in_force": "immediate_or_cancel"}
    assert (await trader.place(ticker, "bid", "0.9900", **taking)).json()["fill_count"] == "5.00"
    assert (await told(link, "order_group_updates"))["event_type"] == "triggered"
    assert (await trader.get("/portfolio/orders", status="resting"))["orders"] == []
    assert (await trader.place(ticker, "bid", low, order_group_id=group)).status_code == 400
    assert (await trader.get(f"/portfolio/order_groups/{group}"))["is_auto_cancel_enabled"] is False
    assert (await trader.ask("PUT", f"/portfolio/order_groups/{group}/reset", {})).status_code == 200
    assert (await trader.place(ticker, "bid", low, order_group_id=group)).status_code == 201
    assert (await trader.ask("DELETE", f"/portfolio/order_groups/{group}")).status_code == 200
    assert (await trader.get("/portfolio/orders", status="resting"))["orders"] == []
    await link.close()


@pytest.mark.parametrize(
    ("kind", "status", "exists"),
    [
        ("orderlost", 0, True),
        ("orderreset", 0, False),
        ("order500", 500, False),
        ("order500done", 500, True),
        ("order408", 408, True),
        ("orderblank", 201, True),
        ("order429", 429, False),
    ],
)
async def test_faults_of_the_order_paths(
    server: SimulatedKalshi, trader: KalshiTrader, kind: str, status: int, *, exists: bool
) -> None:
    ticker = quoted(server)
    given = trader.body(ticker, "bid", text(best(server, ticker)[0] - 30_000))
    server.inject(kind, 600 * S)
    if not status:
        with pytest.raises(httpx.TransportError):
            await trader.ask("POST", ORDERS, given)
    else:
        answer = await trader.ask("POST", ORDERS, given)
        assert answer.status_code == status
        verdict = judge_order(status, answer.content, ClientOrderId(given["client_order_id"]))
        assert verdict.fate == ("rejected" if status == 429 else "unknown")
    found = (await trader.get("/portfolio/orders"))["orders"]
    assert [order["client_order_id"] for order in found] == ([given["client_order_id"]] if exists else [])


async def test_nothing_trades_in_a_pause_and_in_a_halt_nothing_is_cancelled(
    server: SimulatedKalshi, trader: KalshiTrader
) -> None:
    ticker = quoted(server)
    low = text(best(server, ticker)[0] - 30_000)
    kept = (await trader.place(ticker, "bid", low)).json()["order_id"]
    ended = (await trader.place(ticker, "bid", low, cancel_order_on_pause=True)).json()["order_id"]
    server.inject("pause", 600 * S)
    assert (await trader.place(ticker, "bid", low)).status_code == 400
    states = {row["order_id"]: row["status"] for row in (await trader.get("/portfolio/orders"))["orders"]}
    assert states == {kept: "resting", ended: "canceled"}
    server.inject("halt", 600 * S)
    assert (await trader.ask("DELETE", f"{ORDERS}/{kept}", market_ticker=ticker)).status_code == 400
