"""The simulated Kalshi as a whole: one port, one venue behind it, one clock, and a script of faults.

Kept apart from its parts because only here does time pass: a venue that goes on, connections that
come and go, and windows in which REST or handshakes fail.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.exchange.fault_script import FaultKinds, ScriptedFault
from predsurv.ports import Clock, MarketQuery, Venue
from predsurv.simulate.fault_log import FaultLog, InjectedFault
from predsurv.simulate.fault_script import read_script
from predsurv.simulate.kalshi.access_control import REST_PREFIX, WS_PATH, AccessControl
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiMarkets
from predsurv.simulate.kalshi.session import ClientSession
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.simulate.server import ClientLink, LoopbackServer, ServerReply, ServerRequest

BACKLOG_BYTES_MAX: Final = 16 * 2**20
"""A client for whom more waits than this is too slow: error 25."""

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS
_TURN: Final = 10 * _MS

KINDS: Final = FaultKinds(
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


class KalshiSimulatorSettings(Struct, frozen=True, kw_only=True):
    """How the simulator behaves: the key it knows, what goes wrong when and where that is noted.

    ``markets_per_subscription``: 0 for any number.
    """

    key: ThrowawayKey
    faults: str = ""
    seed: int = 7
    truth: Path | None = None
    markets_per_subscription: int = 0


class ConnectedClient(Struct):
    """One client; frozen until a monotonic time (ns)."""

    link: ClientLink
    talk: ClientSession
    frozen_until: int = 0


class ClientRegistry:
    """The connections: what the server calls; ``members`` by the number of their link."""

    def __init__(self, door: AccessControl, world: KalshiMarkets, clock: Clock, terms: KalshiSimulatorSettings) -> None:
        self.members: dict[int, ConnectedClient] = {}
        self.truth = FaultLog(terms.truth)
        self._door = door
        self._world = world
        self._clock = clock
        self._limit = terms.markets_per_subscription

    def answer(self, request: ServerRequest) -> ServerReply | None:
        """Answer a request; None lets a WebSocket open."""
        return self._door.answer(request)

    def opened(self, link: ClientLink) -> None:
        """Take in a connection."""
        talk = ClientSession(self._world, self._limit, lambda kind: self.note(member, kind))
        member = self.members[link.number] = ConnectedClient(link, talk)

    def heard(self, link: ClientLink, message: bytes) -> None:
        """Do what a connection asks for, and answer at once."""
        link.send(self.members[link.number].talk.command(message))

    def closed(self, link: ClientLink) -> None:
        """Forget a connection."""
        self.members.pop(link.number, None)

    def say(self, frames: Sequence[bytes]) -> None:
        """Send ``frames`` to every client as they are."""
        for member in self.members.values():
            member.link.send(frames)

    def tell(self, news: Sequence[ChannelMessage]) -> None:
        """Tell every client what it subscribed to."""
        for member in self.members.values():
            if member.link.backlog > BACKLOG_BYTES_MAX:
                member.link.send(member.talk.afflict("error25"))
            member.link.send([frame for told in news for frame in member.talk.tell(told)])

    def befall(self, member: ConnectedClient, fault: ScriptedFault) -> None:
        """Let something go wrong with a connection."""
        if fault.kind not in _LATE:
            self.note(member, fault.kind, fault.lasts)
        if fault.kind == "drop":
            member.link.abort()
        elif fault.kind == "freeze":
            member.frozen_until, member.talk.mischief.frozen = self._clock.monotonic() + fault.lasts, True
        else:
            member.link.send(member.talk.afflict(fault.kind))

    def thaw(self) -> None:
        """Let connections speak again whose time is over."""
        now = self._clock.monotonic()
        for member in self.members.values():
            if member.talk.mischief.frozen and now >= member.frozen_until:
                member.talk.mischief.frozen = False

    def note(self, member: ConnectedClient, kind: str, lasts: int = 0) -> None:
        """Write down what was done to a connection."""
        now = self._clock.now()
        self.truth.note(InjectedFault(kind, now, now + lasts, member.link.number, tuple(member.talk.tickers())))


class KalshiSimulator:
    """Serves ``venue`` in Kalshi's protocol. ``world`` is what is true, ``hall`` has the clients."""

    def __init__(self, venue: Venue, clock: Clock, terms: KalshiSimulatorSettings) -> None:
        """Raises ConfigError when a fault of the script is none."""
        self.world = KalshiMarkets()
        self.door = AccessControl(self.world, terms.key, clock)
        self.hall = ClientRegistry(self.door, self.world, clock, terms)
        self.server = LoopbackServer(self.hall)
        self._venue = venue
        self._clock = clock
        self._script = read_script(terms.faults, KINDS, terms.seed)
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
        self.hall.truth.close()

    def inject(self, fault: ScriptedFault) -> None:
        """Let something go wrong now, whatever its time."""
        if fault.kind not in _CONNECTION:
            now = self._clock.now()
            self.door.fail(fault.kind, fault.lasts)
            self.hall.truth.note(InjectedFault(fault.kind, now, now + fault.lasts))
            return
        members = [member for _, member in sorted(self.hall.members.items())]
        for member in members if fault.everywhere else members and [self._script.rng.choice(members)]:
            self.hall.befall(member, fault)

    def stop_faults(self) -> None:
        """Let nothing more go wrong that has not begun."""
        self._script = read_script("", KINDS, 0)

    async def _follow(self) -> None:
        async for batch in self._feed.batches():
            before = len(self.world.listed)
            self.hall.tell([told for event in batch for told in self.world.apply(event)])
            if len(self.world.listed) > before:
                await self._feed.watch(self.world.keys())

    async def _misbehave(self) -> None:
        self._began = self._clock.monotonic() if self._began is None else self._began
        while True:
            for fault in self._script.due(self._clock.monotonic() - self._began):
                self.inject(fault)
            self.hall.thaw()
            await self._clock.sleep(_TURN)


def environment(port: int, key: ThrowawayKey, file: Path) -> dict[str, str]:
    """Return the variables that point the program at a simulator on ``port``, and at its key in ``file``."""
    return {
        "PREDSURV_VENUES__KALSHI__REST_URL": f"http://127.0.0.1:{port}{REST_PREFIX}",
        "PREDSURV_VENUES__KALSHI__WS_URL": f"ws://127.0.0.1:{port}{WS_PATH}",
        "PREDSURV_KALSHI_KEY_ID": key.key_id,
        "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(file),
    }
