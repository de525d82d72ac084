"""The simulated Kalshi as a whole: one port, one underlying venue, one clock and a script of faults.

Only here does time pass: the underlying venue runs on, and faults begin and end.
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
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiMarkets, move_close
from predsurv.simulate.kalshi.session import ClientSession
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.simulate.kalshi.tickers import TICKERS, TickerChannel
from predsurv.simulate.kalshi.trading.service import KalshiTradingService
from predsurv.simulate.kalshi.trading.trading_api import ORDER_KINDS
from predsurv.simulate.kalshi.trading_state import PAUSES
from predsurv.simulate.server import LoopbackServer, ServerRequest, ServerResponse, WebSocketConnection
from predsurv.venues.mock import MockVenue

BACKLOG_BYTES_MAX: Final = 16 * 2**20
"""Most unread bytes of a client; a slower one gets error 25."""

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS
_FAULT_INTERVAL: Final = 10 * _MS

KINDS: Final = FaultKinds(
    lasting={
        "drop": 0,  # TCP connection dropped without a close frame
        "freeze": 30 * _S,  # connection open, but nothing is sent any more
        "gap": 0,  # the next numbered frame is lost
        "duplicate": 0,  # … is sent twice
        "reorder": 0,  # … is sent after the one that follows it
        "negative": 0,  # a change that makes a size negative
        "malformed": 0,  # a frame that is not JSON
        "unknown": 0,  # a frame of an unknown type
        "error10": 0,  # the book subscription ends: channel error
        "error25": 0,  # … ends: slow client
        "error26": 0,  # the next subscription is rejected: too many markets
        "handshake401": 3 * _S,
        "handshake429": 3 * _S,
        "rest429": 3 * _S,  # without Retry-After, as the venue does
        "rest500": 3 * _S,
        "resthtml": 3 * _S,  # an HTML page with status 200
        "restcut": 3 * _S,  # responses are truncated
        "pause": 30 * _S,  # the exchange pauses trading: books stay as they are
        "halt": 30 * _S,  # the exchange as a whole is not active
        **ORDER_KINDS,
    },
    presets={
        "none": "",
        "mixed": "drop~9s freeze@8s:30s gap~2s duplicate~7s reorder~7s negative~11s malformed~13s unknown~5s "
        "error10~17s error25~19s error26~23s handshake429~19s:2s rest429~13s:2s rest500~15s:2s resthtml~17s:2s "
        "restcut~19s:2s",
        "orders": "orderlost~9s:1s orderreset~11s:1s order500~13s:1s order500done~13s:1s order429~15s:1s "
        "order408~17s:1s orderslow~17s:1s orderblank~23s:1s drop~13s",
    },
)
"""The kinds of faults, their default durations (ns), and scripts by name."""

_CONNECTION_KINDS: Final = frozenset(
    {"drop", "freeze", "gap", "duplicate", "reorder", "negative", "malformed", "unknown"}
    | {"error10", "error25", "error26"}
)

_LOGGED_WHEN_APPLIED: Final = frozenset({"gap", "duplicate", "reorder"})
"""Faults that are logged once they apply to a frame."""


class KalshiSimulatorSettings(Struct, frozen=True, kw_only=True):
    """How the simulator behaves. ``key``: the one API key it accepts. ``faults``: a script of faults.

    ``truth``: file for the fault log. ``markets_per_subscription``: 0 for any number. ``settles_after``: time (ns) from
    the outcome of a market to its settlement.
    """

    key: ThrowawayKey
    faults: str = ""
    seed: int = 7
    truth: Path | None = None
    markets_per_subscription: int = 0
    settles_after: int = 500 * _MS


class ConnectedClient(Struct):
    """One client; frozen until a monotonic time (ns)."""

    websocket: WebSocketConnection
    session: ClientSession
    frozen_until: int = 0


class KalshiApp:
    """Implements ``predsurv.simulate.server.ServerApplication``; ``clients`` by the number of their connection."""

    def __init__(
        self,
        access: AccessControl,
        markets: KalshiMarkets,
        clock: Clock,
        fault_log: FaultLog,
        markets_per_subscription: int,
    ) -> None:
        self.clients: dict[int, ConnectedClient] = {}
        self._access = access
        self._markets = markets
        self._clock = clock
        self._fault_log = fault_log
        self._markets_per_subscription = markets_per_subscription

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request; None accepts a WebSocket."""
        return self._access.respond(request)

    def on_open(self, websocket: WebSocketConnection) -> None:
        """Add a client."""
        session = ClientSession(
            self._markets, self._markets_per_subscription, lambda kind: self.log_fault(client, kind), self._clock.now
        )
        client = self.clients[websocket.number] = ConnectedClient(websocket, session)

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        """Execute a client's command and send the response at once."""
        websocket.send(self.clients[websocket.number].session.on_command(message))

    def on_close(self, websocket: WebSocketConnection) -> None:
        """Remove a client."""
        self.clients.pop(websocket.number, None)

    def broadcast(self, frames: Sequence[bytes]) -> None:
        """Send ``frames`` to every client as they are."""
        for client in self.clients.values():
            client.websocket.send(frames)

    def publish(self, messages: Sequence[ChannelMessage]) -> None:
        """Send every client the messages that it subscribed to."""
        for client in self.clients.values():
            if client.websocket.backlog > BACKLOG_BYTES_MAX:
                client.websocket.send(client.session.inject("error25"))
            client.websocket.send([frame for message in messages for frame in client.session.publish(message)])

    def inject(self, client: ConnectedClient, fault: ScriptedFault) -> None:
        """Inject a fault into a connection."""
        if fault.kind not in _LOGGED_WHEN_APPLIED:
            self.log_fault(client, fault.kind, fault.lasts)
        if fault.kind == "drop":
            client.websocket.abort()
        elif fault.kind == "freeze":
            client.frozen_until, client.session.faults.frozen = self._clock.monotonic() + fault.lasts, True
        else:
            client.websocket.send(client.session.inject(fault.kind))

    def unfreeze(self) -> None:
        """End the freezes whose time is over."""
        now = self._clock.monotonic()
        for client in self.clients.values():
            if client.session.faults.frozen and now >= client.frozen_until:
                client.session.faults.frozen = False

    def log_fault(self, client: ConnectedClient, kind: str, lasts: int = 0) -> None:
        """Log a fault of a connection that begins now and lasts ``lasts`` ns."""
        now, tickers = self._clock.now(), tuple(client.session.tickers())
        self._fault_log.add(InjectedFault(kind, now, now + lasts, client.websocket.number, tickers))


class KalshiSimulator:
    """Serves ``venue`` in Kalshi's protocol. ``markets`` has the true books, ``app`` the clients."""

    def __init__(self, venue: Venue, clock: Clock, settings: KalshiSimulatorSettings) -> None:
        """Raises ConfigError when the script has an invalid fault or the fault log cannot be written."""
        self.markets = KalshiMarkets(settings.settles_after)
        self.access = AccessControl(self.markets, settings.key, clock)
        self.fault_log = FaultLog(settings.truth)
        self.app = KalshiApp(self.access, self.markets, clock, self.fault_log, settings.markets_per_subscription)
        self.server = LoopbackServer(self.app)
        self.trading: KalshiTradingService | None = None
        """What serves orders, where the underlying venue is an exchange in this process."""
        if isinstance(venue, MockVenue):
            exchange = venue.clocked_exchange.exchange
            self.trading = KalshiTradingService(exchange, self.markets, self.access.is_active, self.app.publish)
            self.access.trading = self.trading.api
        self._tickers = TickerChannel(self.markets)
        self._venue = venue
        self._clock = clock
        self._script = read_script(settings.faults, KINDS, settings.seed)
        self._started: int | None = None
        self._feed = venue.feed()

    @property
    def port(self) -> int:
        """The port the server listens on."""
        return self.server.port

    async def start(self, port: int = 0) -> None:
        """Read the underlying markets and listen on loopback; raises ConfigError when the port cannot be bound."""
        catalog = self._venue.catalog()
        async for market in catalog.markets(MarketQuery(include_closed=True)):
            self.markets.add(market)
        await catalog.aclose()
        await self._feed.watch(self.markets.keys())
        await self.server.start(port)

    async def run(self) -> None:
        """Follow the underlying venue and inject the scripted faults, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._inject_faults())

    async def aclose(self) -> None:
        """Stop the server, drop every connection and close the fault log; safe to call twice."""
        await self._feed.aclose()
        await self.server.aclose()
        self.fault_log.close()

    def inject(self, fault: ScriptedFault) -> None:
        """Inject a fault now, whatever its scripted time."""
        if fault.kind not in _CONNECTION_KINDS:
            now = self._clock.now()
            if fault.kind in PAUSES:
                if self.trading is not None and self.markets.trading.is_open:
                    self.trading.pause()
                self.markets.trading.begin(fault.kind, now, fault.lasts)
            else:
                self.access.start_fault(fault.kind, fault.lasts)
            self.fault_log.add(InjectedFault(fault.kind, now, now + fault.lasts))
            return
        clients = [client for _, client in sorted(self.app.clients.items())]
        for client in clients if fault.everywhere else clients and [self._script.rng.choice(clients)]:
            self.app.inject(client, fault)

    def move_close(self, ticker: str, close_time: int) -> None:
        """Move the close time of a market (ns UTC) and announce it."""
        self.app.publish([move_close(self.markets, ticker, close_time, self._clock.now())])

    def stop_faults(self) -> None:
        """Drop the rest of the script; faults that have begun go on."""
        self._script = read_script("", KINDS, 0)

    async def _follow(self) -> None:
        async for batch in self._feed.batches():
            listed_before = len(self.markets.listed)
            self._publish([message for event in batch for message in self.markets.apply(event)])
            if len(self.markets.listed) > listed_before:
                await self._feed.watch(self.markets.keys())

    async def _inject_faults(self) -> None:
        self._started = self._clock.monotonic() if self._started is None else self._started
        while True:
            for fault in self._script.due(self._clock.monotonic() - self._started):
                self.inject(fault)
            self.app.unfreeze()
            await self._end_pauses()
            self._publish([*self.markets.settle(self._clock.now())])
            await self._clock.sleep(_FAULT_INTERVAL)

    def _publish(self, messages: list[ChannelMessage]) -> None:
        if self.trading is not None:
            self.trading.heard(messages)
        if any(TICKERS in client.session.subscriptions for client in self.app.clients.values()):
            messages = messages + self._tickers.after(messages, self._clock.now())
        self.app.publish(messages)

    async def _end_pauses(self) -> None:
        """Let trading resume when a pause is over: with the books that the underlying venue has then."""
        if self.markets.trading.end(self._clock.now()):
            await self._feed.watch(frozenset())
            await self._feed.watch(self.markets.keys())
            if self.trading is not None:
                self.trading.resume()


def environment(port: int, key: ThrowawayKey, file: Path) -> dict[str, str]:
    """Return the environment variables that point predsurv at a simulator on ``port`` with its key in ``file``."""
    return {
        "PREDSURV_VENUES__KALSHI__REST_URL": f"http://127.0.0.1:{port}{REST_PREFIX}",
        "PREDSURV_VENUES__KALSHI__WS_URL": f"ws://127.0.0.1:{port}{WS_PATH}",
        "PREDSURV_KALSHI_KEY_ID": key.key_id,
        "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(file),
    }
