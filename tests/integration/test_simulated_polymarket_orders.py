"""Orders on the simulated Polymarket over real sockets, signed and read by the adapter's own parts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from predsurv.core.num import MICROS
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.venues.account_reports import TradeReport
from predsurv.venues.polymarket.orders.answers import judge_cancels, judge_order
from predsurv.venues.polymarket.orders.api_keys import DERIVE_KEY, login_headers
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD
from predsurv.venues.polymarket.orders.requests import CANCEL_ALL, cancel_order, place_order, place_orders
from predsurv.venues.requests import VenueRequest
from tests.kit.given_clock import GivenClock
from tests.kit.patience import PATIENCE_S
from tests.kit.polymarket_orders import PRIVATE_KEY, WALLET
from tests.kit.polymarket_trader import PolymarketTrader, quoted, told

S = 1_000_000_000
MS = 1_000_000


@pytest.fixture
async def simulator() -> AsyncIterator[PolymarketSimulator]:
    made = PolymarketSimulator(PolymarketSimulatorSettings(markets=60, rate=200), GivenClock())
    await made.start()
    async with asyncio.timeout(PATIENCE_S):
        yield made
    await made.aclose()


@pytest.fixture
async def trader(simulator: PolymarketSimulator) -> AsyncIterator[PolymarketTrader]:
    made = PolymarketTrader(simulator)
    await made.login()
    yield made
    await made.http.aclose()


def best(simulator: PolymarketSimulator, row: Any) -> tuple[int, int]:
    book = simulator.books[row.book]
    bid, ask = book.bids.best(), book.asks.best()
    assert bid is not None
    assert ask is not None
    return bid, ask


async def test_a_key_is_created_once_and_derived_afterwards(simulator: PolymarketSimulator) -> None:
    trader = PolymarketTrader(simulator)
    headers = login_headers(trader.key, timestamp=trader.seconds())
    assert (await trader.http.get(DERIVE_KEY.path, headers=headers)).status_code == 400
    await trader.login()
    derived = await trader.http.get(DERIVE_KEY.path, headers=headers)
    assert derived.json()["apiKey"] == trader.api_key.owner.reveal()
    assert (await trader.http.post("/auth/api-key", headers=headers)).status_code == 400
    old = login_headers(trader.key, timestamp=trader.seconds() - 3_600)
    assert (await trader.http.get(DERIVE_KEY.path, headers=old)).status_code == 401
    forged = {**headers, "POLY_ADDRESS": "0x" + "12" * 20}
    assert (await trader.http.get(DERIVE_KEY.path, headers=forged)).status_code == 401
    await trader.http.aclose()


async def test_only_what_the_key_proves_is_answered(trader: PolymarketTrader) -> None:
    request = VenueRequest("GET", "/data/orders")
    proved = trader.api_key.headers(request, timestamp=trader.seconds())
    assert (await trader.http.get("/data/orders", headers=proved)).status_code == 200
    assert (await trader.http.get("/data/trades", headers=proved)).status_code == 401, "another path was signed"
    assert (await trader.http.get("/data/orders")).status_code == 401
    late = trader.api_key.headers(request, timestamp=trader.seconds() - 3_600)
    assert (await trader.http.get("/data/orders", headers=late)).status_code == 401


async def test_an_order_rests_moves_the_public_book_and_is_cancelled(
    simulator: PolymarketSimulator, trader: PolymarketTrader
) -> None:
    row = quoted(simulator)
    bid, _ = best(simulator, row)
    price = bid + 10_000 if bid + 10_000 < best(simulator, row)[1] else bid
    before = dict(simulator.books[row.book].bids.sizes).get(price, 0)
    order_id = await trader.placed(row, price=price, size=7_000_000)
    (open_order,) = (await trader.get("/data/orders"))["data"]
    assert (open_order["id"], open_order["size_matched"], open_order["status"]) == (order_id, "0", "LIVE")
    await simulator.advance(2 * MS)
    assert simulator.books[row.book].bids.sizes.get(price, 0) >= before + 7_000_000
    assert (await trader.get(f"/data/order/{order_id}"))["original_size"] == "7"
    answer = await trader.send(cancel_order(order_id))
    (verdict,) = judge_cancels(answer.status_code, answer.content, [order_id])
    assert verdict.fate == "accepted"
    (verdict,) = judge_cancels(200, (await trader.send(cancel_order(order_id))).content, [order_id])
    assert verdict.fate == "rejected"
    assert (await trader.get("/data/orders"))["data"] == []
    assert await trader.balance() == 10_000 * MICROS


async def test_a_buy_takes_from_the_public_book_and_is_paid_when_confirmed(
    simulator: PolymarketSimulator, trader: PolymarketTrader
) -> None:
    row = quoted(simulator, lambda row: row.market.fee.rate > 0)
    link = await trader.listen()
    _, ask = best(simulator, row)
    answer = (await trader.place(row, price=ask, size=5_000_000)).json()
    assert (answer["status"], answer["takingAmount"], len(answer["tradeIDs"])) == ("matched", "5", 1)
    trade = await told(link, lambda message: message["event_type"] == "trade")
    assert (trade["status"], trade["id"], trade["trader_side"]) == ("MATCHED", answer["tradeIDs"][0], "TAKER")
    assert await trader.balance() == 10_000 * MICROS, "nothing is paid before the chain says so"
    await simulator.advance(2 * S)
    assert (await told(link, lambda message: message["event_type"] == "trade"))["status"] == "MINED"
    confirmed = await told(link, lambda message: message["event_type"] == "trade")
    assert confirmed["status"] == "CONFIRMED"
    (report,) = trader.decoder.frame(json.dumps(confirmed).encode(), 1)
    assert isinstance(report, TradeReport)
    assert sum(part.size for part in report.parts) == 5_000_000
    assert await trader.balance(row.tokens[0]) == 5_000_000
    cost = ask * 5
    assert cost < 10_000 * MICROS - await trader.balance() < cost + 250_000, "a taker pays a fee on top"
    (listed,) = (await trader.get("/data/trades", id=answer["tradeIDs"][0]))["data"]
    assert listed["transaction_hash"].startswith("0x")
    public = (await trader.http.get("/last-trade-price", params={"token_id": row.tokens[0]})).json()
    assert public["side"] in ("BUY", "SELL")
    await link.close()


async def test_what_is_bought_can_be_sold_and_no_more(simulator: PolymarketSimulator, trader: PolymarketTrader) -> None:
    row = quoted(simulator)
    second = 1
    await trader.placed(row, second, price=MICROS - best(simulator, row)[0], size=10_000_000)
    refused = await trader.place(row, second, side="sell", price=990_000, size=10_000_000)
    assert "not enough balance / allowance" in refused.json()["error"], "shares come with the confirmation"
    await simulator.advance(2 * S)
    assert await trader.balance(row.tokens[second]) == 10_000_000
    await trader.placed(row, second, side="sell", price=990_000, size=10_000_000)
    refused = await trader.place(row, second, side="sell", price=990_000, size=5_000_000)
    assert "not enough balance / allowance" in refused.json()["error"], "they are spoken for"
    answer = (await trader.send(CANCEL_ALL)).json()
    assert len(answer["canceled"]) == 1
    price = MICROS - best(simulator, row)[1]
    sold = (await trader.place(row, second, side="sell", price=price, size=10_000_000, tif="ioc")).json()
    assert sold["status"] == "matched", sold


async def test_a_trade_that_fails_on_the_chain_changes_no_balance(
    simulator: PolymarketSimulator, trader: PolymarketTrader
) -> None:
    row = quoted(simulator)
    link = await trader.listen()
    simulator.inject(ScriptedFault(0, "tradefail", S))
    await trader.placed(row, price=best(simulator, row)[1], size=5_000_000)
    await simulator.advance(2 * S)
    seen = [(await told(link, lambda message: message["event_type"] == "trade"))["status"] for _ in range(3)]
    assert seen == ["MATCHED", "RETRYING", "FAILED"]
    assert await trader.balance() == 10_000 * MICROS
    assert await trader.balance(row.tokens[0]) == 0
    await link.close()


@pytest.mark.parametrize("signature_type", [1, 2, 3])
async def test_wallets_of_other_kinds_trade_with_the_key_that_signs_for_them(
    simulator: PolymarketSimulator, signature_type: int
) -> None:
    trader = PolymarketTrader(simulator, private_key=PRIVATE_KEY, signature_type=signature_type, funder=WALLET)
    await trader.login()
    order_id = await trader.placed(quoted(simulator), price=20_000, size=10_000_000)
    assert (await trader.get(f"/data/order/{order_id}"))["maker_address"] == WALLET
    await trader.http.aclose()


async def test_refusals_are_the_venues(simulator: PolymarketSimulator, trader: PolymarketTrader) -> None:
    row = quoted(simulator)
    bid, ask = best(simulator, row)
    other = PolymarketTrader(simulator, private_key=PRIVATE_KEY)
    stolen = place_order(other.sign(row, price=bid), other.signer, trader.api_key.owner)
    assert "the order signer address has to be" in (await trader.send(stolen)).json()["error"]
    order = trader.sign(row, price=bid)
    forged = order._replace(signature=order.signature[:-4] + "001b")
    said = (await trader.send(place_order(forged, trader.signer, trader.api_key.owner))).json()["error"]
    assert said == "invalid signature"
    request = place_order(order, trader.signer, trader.api_key.owner)
    assert (await trader.send(request)).json()["status"] == "live"
    again = await trader.send(request)
    assert judge_order(again.status_code, again.content, order.order_id).fate == "unknown"
    assert "Duplicated" in again.json()["error"]
    crossing = await trader.place(row, price=ask, size=5_000_000, post_only=True)
    assert crossing.json()["error"] == "invalid post-only order: order crosses book"
    small = await trader.place(row, price=bid, size=1_000_000)
    assert "lower than the minimum: 5" in small.json()["error"]
    killed = await trader.place(row, price=20_000, size=100_000_000, tif="ioc")
    assert judge_order(killed.status_code, killed.content, order.order_id).fate == "killed"
    killed = await trader.place(row, price=20_000, size=100_000_000, tif="fok")
    assert judge_order(killed.status_code, killed.content, order.order_id).fate == "killed"
    dear = await trader.place(row, price=bid, size=1_000_000_000_000)
    assert dear.json()["error"].startswith("not enough balance / allowance: the balance is not enough -> balance:")
    await other.http.aclose()


@pytest.mark.parametrize("signature_type", [0, 3])
async def test_a_market_of_version_v2_takes_what_is_signed_for_the_exchange_v3_alone(signature_type: int) -> None:
    made = PolymarketSimulator(PolymarketSimulatorSettings(markets=60, rate=200, v2_every=1), GivenClock())
    await made.start()
    funder = WALLET if signature_type else ""
    trader = PolymarketTrader(made, private_key=PRIVATE_KEY, signature_type=signature_type, funder=funder)
    try:
        await trader.login()
        order = trader.sign(quoted(made), price=20_000, size=10_000_000)
        assert order.exchange == EXCHANGE_V3.name
        for exchange in (STANDARD, NEG_RISK):
            other = order._replace(signature=trader.signer.sign(exchange, order.fields).signature)
            answer = await trader.send(place_order(other, trader.signer, trader.api_key.owner))
            assert answer.json()["error"] == "invalid signature"
        answer = await trader.send(place_order(order, trader.signer, trader.api_key.owner))
        assert answer.json()["orderID"] == order.order_id, "our hash of it is the exchange's"
    finally:
        await trader.http.aclose()
        await made.aclose()


async def test_a_batch_is_answered_order_by_order(simulator: PolymarketSimulator, trader: PolymarketTrader) -> None:
    row = quoted(simulator)
    orders = [trader.sign(row, price=20_000, size=size) for size in (10_000_000, 1_000_000, 20_000_000)]
    request = place_orders([place_order(each, trader.signer, trader.api_key.owner) for each in orders])
    rows = (await trader.send(request)).json()
    assert [bool(row["orderID"]) for row in rows] == [True, False, True]
    assert "lower than the minimum" in rows[1]["errorMsg"]


async def test_an_order_ends_at_its_time(simulator: PolymarketSimulator, trader: PolymarketTrader) -> None:
    row = quoted(simulator)
    link = await trader.listen()
    expires = simulator.exchange.now + 130 * S
    order_id = await trader.placed(row, price=20_000, size=10_000_000, tif="gtd", expires=expires)
    assert (await told(link, lambda message: message["event_type"] == "order"))["type"] == "PLACEMENT"
    await simulator.advance(129 * S)
    assert len((await trader.get("/data/orders"))["data"]) == 1
    await simulator.advance(2 * S)
    assert (await trader.get("/data/orders"))["data"] == []
    ended = await told(link, lambda message: message["event_type"] == "order")
    assert (ended["type"], ended["id"]) == ("CANCELLATION", order_id)
    await link.close()


async def test_missed_heartbeats_cancel_everything(simulator: PolymarketSimulator, trader: PolymarketTrader) -> None:
    await trader.placed(quoted(simulator), price=20_000, size=10_000_000)

    async def beat(heartbeat_id: str) -> httpx.Response:
        body = json.dumps({"heartbeat_id": heartbeat_id}).encode()
        return await trader.send(VenueRequest("POST", "/v1/heartbeats", body))

    first = (await beat("")).json()["heartbeat_id"]
    await simulator.advance(8 * S)
    wrong = await beat("")
    assert (wrong.status_code, wrong.json()["heartbeat_id"]) == (400, first)
    assert (await beat(first)).status_code == 200
    await simulator.advance(9 * S)
    assert len((await trader.get("/data/orders"))["data"]) == 1
    await simulator.advance(2 * S)
    assert (await trader.get("/data/orders"))["data"] == []


@pytest.mark.parametrize(
    ("kind", "status", "exists"),
    [
        ("orderlost", 0, True),
        ("orderreset", 0, False),
        ("order500", 500, False),
        ("order500done", 500, True),
        ("order429", 429, False),
        ("order425", 425, False),
        ("orderhtml", 403, False),
        ("cancelonly", 503, False),
        ("postonly", 503, False),
        ("disabled", 503, False),
        ("orderdelayed", 200, True),
    ],
)
async def test_faults_of_the_order_paths(
    simulator: PolymarketSimulator, trader: PolymarketTrader, kind: str, status: int, *, exists: bool
) -> None:
    row = quoted(simulator)
    order = trader.sign(row, price=best(simulator, row)[1], size=5_000_000)
    request = place_order(order, trader.signer, trader.api_key.owner)
    simulator.inject(ScriptedFault(0, kind, S))
    if status == 0:
        with pytest.raises(httpx.TransportError):
            await trader.send(request)
    else:
        answer = await trader.send(request)
        assert answer.status_code == status
        verdict = judge_order(status, answer.content, order.order_id)
        assert verdict.fate == ("unknown" if status in (500,) or kind == "orderhtml" else verdict.fate)
        assert (verdict.fate == "accepted") == (status == 200)
    await simulator.advance(2 * S)
    found = await trader.send(VenueRequest("GET", f"/data/order/{order.order_id}"))
    assert (found.status_code == 200) == exists
    if exists:
        assert found.json()["size_matched"] == "5"


async def test_a_wrong_key_ends_the_user_channel_without_a_word(simulator: PolymarketSimulator) -> None:
    url = simulator.environment()["PREDSURV_VENUES__POLYMARKET__WS_USER_URL"]
    async with connect(url, proxy=None) as link:
        await link.send(json.dumps({"type": "user", "auth": {"apiKey": "a", "secret": "b", "passphrase": "c"}}))
        with pytest.raises(ConnectionClosed):
            await link.recv()


async def test_a_resting_order_is_filled_by_the_market(
    simulator: PolymarketSimulator, trader: PolymarketTrader
) -> None:
    link = await trader.listen()
    orders = 0
    for row in simulator.catalog.rows:
        book = simulator.books.get(row.book)
        if book is None or row.market.tick_size != 10_000 or not row.market.tradable:
            continue
        bid, ask = book.bids.best(), book.asks.best()
        if bid is not None and ask is not None and 100_000 < bid < ask - 10_000:
            await trader.placed(row, price=bid + 10_000, size=5_000_000)
            orders += 1
    assert orders
    seen: list[dict[str, Any]] = []
    while not seen:
        await simulator.advance(S)
        seen = [row for row in (await trader.get("/data/trades"))["data"] if row["trader_side"] == "MAKER"]
    trade = await told(link, lambda message: message["event_type"] == "trade")
    assert trade["trader_side"] == "MAKER"
    (part,) = trade["maker_orders"]
    assert (part["owner"], part["side"]) == (trader.api_key.owner.reveal(), "BUY")
    await link.close()
