"""Polymarket on this machine, made of recordings: Gamma pages, CLOB books and the market channel.

Also a program, for end-to-end tests and for people:
``python -m tests.kit.recorded_polymarket --port 8800``.

Tokens that were recorded get their own book; every other token gets a recorded book of another
one under its own name, so that any market of the listing can be collected.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.kit.payloads import Payloads, available

ROWS_MAX = 100


class Recordings:
    """Payloads by what they are for; ``source`` names where they come from.

    ``token`` is the one whose opening book and first change there are, which stand for those of any other.
    """

    def __init__(self, payloads: Payloads) -> None:
        opening, change = payloads.opening_and_change()
        pair = payloads.one("polymarket/captured/ws_market_*_opening_books.json")
        self.source = payloads.name
        self.markets = list(_markets(payloads))
        self.books: dict[str, dict[str, Any]] = {
            book["asset_id"]: book for path in (pair, opening) for book in json.loads(path.read_text())
        }
        self.token = str(json.loads(opening.read_text())[0]["asset_id"])
        self.change = json.loads(change.read_text())
        self.trade = payloads.load("polymarket/captured/ws_market_*_last_trade_price.json")

    def book(self, token: str, market: str = "") -> dict[str, Any]:
        """Return the opening book of ``token``."""
        if token in self.books:
            return self.books[token]
        return {**self.books[self.token], "asset_id": token, "market": market or "0x" + token[:64].zfill(64)}

    def updates(self, token: str) -> Iterator[bytes]:
        """Return endless frames about ``token``: the recorded change, undone and done again, and trades."""
        entry = next(entry for entry in self.change["price_changes"] if entry["asset_id"] == self.token)
        for number in itertools.count():
            stamp = str(time.time_ns() // 1_000_000)
            size = "0" if number % 2 else entry["size"]
            entries = [{**entry, "asset_id": token, "size": size}]
            yield _wire({**self.change, "price_changes": entries, "timestamp": stamp})
            if number % 8 == 0:
                yield _wire({**self.trade, "asset_id": token, "timestamp": stamp})


class RecordedPolymarket:
    """The server; ``page_rows`` rows a page, ``interval`` seconds between updates of a token.

    What it can do wrong: ``refuse`` handshakes with a status, ``withhold`` opening books, be
    ``frozen`` (answering PING only), ``drop`` or ``say`` anything. ``links`` are the connections
    with their tokens, ``announcement_links`` those that asked for the extra kinds, ``openings`` how many were
    opened that did not.
    """

    def __init__(self, payloads: Payloads, *, page_rows: int = 4, interval: float = 0.01) -> None:
        self.recordings = Recordings(payloads)
        self.page_rows = page_rows
        self.interval = interval
        self.refuse: list[tuple[int, dict[str, str]]] = []
        self.withhold: set[str] = set()
        self.frozen = False
        self.requests: list[str] = []
        self.handshakes = 0
        self.links: dict[ServerConnection, set[str]] = {}
        self.announcement_links: dict[ServerConnection, set[str]] = {}
        self.openings = 0
        self.received: list[dict[str, Any] | str] = []
        self._server: Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback interface."""
        self._server = await serve(
            self._talk, "127.0.0.1", port, process_request=self._answer, ping_interval=None, close_timeout=0.2
        )

    async def aclose(self) -> None:
        """Stop listening and drop everybody."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def http_url(self) -> str:
        """Return what stands for Gamma and CLOB."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Return what stands for the market channel."""
        return f"ws://127.0.0.1:{self.port}/ws/market"

    async def drop(self, code: int | None = None, reason: str = "") -> None:
        """End every connection: with a close frame, or without one."""
        for link in [*self.links, *self.announcement_links]:
            if code is None:
                link.transport.abort()
            else:
                await link.close(code, reason)

    async def say(self, frame: str | bytes) -> None:
        """Send ``frame`` as text on every connection that carries books."""
        for link in [link for link, tokens in self.links.items() if tokens]:
            await link.send(frame if isinstance(frame, str) else frame.decode(), text=True)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        self.requests.append(request.path)
        query = parse_qs(url.query)
        if url.path == "/ws/market":
            self.handshakes += 1
            if self.refuse:
                status, headers = self.refuse.pop(0)
                return _response(status, b'{"error":"refused"}', headers)
            return None
        if url.path == "/markets/keyset":
            return _response(200, self._page(query))
        if url.path == "/book":
            return _response(200, _wire(self.recordings.book(query["token_id"][0])))
        return _response(404, b'{"error":"not found"}')

    def _page(self, query: dict[str, list[str]]) -> bytes:
        rows = self.recordings.markets
        if query.get("closed") == ["false"]:
            rows = [row for row in rows if not row.get("closed")]
        start = int(query.get("after_cursor", ["c0"])[0][1:])
        stop = start + min(self.page_rows, int(query.get("limit", ["20"])[0]), ROWS_MAX)
        page: dict[str, Any] = {"markets": rows[start:stop]}
        if stop < len(rows):
            page["next_cursor"] = f"c{stop}"
        return _wire(page)

    async def _talk(self, link: ServerConnection) -> None:
        tokens: set[str] = set()
        self.links[link] = tokens
        pushing = asyncio.create_task(self._push(link, tokens))
        try:
            async for message in link:
                await self._hear(link, tokens, str(message))
        except ConnectionClosed:
            pass
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
            self.links.pop(link, None)
            self.announcement_links.pop(link, None)

    async def _hear(self, link: ServerConnection, tokens: set[str], message: str) -> None:
        if message == "PING":
            self.received.append(message)
            await link.send("PONG")
            return
        request = json.loads(message)
        self.received.append(request)
        if request.get("custom_feature_enabled"):
            self.announcement_links[link] = self.links.pop(link, tokens)
        elif "type" in request:
            self.openings += 1
        if request.get("operation") == "unsubscribe":
            tokens.difference_update(request["assets_ids"])
            return
        fresh = [token for token in request["assets_ids"] if token not in tokens]
        tokens.update(fresh)
        if not self.frozen:
            books = [self.recordings.book(token) for token in fresh if token not in self.withhold]
            await link.send(_wire(books).decode())

    async def _push(self, link: ServerConnection, tokens: set[str]) -> None:
        streams: dict[str, Iterator[bytes]] = {}
        while True:
            await asyncio.sleep(self.interval)
            for token in sorted(tokens):
                if self.frozen or token in self.withhold:
                    continue
                stream = streams.setdefault(token, self.recordings.updates(token))
                await link.send(next(stream).decode())


def _markets(payloads: Payloads) -> Iterable[dict[str, Any]]:
    yield payloads.load("polymarket/captured/gamma_market_*.json")
    for path in sorted(payloads.polymarket.glob("adapter_samples/gamma_market*.json")):
        yield json.loads(path.read_text())
    for event in payloads.load("polymarket/adapter_samples/gamma_event.json"):
        group = {key: value for key, value in event.items() if key != "markets"}
        for market in event["markets"]:
            yield {**market, "events": [group]}


def _wire(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _response(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, HTTPStatus(status).phrase, Headers({**fields, **(headers or {})}), body)


async def _main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Serve Polymarket payloads on this machine.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--interval", type=float, default=0.05)
    chosen = parser.parse_args(arguments)
    server = RecordedPolymarket(available()[-1], interval=chosen.interval)
    await server.start(chosen.port)
    sys.stdout.write(f"gamma_url={server.http_url}\nclob_url={server.http_url}\nws_market_url={server.ws_url}\n")
    sys.stdout.flush()
    try:
        await asyncio.Event().wait()
    finally:
        await server.aclose()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
