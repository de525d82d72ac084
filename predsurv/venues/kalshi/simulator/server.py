"""The simulator's sockets: REST and WebSocket on one port of this machine.

Kept apart from what it says because this is the part that waits: a venue behind that goes on, a
script of faults, and clients that may be too slow.
"""

import asyncio
import gzip
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import MarketEvent
from predsurv.ports import Clock, MarketQuery, Venue
from predsurv.venues.kalshi.simulator.faults import Fault
from predsurv.venues.kalshi.simulator.keys import ThrowAwayKey
from predsurv.venues.kalshi.simulator.pages import Answer, answer, refusal
from predsurv.venues.kalshi.simulator.talk import Talk
from predsurv.venues.kalshi.simulator.world import World

REST_PREFIX: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"
OUTBOX_FRAMES_MAX: Final = 50_000
"""A client for whom more waits than this is too slow: error 25."""
PING_SECONDS: Final = 10
TURN: Final = 20_000_000
"""How often (ns) the script of faults is looked at."""

_HTML: Final = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>challenge</body></html>"


class Terms(Struct, frozen=True, kw_only=True):
    """How the simulator behaves: the key it knows, what goes wrong when, markets a subscription may have (0: any)."""

    key: ThrowAwayKey
    faults: tuple[Fault, ...] = ()
    markets_per_subscription: int = 0


class Link:
    """One client: its talk and what waits to be sent to it."""

    def __init__(self, connection: ServerConnection, talk: Talk) -> None:
        self.connection = connection
        self.talk = talk
        self.waiting: deque[bytes] = deque()
        self._filled = asyncio.Event()

    def put(self, frames: Iterable[bytes]) -> None:
        """Queue ``frames``; a client who is too slow loses its subscription."""
        self.waiting.extend(frames)
        if len(self.waiting) > OUTBOX_FRAMES_MAX:
            self.waiting.clear()
            self.waiting.extend(self.talk.end(25))
        if self.waiting:
            self._filled.set()

    async def send(self) -> None:
        """Send what waits, for ever; raises ConnectionClosed."""
        while True:
            await self._filled.wait()
            while self.waiting:
                await self.connection.send(self.waiting.popleft(), text=True)
            self._filled.clear()

    async def ping(self) -> None:
        """Ping as the venue does, for ever."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            # Whether it is answered is the transport's business, as with the real venue.
            _ = await self.connection.ping(b"heartbeat")


class KalshiSimulator:
    """Serves ``venue`` in Kalshi's protocol. ``world`` is the truth, ``links`` the clients.

    ``inject`` makes something go wrong now. Requests are counted by path in ``requests``.
    """

    def __init__(self, venue: Venue, clock: Clock, terms: Terms) -> None:
        self.world = World()
        self.links: list[Link] = []
        self.requests: deque[str] = deque(maxlen=10_000)
        self.handshakes = 0
        self._venue = venue
        self._clock = clock
        self._terms = terms
        self._script = deque(terms.faults)
        self._until: dict[str, int] = {}
        self._feed = venue.feed()
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, port: int = 0) -> None:
        """Read the markets behind, follow them, and listen on 127.0.0.1; raises OSError."""
        catalog = self._venue.catalog()
        async for market in catalog.markets(MarketQuery(include_closed=True)):
            self.world.add(market)
        await catalog.aclose()
        await self._feed.watch(self.world.keys())
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            port,
            process_request=self._request,
            ping_interval=None,
            compression=None,
            close_timeout=1,
            max_size=2**20,
        )
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._misbehave())]

    async def run(self) -> None:
        """Serve until cancelled; raises what broke."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def aclose(self) -> None:
        """Stop serving; safe to call twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._feed.aclose()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise BrokenInvariant("the simulator was not started")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    def inject(self, fault: Fault) -> None:
        """Let ``fault`` happen now."""
        self._until[fault.kind] = self._clock.monotonic() + fault.lasts
        for link in [*self.links]:
            if fault.kind == "drop":
                link.connection.transport.abort()
            link.talk.mischief.frozen |= fault.kind == "freeze"
            link.put(link.talk.afflict(fault.kind))

    def say(self, frames: Iterable[bytes]) -> None:
        """Send ``frames`` to every client as they are."""
        frames = [*frames]
        for link in self.links:
            link.put(frames)

    def _is_on(self, kind: str) -> bool:
        return self._clock.monotonic() < self._until.get(kind, 0)

    async def _follow(self) -> None:
        async for batch in self._feed.batches():
            if self._take_in(batch):
                await self._feed.watch(self.world.keys())

    def _take_in(self, batch: Iterable[MarketEvent]) -> bool:
        """Tell everybody what happened; return whether there are new markets."""
        before = len(self.world.listed)
        for event in batch:
            for told in self.world.apply(event):
                for link in self.links:
                    frames = link.talk.tell(told)
                    if frames:
                        link.put(frames)
        return len(self.world.listed) > before

    async def _misbehave(self) -> None:
        began = self._clock.monotonic()
        while True:
            age = self._clock.monotonic() - began
            while self._script and self._script[0].at <= age:
                self.inject(self._script.popleft())
            if not self._is_on("freeze"):
                for link in self.links:
                    link.talk.mischief.frozen = False
            await self._clock.sleep(TURN)

    async def _talk(self, connection: ServerConnection) -> None:
        link = Link(connection, Talk(self.world, self._terms.markets_per_subscription))
        self.links.append(link)
        tasks = [asyncio.create_task(link.send()), asyncio.create_task(link.ping())]
        try:
            async for frame in connection:
                link.put(link.talk.command(frame))
        except ConnectionClosed:
            pass
        finally:
            self.links.remove(link)
            for task in tasks:
                task.cancel()
            with suppress(ConnectionClosed):
                await asyncio.gather(*tasks, return_exceptions=True)

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:  # noqa: ARG002
        """Answer a REST request, or let a handshake through."""
        url = urlsplit(request.path)
        self.requests.append(url.path)
        signed = self._terms.key.accepts(dict(request.headers.raw_items()), "GET", url.path, self._clock.now())
        if url.path == WS_PATH:
            return self._handshake(signed=signed)
        if not url.path.startswith(REST_PREFIX):
            return self._respond(refusal(404), request)
        path = url.path.removeprefix(REST_PREFIX)
        claims = "KALSHI-ACCESS-KEY" in request.headers
        if not signed and (claims or path.startswith(("/account", "/portfolio"))):
            return self._respond(refusal(401), request)
        return self._rest(path, parse_qs(url.query), request)

    def _handshake(self, *, signed: bool) -> Response | None:
        self.handshakes += 1
        if self._is_on("handshake429"):
            return self._respond(refusal(429))
        if self._is_on("drop"):
            return self._respond(refusal(503))
        return None if signed and not self._is_on("handshake401") else self._respond(refusal(401))

    def _rest(self, path: str, query: dict[str, list[str]], request: Request) -> Response:
        for kind, status in (("rest429", 429), ("rest500", 500)):
            if self._is_on(kind):
                return self._respond(refusal(status), request)
        if self._is_on("html"):
            return self._respond(Answer(200, _HTML), request)
        return self._respond(answer(self.world, path, query), request)

    def _respond(self, said: Answer, request: Request | None = None) -> Response:
        body = said.body
        moment = datetime.fromtimestamp(self._clock.now() // 10**9, UTC)
        headers = Headers({"Date": format_datetime(moment, usegmt=True), "Content-Type": "application/json"})
        if request is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        headers["Connection"] = "close"
        if request is not None and self._is_on("truncated"):
            body = body[: len(body) // 2]
        return Response(said.status, HTTPStatus(said.status).phrase, headers, body)
