"""A Polymarket with one binary market, whose trades are told as a test says: on which token, how often, with what."""

import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.venues.polymarket.market_parser import VENUE

MARKET = "0x" + "5e" * 32
YES, NO = (InstrumentKey(VENUE, MarketId(MARKET), InstrumentId(str(digit) * 70)) for digit in (7, 8))
START_MS = 1_795_000_000_000


class TradedPolymarket:
    """The server. ``stamp``: the venue's time of the last message (ms UTC), one ms later with each.

    ``opened``: how many connections asked for books so far.
    """

    def __init__(self) -> None:
        self.stamp = START_MS
        self.links: dict[ServerConnection, set[str]] = {}
        self.opened = 0
        self._server: Server | None = None

    async def __aenter__(self) -> "TradedPolymarket":
        self._server = await serve(self._talk, "127.0.0.1", 0, process_request=self._answer, close_timeout=0.2)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        """Host and port."""
        assert self._server is not None
        return f"127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    def subscribed(self, key: InstrumentKey) -> bool:
        """Return whether anybody hears the trades of ``key``."""
        return any(key.instrument_id in tokens for tokens in self.links.values())

    def drop(self) -> None:
        """End every connection without a close frame."""
        for link in [*self.links]:
            link.transport.abort()

    async def change(self, cents: int, size: int) -> None:
        """Offer ``size`` shares of YES at ``cents``, told as the venue does: one message with both tokens."""
        entries = [
            {"asset_id": YES.instrument_id, "price": _price(cents), "size": str(size), "side": "SELL"},
            {"asset_id": NO.instrument_id, "price": _price(100 - cents), "size": str(size), "side": "BUY"},
        ]
        message = {"market": MARKET, "price_changes": entries, "timestamp": self._tick()}
        await self._send({**message, "event_type": "price_change"}, YES, NO)

    async def trade(self, key: InstrumentKey, cents: int, size: int, side: str = "BUY", **more: str) -> None:
        """Tell a trade on ``key``, to subscribers of that token."""
        facts = {"asset_id": key.instrument_id, "price": _price(cents), "size": str(size), "side": side}
        stamped = {"market": MARKET, **facts, "fee_rate_bps": "0", "timestamp": more.pop("at", "") or self._tick()}
        await self._send({**stamped, "event_type": "last_trade_price", **more}, key)

    def _tick(self) -> str:
        self.stamp += 1
        return str(self.stamp)

    async def _send(self, message: dict[str, Any], *about: InstrumentKey) -> None:
        names = {key.instrument_id for key in about}
        for link in [link for link, tokens in self.links.items() if tokens & names]:
            with suppress(ConnectionClosed):
                await link.send(_json(message), text=True)

    def _book(self, token: str) -> dict[str, Any]:
        bids = [{"price": "0.45", "size": "1000"}]
        asks = [{"price": "0.55", "size": "1000"}]
        book = {"market": MARKET, "asset_id": token, "timestamp": str(self.stamp), "hash": "", "bids": bids}
        return {**book, "asks": asks, "tick_size": "0.01", "event_type": "book", "last_trade_price": ""}

    def _answer(self, _: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        if path == "/ws/market":
            return None
        if path == "/markets/keyset":
            return _response(200, {"markets": [_LISTING]})
        return _response(404, {"error": "not found"})

    async def _talk(self, link: ServerConnection) -> None:
        tokens = self.links[link] = set()
        try:
            async for message in link:
                if message == "PING":
                    await link.send("PONG")
                    continue
                request = json.loads(message)
                names = request["assets_ids"]
                if request.get("custom_feature_enabled"):  # it carries announcements; there are none
                    await link.send(_json([self._book(name) for name in names]))
                    continue
                self.opened += "type" in request
                if request.get("operation") == "unsubscribe":
                    tokens.difference_update(names)
                else:
                    await link.send(_json([self._book(name) for name in names if name not in tokens]))
                    tokens.update(names)
        except ConnectionClosed:
            pass
        finally:
            del self.links[link]


_LISTING = {
    "id": "1",
    "conditionId": MARKET,
    "question": "Will the ferry run?",
    "slug": "ferry",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": json.dumps([YES.instrument_id, NO.instrument_id]),
    "active": True,
    "closed": False,
    "archived": False,
    "enableOrderBook": True,
    "acceptingOrders": True,
    "orderPriceMinTickSize": 0.01,
    "orderMinSize": 5,
    "volumeNum": 900,
    "liquidityNum": 900,
    "negRisk": False,
    "endDate": "2031-12-31T00:00:00Z",
    "events": [{"id": "e1", "slug": "ferry", "title": "Ferry", "negRisk": False}],
}


def _price(cents: int) -> str:
    return f"0.{cents:02}"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _response(status: int, body: Any) -> Response:
    data = _json(body).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(data)), "Connection": "close"}
    return Response(status, HTTPStatus(status).phrase, Headers(fields), data)
