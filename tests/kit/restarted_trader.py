"""A live broker with a journal on a simulated Polymarket in this process: killed at any step, without sockets or clock.

Broker, gateway, reader and comparison are those of a live run; the account is restored from what was journalled.
"""

import asyncio
from collections.abc import Sequence

import httpx
from msgspec.structs import replace

from predsurv.core.events import AccountNews, MarketResolved
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, OrderSide, StrategyName, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import Approved, CancelOrder, PlaceOrder, TimeInForce
from predsurv.core.reconciliation import CashCorrected, PositionCorrected, TradingHeld
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.risk.gate import GateDecision
from predsurv.net.clock import ManualClock
from predsurv.net.http import Http
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.polymarket.trading.service import STARTING_DOLLARS
from predsurv.simulate.server import WebSocketConnection
from predsurv.trade.journal import AccountCorrected, AccountUpdated, CommandSent, Entry, OrderNamed, RunStarted, restore
from predsurv.trade.live.reconciler import Reconciler
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.execution.live_broker import LiveBroker
from predsurv.venues.polymarket.account.decoder import AccountDecoder
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader, ClobUserChannel
from predsurv.venues.polymarket.execution.gateway import PolymarketGateway
from predsurv.venues.polymarket.execution.login import PolymarketIdentity
from predsurv.venues.polymarket.execution.session import ClobSession
from tests.kit.desk_polymarket import DeskTrader, server_request

VENUE = VenueName("polymarket")
STRATEGY = StrategyName("s")
START = 1_790_000_000 * 10**9
_URL = "https://clob.test"


class VenueClock:
    """``ports.Clock`` of the venue's time: who sleeps lets it pass."""

    def __init__(self, simulator: PolymarketSimulator) -> None:
        self._simulator = simulator

    def now(self) -> int:
        return self._simulator.exchange.now

    def monotonic(self) -> int:
        return self.now() - START + 10**12

    async def sleep(self, duration: int) -> None:
        await asyncio.sleep(0)
        await self._simulator.advance(duration)


class _Frames(WebSocketConnection):
    """Keeps what the private channel sends."""

    def __init__(self) -> None:
        self.number = 1
        self.waiting: list[bytes] = []

    @property
    def backlog(self) -> int:
        return 0

    def send(self, messages: Sequence[bytes]) -> None:
        self.waiting += messages

    def abort(self) -> None:
        raise AssertionError("the venue ended the channel")


class RestartedTrader:
    """``corrections``: what comparisons found. ``lose``: "request" or "answer" of the next orders get lost.

    ``kills``: how often it was killed, the end included.
    """

    def __init__(self, faults: str = "", markets: int = 4) -> None:
        settings = PolymarketSimulatorSettings(markets=markets, rate=20, faults=faults)
        self.simulator = PolymarketSimulator(settings, ManualClock(START, jumps=True))
        self.desk, self.clock = DeskTrader(self.simulator), VenueClock(self.simulator)
        self.rows = [row for row in self.simulator.catalog.rows if not row.neg_risk]
        self.markets: dict[str, Market] = {}
        self.journal: list[Entry] = [RunStarted(START, "live", "r", (STRATEGY,), ((VENUE, Money(STARTING_DOLLARS)),))]
        self.corrections: list[CashCorrected | PositionCorrected] = []
        self.lose = ""
        self.kills = 0
        self._frames = _Frames()
        self.http = Http(self.clock, lambda: 0.5, transport=httpx.MockTransport(self._answer))
        self._listener: asyncio.Task[None] | None = None

    @property
    def account(self) -> TradingAccount:
        """The account of the run that goes on."""
        return self._account

    async def start(self) -> None:
        """Restore the account from the journal, follow its orders, and compare it with the venue's."""
        key, decoder = self.desk.api_key, AccountDecoder(self.desk.api_key.owner, self.desk.signer.maker)
        session = ClobSession(_URL, self.http, key, self.clock)
        reader = ClobAccountReader(
            session, decoder, lambda: ClobUserChannel("wss://x.test", key, decoder), self.clock, signature_type=0
        )
        identity = PolymarketIdentity(self.desk.signer, key, 0)
        gateway = PolymarketGateway(identity, session, reader, self.clock, self._salt)
        venue_account = VenueAccount(gateway, reader, "test", _never, self.http.aclose, lambda: None)
        self._account = restore(self.journal).account
        self.broker = LiveBroker(venue_account, self.market_of, self.clock, self._halt)
        self._decoder = decoder
        self._listener = asyncio.create_task(self._listen(self.broker))
        channel = self.simulator.trading
        assert channel is not None
        self._frames = _Frames()
        channel.user_channel.add(self._frames)
        channel.user_channel.on_message(self._frames, key.subscription())
        orders = (*self._account.orders.finished.values(), *self._account.orders.live())
        self.broker.following.adopt(orders)
        self.reconciler = Reconciler(self.broker, self._account, self.clock)
        await self.reconciler.resolve()
        await self.reconciler.compare()

    async def kill(self) -> None:
        """End the process: what was not journalled, and what was on its way, is gone."""
        assert self._listener is not None
        self.kills += 1
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        await self.broker.aclose()

    def market_of(self, key: InstrumentKey) -> Market | None:
        """The market as it was listed."""
        return self.markets.get(key.market_id)

    def key(self, row: int, outcome: int = 0) -> InstrumentKey:
        """An instrument, listed from now on."""
        listed = self.rows[row % len(self.rows)]
        outcomes = tuple(
            Outcome(InstrumentId(token), name) for token, name in zip(listed.tokens, listed.outcomes, strict=True)
        )
        market = replace(
            listed.market, venue=VENUE, market_id=MarketId(listed.condition), outcomes=outcomes, version="v1"
        )
        self.markets.setdefault(market.market_id, market)
        return market.key(outcome)

    def decide(self, key: InstrumentKey, side: OrderSide, price: int, size: int, tif: TimeInForce) -> Approved:
        """Book and journal an order that is about to be sent."""
        name = ClientOrderId(f"r-{self._account.placed:04}")
        command = PlaceOrder(name, STRATEGY, key, side, Price(price), Size(size), tif)
        approved = Approved(self.clock.now(), command)
        self._account.place(command, approved.ts)
        self.journal.append(CommandSent(GateDecision(approved, None)))
        order_id = self.broker.prepare(approved)
        if order_id is not None:
            self._account.name(name, order_id)
            self.journal.append(OrderNamed(name, order_id))
        return approved

    async def submit(self, approved: Approved) -> None:
        """Send an order, up to its answer."""
        self.broker.pulse.beat()
        await self.broker.submit(approved)
        await self.turns()

    async def cancel_all(self) -> None:
        """Cancel what may be open."""
        for order in self._account.orders.live():
            await self.broker.submit(Approved(self.clock.now(), CancelOrder(order.client_order_id, order.key)))
        await self.turns()

    async def deliver(self, count: int) -> None:
        """Take in the next frames of the private channel."""
        due, self._frames.waiting = self._frames.waiting[:count], self._frames.waiting[count:]
        for frame in due:
            for report in self._decoder.frame(frame, self.clock.now()):
                self.broker.following.absorb(report)
        await self.broker.settled()

    async def turns(self) -> None:
        """Let what has begun go on."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def _listen(self, broker: LiveBroker) -> None:
        async for event in broker.events():
            self._take(event)

    def _take(self, event: AccountNews) -> None:
        if isinstance(event, TradingHeld | MarketResolved):
            return
        if isinstance(event, CashCorrected | PositionCorrected):
            self.corrections.append(event)
            self._account.credit(event)
            self.journal.append(AccountCorrected(event))
        elif self._account.apply(event) == "applied":
            self.journal.append(AccountUpdated(event))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        lose = self.lose if (request.method, request.url.path) == ("POST", "/order") else ""
        if lose == "request":
            raise httpx.ConnectError("no route to host")
        query = dict(request.url.params)
        asked = server_request(
            request.method, request.url.path, query, body=request.content, headers=dict(request.headers)
        )
        answer = self.desk.service.api.respond(asked)
        assert answer is not None, request.url
        if lose == "answer":
            raise httpx.ReadError("reset")
        return httpx.Response(answer.status, content=answer.body)

    def _salt(self) -> float:
        self._salts = getattr(self, "_salts", 0) + 1
        return self._salts / 1_000_000

    def _halt(self, reason: str) -> None:
        raise AssertionError(reason)


async def _never() -> tuple[()]:
    return ()
