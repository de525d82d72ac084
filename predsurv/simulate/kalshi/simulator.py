"""The simulated Kalshi as a whole: one port, one venue behind it, one clock, and a script of faults.

Kept apart from its parts because only here does time pass: a venue that goes on, connections that
come and go, and windows in which REST or handshakes fail.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from predsurv.core.events import MarketEvent
from predsurv.ports import Clock, MarketQuery, Venue
from predsurv.simulate.faults import Fault, Kinds, Script
from predsurv.simulate.kalshi.keys import ThrowAwayKey
from predsurv.simulate.kalshi.pages import answer, refusal
from predsurv.simulate.kalshi.talk import Talk
from predsurv.simulate.kalshi.world import World
from predsurv.simulate.server import Link, Reply, Request, Server
from predsurv.simulate.truth import Deed, Truth

REST_PREFIX: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"
BACKLOG_BYTES_MAX: Final = 16 * 2**20
"""A client for whom more waits than this is too slow: error 25."""
REQUESTS_KEPT: Final = 10_000

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS
_TURN: Final = 10 * _MS
_HTML: Final = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>challenge</body></html>"

KINDS: Final = Kinds(
    lasting={
        "drop": 0,  # the connection ends without a word
        "freeze": 30 * _S,  # it stays open and says nothing more
        "gap": 0,  # its next numbered frame never arrives
        "duplicate": 0,  # … arrives twice
        "reorder": 0,  # … arrives after the one that follows it
        "negative": 0,  # a change that takes more than there is
        "malformed": 0,  # a frame that is no JSON
        "unknown": 0,  # a frame of a kind that nobody knows
        "error10": 0,  # the books' subscription ends: channel error
        "error25": 0,  # … ends: the client is too slow
        "error26": 0,  # the next subscription is refused: too many markets
        "handshake401": 3 * _S,
        "handshake429": 3 * _S,
        "rest429": 3 * _S,  # without Retry-After, as the venue does
        "rest500": 3 * _S,
        "resthtml": 3 * _S,  # a page, and 200
        "restcut": 3 * _S,  # answers end in the middle
    },
    presets={
        "none": "",
        "mixed": "drop~9s freeze@8s:30s gap~2s duplicate~7s reorder~7s negative~11s malformed~13s unknown~5s "
        "error10~17s error25~19s error26~23s handshake429~19s:2s rest429~13s:2s rest500~15s:2s resthtml~17s:2s "
        "restcut~19s:2s",
    },
)
"""What can go wrong, how long it lasts, and scripts by name."""

_CONNECTION: Final = frozenset(
    {"drop", "freeze", "gap", "duplicate", "reorder", "negative", "malformed", "unknown"}
    | {"error10", "error25", "error26"}
)

_LATE: Final = frozenset({"gap", "duplicate", "reorder"})
"""Noted when there was a frame to befall."""


class Terms(Struct, frozen=True, kw_only=True):
    """How the simulator behaves: the key it knows, what goes wrong when and where that is noted.

    ``markets_per_subscription``: 0 for any number.
    """

    key: ThrowAwayKey
    faults: str = ""
    seed: int = 7
    truth: Path | None = None
    markets_per_subscription: int = 0


class Member(Struct):
    """One client; frozen until a monotonic time (ns)."""

    link: Link
    talk: Talk
    frozen_until: int = 0


class KalshiSimulator:
    """Serves ``venue`` in Kalshi's protocol. ``world`` is what is true, ``members`` are the clients."""

    def __init__(self, venue: Venue, clock: Clock, terms: Terms) -> None:
        """Raises ConfigError when a fault of the script is none."""
        self.world = World()
        self.members: dict[int, Member] = {}
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)
        self.server = Server(self)
        self.truth = Truth(terms.truth)
        self._venue = venue
        self._clock = clock
        self._terms = terms
        self._script = Script(terms.faults, KINDS, terms.seed)
        self._until: dict[str, int] = {}
        self._began: int | None = None
        self._feed = venue.feed()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.server.port

    async def start(self, port: int = 0) -> None:
        """Read the markets behind and listen on loopback; raises ConfigError when that fails."""
        catalog = self._venue.catalog()
        async for market in catalog.markets(MarketQuery(include_closed=True)):
            self.world.add(market)
        await catalog.aclose()
        await self._feed.watch(self.world.keys())
        await self.server.start(port)

    async def run(self) -> None:
        """Let the venue behind go on and faults happen, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._misbehave())

    async def aclose(self) -> None:
        """Stop and drop everybody; safe to call twice."""
        await self._feed.aclose()
        await self.server.aclose()
        self.truth.close()

    def inject(self, fault: Fault) -> None:
        """Let something go wrong now, whatever its time."""
        now, at = self._clock.now(), self._clock.monotonic()
        if fault.kind not in _CONNECTION:
            self._until[fault.kind] = at + fault.lasts
            self.truth.note(Deed(fault.kind, now, now + fault.lasts))
            return
        members = [member for _, member in sorted(self.members.items())]
        for member in members if fault.everywhere else members and [self._script.rng.choice(members)]:
            if fault.kind not in _LATE:
                self._note(member, fault.kind, fault.lasts)
            if fault.kind == "drop":
                member.link.abort()
            elif fault.kind == "freeze":
                member.frozen_until, member.talk.mischief.frozen = at + fault.lasts, True
            else:
                member.link.send(member.talk.afflict(fault.kind))

    def stop_faults(self) -> None:
        """Let nothing more go wrong that has not begun."""
        self._script = Script("", KINDS, self._terms.seed)

    def say(self, frames: Sequence[bytes]) -> None:
        """Send ``frames`` to every client as they are."""
        for member in self.members.values():
            member.link.send(frames)

    def answer(self, request: Request) -> Reply | None:
        """Answer a request; None lets a WebSocket open."""
        path = urlsplit(request.target).path
        self.requests.append(path)
        signed = self._terms.key.accepts(request.headers, request.method, path, self._clock.now())
        if request.upgrade:
            return self._handshake(path, signed=signed)
        if not path.startswith(REST_PREFIX):
            return self._reply(refusal(404))
        path = path.removeprefix(REST_PREFIX)
        claims = "kalshi-access-key" in request.headers
        if not signed and (claims or path.startswith(("/account", "/portfolio"))):
            return self._reply(refusal(401))
        return self._rest(path, request.query)

    def opened(self, link: Link) -> None:
        """Take in a connection."""
        talk = Talk(self.world, self._terms.markets_per_subscription, lambda kind: self._note(member, kind))
        member = self.members[link.number] = Member(link, talk)

    def heard(self, link: Link, message: bytes) -> None:
        """Do what a connection asks for, and answer at once."""
        link.send(self.members[link.number].talk.command(message))

    def closed(self, link: Link) -> None:
        """Forget a connection."""
        self.members.pop(link.number, None)

    def _note(self, member: Member, kind: str, lasts: int = 0) -> None:
        now = self._clock.now()
        tickers = tuple(member.talk.tickers())
        self.truth.note(Deed(kind, now, now + lasts, member.link.number, tickers))

    async def _follow(self) -> None:
        async for batch in self._feed.batches():
            if self._tell(batch):
                await self._feed.watch(self.world.keys())

    async def _misbehave(self) -> None:
        self._began = self._clock.monotonic() if self._began is None else self._began
        while True:
            now = self._clock.monotonic()
            for fault in self._script.due(now - self._began):
                self.inject(fault)
            for member in self.members.values():
                if member.talk.mischief.frozen and now >= member.frozen_until:
                    member.talk.mischief.frozen = False
            await self._clock.sleep(_TURN)

    def _tell(self, batch: Iterable[MarketEvent]) -> bool:
        """Tell everybody what happened; return whether there are new markets."""
        before = len(self.world.listed)
        news = [told for event in batch for told in self.world.apply(event)]
        for member in self.members.values():
            if member.link.backlog > BACKLOG_BYTES_MAX:
                member.link.send(member.talk.end(25))
            member.link.send([frame for told in news for frame in member.talk.tell(told)])
        return len(self.world.listed) > before

    def _handshake(self, path: str, *, signed: bool) -> Reply | None:
        if path != WS_PATH:
            return self._reply(refusal(404))
        if self._is_on("handshake429"):
            return self._reply(refusal(429))
        return None if signed and not self._is_on("handshake401") else self._reply(refusal(401))

    def _rest(self, path: str, query: Mapping[str, Sequence[str]]) -> Reply:
        for kind, status in (("rest429", 429), ("rest500", 500)):
            if self._is_on(kind):
                return self._reply(refusal(status))
        if self._is_on("resthtml"):
            return Reply(200, _HTML, {"content-type": "text/html"})
        return self._reply(answer(self.world, path, query), cut=self._is_on("restcut"))

    def _reply(self, said: tuple[int, bytes], *, cut: bool = False) -> Reply:
        moment = datetime.fromtimestamp(self._clock.now() // _S, UTC)
        date = format_datetime(moment, usegmt=True)
        return Reply(*said, {"date": date, "content-type": "application/json"}, cut)

    def _is_on(self, kind: str) -> bool:
        return self._clock.monotonic() < self._until.get(kind, 0)


def environment(port: int, key: ThrowAwayKey, file: Path) -> dict[str, str]:
    """Return the variables that point the program at a simulator on ``port``, and at its key in ``file``."""
    return {
        "PREDSURV_VENUES__KALSHI__REST_URL": f"http://127.0.0.1:{port}{REST_PREFIX}",
        "PREDSURV_VENUES__KALSHI__WS_URL": f"ws://127.0.0.1:{port}{WS_PATH}",
        "PREDSURV_KALSHI_KEY_ID": key.key_id,
        "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(file),
    }
