"""The simulated Polymarket's listings, its Data API and what Gamma lists beside markets, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from tests.kit.given_clock import GivenClock
from tests.kit.patience import PATIENCE_S
from tests.kit.polymarket_trader import PolymarketTrader, quoted

S = 1_000_000_000


@pytest.fixture
async def simulator() -> AsyncIterator[PolymarketSimulator]:
    made = PolymarketSimulator(PolymarketSimulatorSettings(markets=60, rate=500), GivenClock())
    await made.start()
    async with asyncio.timeout(PATIENCE_S):
        yield made
    await made.aclose()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def data_url(simulator: PolymarketSimulator) -> str:
    return simulator.environment()["PREDSURV_VENUES__POLYMARKET__DATA_URL"]


async def test_every_listing_of_the_clob_has_every_market_once(
    simulator: PolymarketSimulator, http: httpx.AsyncClient
) -> None:
    for name in ("markets", "simplified-markets", "sampling-markets", "sampling-simplified-markets"):
        page = (await http.get(f"{simulator.clob_url}/{name}", params={"next_cursor": "MA=="})).json()
        assert [row["condition_id"] for row in page["data"]] == [row.condition for row in simulator.catalog.rows]
        assert (page["next_cursor"], page["count"]) == ("LTE=", len(simulator.catalog.rows))
        assert ("question" in page["data"][0]) == ("simplified" not in name)
    assert (await http.get(f"{simulator.clob_url}/markets", params={"next_cursor": "?"})).status_code == 400
    assert (await http.get(simulator.clob_url)).status_code == 200
    assert (await http.get(f"{simulator.clob_url}/rewards/markets/current")).json()["data"] == []


async def test_the_data_api_tells_the_trades_of_the_channel(
    simulator: PolymarketSimulator, http: httpx.AsyncClient
) -> None:
    await simulator.advance(20 * S)
    base = data_url(simulator)
    page = (await http.get(f"{base}/v2/trades", params={"limit": "5"})).json()
    rows = page["data"]
    assert len(rows) == 5
    following = (await http.get(f"{base}/v2/trades", params={"limit": "5", "cursor": page["next_cursor"]})).json()
    assert following["data"] != rows
    condition = rows[0]["condition_id"]
    narrow = (await http.get(f"{base}/v2/trades", params={"condition_id": condition, "side": "BUY"})).json()["data"]
    assert narrow
    assert {(row["condition_id"], row["side"]) for row in narrow} == {(condition, "BUY")}
    old = (await http.get(f"{base}/trades", params={"market": condition})).json()
    assert [row["transactionHash"] for row in old if row["side"] == "BUY"] == [
        row["transaction_hash"] for row in narrow
    ]
    activity = (await http.get(f"{simulator.clob_url}/markets/live-activity/{condition}")).json()
    assert len(activity) == len(old)
    points = (
        await http.get(f"{base}/v2/prices-history", params={"token_id": rows[0]["token_id"], "interval": "max"})
    ).json()
    assert points["data"][0]["price"] > 0
    assert (await http.get(f"{base}/v2/prices-history", params={"token_id": rows[0]["token_id"]})).status_code == 400


async def test_the_data_api_knows_tokens_interest_and_what_is_held(
    simulator: PolymarketSimulator, http: httpx.AsyncClient
) -> None:
    base, trader = data_url(simulator), PolymarketTrader(simulator)
    await trader.login()
    row = quoted(simulator)
    ask = simulator.books[row.book].asks.best()
    assert ask is not None
    await trader.placed(row, price=ask, size=5_000_000)
    await simulator.advance(2 * S)
    user = {"user": trader.signer.maker}
    (held,) = (await http.get(f"{base}/v2/positions", params=user)).json()["data"]
    assert (held["token_id"], held["current_size"], held["redeemable"]) == (row.tokens[0], 5, False)
    (old,) = (await http.get(f"{base}/positions", params=user)).json()
    assert (old["asset"], old["size"]) == (row.tokens[0], 5)
    assert (await http.get(f"{base}/positions", params={**user, "redeemable": "true"})).json() == []
    assert (await http.get(f"{base}/positions", params={**user, "mergeable": "true"})).json() == []
    assert (await http.get(f"{base}/positions", params={**user, "offset": "1"})).json() == []
    one, other = (await http.get(f"{base}/v2/holders", params={"condition_id": row.condition})).json()["data"]
    assert [(each["proxy_wallet"].lower(), each["amount"]) for each in one["holders"]] == [(user["user"].lower(), 5)]
    assert (one["token_id"], other) == (row.tokens[0], {"token_id": row.tokens[1], "holders": []})
    (token,) = (await http.get(f"{base}/v2/tokens", params={"token_id": row.tokens[1]})).json()["data"]
    assert (token["opposite_token_id"], token["resolved"]) == (row.tokens[0], False)
    (interest,) = (await http.get(f"{base}/v2/oi", params={"condition_id": row.condition})).json()["data"]
    assert interest["condition_id"] == row.condition
    await trader.http.aclose()


async def test_the_data_api_says_how_settled_markets_paid(
    simulator: PolymarketSimulator, http: httpx.AsyncClient
) -> None:
    base = data_url(simulator)
    while not any(row.is_settled for row in simulator.catalog.rows):
        await simulator.advance(60 * S)
    row = next(row for row in simulator.catalog.rows if row.is_settled)
    (found,) = (await http.get(f"{base}/v2/resolutions", params={"condition_id": row.condition})).json()["data"]
    assert (found["status"], sum(found["payouts"])) == ("resolved", 1)
    of_event = (await http.get(f"{base}/v2/resolutions", params={"event_id": str(row.event.number)})).json()["data"]
    assert row.condition in {each["condition_id"] for each in of_event}
    assert (await http.get(f"{base}/v2/resolutions")).json()["data"] == []


async def test_gamma_lists_tags_and_series_and_finds_words(
    simulator: PolymarketSimulator, http: httpx.AsyncClient
) -> None:
    async def get(path: str, **query: str) -> Any:
        return (await http.get(f"{simulator.gamma_url}{path}", params=query)).raise_for_status().json()

    tag = (await get("/tags"))[0]
    assert await get(f"/tags/{tag['id']}") == tag == await get(f"/tags/slug/{tag['slug']}")
    series = (await get("/series"))[0]
    assert await get(f"/series/{series['id']}") == series
    assert await get("/sports") == []
    event = simulator.catalog.events[0]
    assert {each["label"] for each in await get(f"/events/{event.number}/tags")} == {*event.markets[0].market.tags}
    found = await get("/public-search", q=event.title.upper())
    assert str(event.number) in {each["id"] for each in found["events"]}
    assert (await http.get(f"{simulator.gamma_url}/status")).text == "OK"
    assert (await http.get(f"{simulator.gamma_url}/tags/0")).status_code == 404


async def test_wrong_methods_and_unknown_paths_are_refused(
    simulator: PolymarketSimulator, http: httpx.AsyncClient
) -> None:
    clob, gamma, data = simulator.clob_url, simulator.gamma_url, data_url(simulator)
    for url in (f"{clob}/book", f"{clob}/order", f"{clob}/auth/api-key", f"{gamma}/markets", f"{data}/trades"):
        assert (await http.put(url)).status_code == 405, url
    for url in (f"{clob}/elsewhere", f"{gamma}/elsewhere", f"{data}/elsewhere"):
        answer = await http.get(url)
        assert (answer.status_code, answer.json()["error"]) == (404, "not found")
