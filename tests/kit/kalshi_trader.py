"""A trader on a simulated Kalshi, made of a plain HTTP client, the adapter's signature and a WebSocket."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect

from predsurv.simulate.kalshi.access_control import REST_PREFIX
from predsurv.venues.kalshi.auth import RequestSigner, load_signer
from tests.kit.simulated_kalshi import SimulatedKalshi


class KalshiTrader:
    """Trades with the simulator's key."""

    def __init__(self, server: SimulatedKalshi) -> None:
        signer = load_signer(server.clock, server.environ())
        assert signer is not None
        self._signer: RequestSigner = signer
        self._server = server
        base = server.urls()["PREDSURV_VENUES__KALSHI__REST_URL"]
        self.http = httpx.AsyncClient(base_url=base.removesuffix(REST_PREFIX), trust_env=False)
        self._count = 0

    async def ask(self, method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        path = f"{REST_PREFIX}{path}"
        headers = self._signer.headers(method, path)
        return await self.http.request(method, path, json=body, params=query, headers=headers)

    async def get(self, path: str, **query: str) -> Any:
        return (await self.ask("GET", path, **query)).raise_for_status().json()

    def body(self, ticker: str, side: str, price: str, count: str = "5", **more: Any) -> dict[str, Any]:
        self._count += 1
        given = {
            "ticker": ticker,
            "side": side,
            "price": price,
            "count": count,
            "client_order_id": f"mine-{self._count}",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        }
        return given | more

    async def place(self, *given: str, **more: Any) -> httpx.Response:
        return await self.ask("POST", "/portfolio/events/orders", self.body(*given, **more))

    async def listen(self, *channels: str) -> ClientConnection:
        url = self._server.urls()["PREDSURV_VENUES__KALSHI__WS_URL"]
        headers = self._signer.headers("GET", urlsplit(url).path)
        link = await connect(url, additional_headers=headers, proxy=None)
        await link.send(json.dumps({"id": 1, "cmd": "subscribe", "params": {"channels": channels}}))
        for _ in channels:
            assert json.loads(await link.recv())["type"] == "subscribed"
        return link


def quoted(server: SimulatedKalshi) -> str:
    """Return the ticker of an open market of cent prices with both sides and room around them."""
    for ticker, listed in server.server.markets.listed.items():
        book = server.server.markets.books[ticker]
        if listed.market.tick_size != 10_000 or not listed.market.tradable or listed.result or not book.yes:
            continue
        if listed.market.close_time is not None and listed.market.close_time < server.clock.now() + 600 * 10**9:
            continue
        if book.no and 100_000 < max(book.yes) < 1_000_000 - max(book.no) < 900_000:
            return ticker
    raise AssertionError("no such market")


async def told(link: ClientConnection, kind: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> Any:
    """Return the body of the next message of a kind that ``fits``."""
    while True:
        message = json.loads(await link.recv())
        if message["type"] == kind and fits(message["msg"]):
            return message["msg"]
