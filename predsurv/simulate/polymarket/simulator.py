"""The simulated Polymarket as a whole: a port for each of its APIs, one exchange, one clock and a script of faults.

Only here does time pass: the exchange follows a clock, or a test's calls of ``advance``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.exchange.exchange import Exchange
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.exchange.tape import TapeEvent, TapeTrade
from predsurv.exchange.world import malformed_rows
from predsurv.ports import Clock
from predsurv.simulate.fault_log import FaultLog
from predsurv.simulate.polymarket.app import WS_PATH, ChannelApplication, Respond, RestApplication
from predsurv.simulate.polymarket.books import LastTradeForm, TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.channel import NS_PER_MS, MarketChannel
from predsurv.simulate.polymarket.clob_api import ClobApi
from predsurv.simulate.polymarket.data_api import DataApi, Wallets
from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.gamma_api import GammaApi, Json
from predsurv.simulate.polymarket.history import PriceHistory
from predsurv.simulate.polymarket.market_listing import MarketListing
from predsurv.simulate.polymarket.published_log import PublishedLog
from predsurv.simulate.polymarket.real_time_data import RTDS_PATH, RealTimeDataSocket
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.simulate.polymarket.trading.service import TradingService, throwaway_private_key, trading_service
from predsurv.simulate.polymarket.trading.user_channel import WS_USER_PATH, UserChannel
from predsurv.simulate.server import LoopbackServer, ServerRequest, ServerResponse

ADVANCE_INTERVAL: Final = 5 * NS_PER_MS
"""Interval between advances when the exchange follows a clock (ns)."""
STEP_MAX: Final = 50 * NS_PER_MS
"""Most exchange time (ns) advanced before connections are served again, when the simulator has fallen behind."""


class PolymarketSimulatorSettings(Struct, frozen=True, kw_only=True):
    """What to simulate. ``rate``: level changes a second over all books. ``faults``: a script of faults.

    ``truth``: file for the fault log. ``keep_published``: keep everything that was published, for tests.
    ``last_trade_form``: how books write the price of their last trade. ``v2_every``: one market in so many is of
    version ``v2`` and trades on the exchange V3, 0 for none.
    """

    seed: int = 7
    markets: int = 300
    rate: int = 400
    faults: str = ""
    truth: Path | None = None
    keep_published: bool = False
    last_trade_form: LastTradeForm = "cut"
    v2_every: int = 0


class PolymarketSimulator:
    """Gamma, CLOB, the Data API and the channels, each on a loopback port of its own.

    Time passes in ``run`` by the clock and in ``advance`` as told; at no other time.
    """

    def __init__(self, settings: PolymarketSimulatorSettings, clock: Clock) -> None:
        """Raises ConfigError when the script has an invalid fault or the fault log cannot be written."""
        self._clock = clock
        self._last = clock.monotonic()
        self.exchange = Exchange(settings.seed, settings.markets, settings.rate, clock.now(), fine_grids=True)
        self.catalog = SimulatedCatalog(self.exchange, settings.v2_every)
        self.published_log = PublishedLog(clock.now) if settings.keep_published else None
        self.fault_log = FaultLog(settings.truth)
        self.faults = FaultInjector(settings.faults, settings.seed, self.fault_log, clock.now)
        self.books: dict[int, TokenPairBook] = {}
        self.subscribers = Subscribers(self.catalog, self.books, self.faults.is_book_omitted)
        self.paused = False
        """While set, no time passes in ``run``, nor does it catch up."""
        self._channel = MarketChannel(
            self.exchange,
            self.catalog,
            self.subscribers,
            self.books,
            self.published_log,
            last_trade_form=settings.last_trade_form,
        )
        self._history = PriceHistory()
        gamma = GammaApi(self.catalog, self.books, _invalid_rows(settings.markets))
        clob = ClobApi(self.exchange, self.catalog, self.books, self._history)
        self.trading = trading_service(self.exchange, self.catalog, self.faults.is_active)
        """What serves orders, None where the libraries that check signatures are missing."""
        listing = MarketListing(self.catalog, self._channel.prints, clob.market)
        data = DataApi(self.catalog, self._history, self._channel.prints, _wallets_of(self.trading))
        user_channel = None if self.trading is None else self.trading.user_channel
        if user_channel is not None:
            self.faults.on_userdrop = user_channel.drop_all
        self._gamma = LoopbackServer(RestApplication(gamma.respond, self.faults))
        self._clob = LoopbackServer(RestApplication(_clob_respond(self.trading, clob, listing), self.faults))
        self._data = LoopbackServer(RestApplication(data.respond, self.faults))
        self._prices = RealTimeDataSocket(settings.seed, self.exchange.now)
        others: dict[str, UserChannel | RealTimeDataSocket] = {RTDS_PATH: self._prices}
        if user_channel is not None:
            others[WS_USER_PATH] = user_channel
        self._channels = LoopbackServer(ChannelApplication(self.subscribers, self.faults, others))
        self._servers = (self._gamma, self._clob, self._data, self._channels)
        self._seed = settings.seed
        self._target_time = self.exchange.origin

    @property
    def port(self) -> int:
        """The first of the ports: Gamma's."""
        return self._gamma.port

    @property
    def gamma_url(self) -> str:
        """Base URL of Gamma."""
        return f"http://127.0.0.1:{self._gamma.port}"

    @property
    def clob_url(self) -> str:
        """Base URL of the CLOB, orders included."""
        return f"http://127.0.0.1:{self._clob.port}"

    @property
    def ws_url(self) -> str:
        """URL of the market channel; at ``WS_USER_PATH`` and ``RTDS_PATH`` of the same port are the others."""
        return f"ws://127.0.0.1:{self._channels.port}{WS_PATH}"

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point predsurv here, and a key that starts with money."""
        prefix = "PREDSURV_VENUES__POLYMARKET__"
        found = {
            f"{prefix}GAMMA_URL": self.gamma_url,
            f"{prefix}CLOB_URL": self.clob_url,
            f"{prefix}DATA_URL": f"http://127.0.0.1:{self._data.port}",
            f"{prefix}WS_MARKET_URL": self.ws_url,
            f"{prefix}WS_USER_URL": self.ws_url.replace(WS_PATH, WS_USER_PATH),
        }
        if self.trading is not None:
            found["PREDSURV_POLYMARKET_PRIVATE_KEY"] = throwaway_private_key(self._seed)
        return found

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, from ``port`` on (0: any free ports); raises ConfigError when one cannot be bound."""
        for index, server in enumerate(self._servers):
            await server.start(port + index if port else 0)

    async def run(self) -> None:
        """Let the exchange follow the clock until cancelled."""
        while True:
            await self._clock.sleep(ADVANCE_INTERVAL)
            now = self._clock.monotonic()
            elapsed, self._last = now - self._last, now
            if not self.paused:
                await self.advance(elapsed)

    async def advance(self, duration: int) -> None:
        """Advance exchange time by ``duration`` ns, rounded down so that it ends with a whole millisecond."""
        self._target_time += duration
        while True:
            # A millisecond is published as a whole: the next one begins where this one ends.
            end = self._target_time // NS_PER_MS * NS_PER_MS - 1
            step = min(end, self.exchange.now + STEP_MAX)
            if step > self.exchange.now:
                self.publish(self.exchange.advance(step))
            if step >= end or self.paused:
                return
            await self._clock.sleep(0)

    def publish(self, events: list[TapeEvent]) -> None:
        """Publish tape events, inject the faults that are due, and send the messages."""
        for event in events:
            if isinstance(event, TapeTrade):
                row = self.catalog.by_book(event.book)
                if row is not None:
                    self._history.add(row.tokens[0], event.ts, event.price, event.taker_side)
        self._channel.publish(events)
        elapsed = self.exchange.now - self.exchange.origin
        self.faults.inject_due(elapsed, self.subscribers.by_number.values())
        self.subscribers.flush(elapsed)
        self._prices.tell(self.exchange.now)

    def inject(self, fault: ScriptedFault) -> None:
        """Inject a fault now, whatever its scripted time."""
        self.faults.inject(fault, self.subscribers.by_number.values())

    async def aclose(self) -> None:
        """Stop the server, drop every connection and close the fault log; safe to call twice."""
        for server in self._servers:
            await server.aclose()
        self.fault_log.close()


def _clob_respond(trading: TradingService | None, public: ClobApi, listing: MarketListing) -> Respond:
    """Return what answers requests to the CLOB: private ones first, where orders are served."""

    def respond(request: ServerRequest) -> ServerResponse | None:
        private = None if trading is None else trading.api.respond(request)
        listed = listing.respond(request) if private is None and request.method == "GET" else None
        return private or listed or public.respond(request)

    return respond


def _wallets_of(trading: TradingService | None) -> Wallets:
    """Return what tells the shares of every wallet, by the address of the key that signs for it."""

    def wallets() -> Mapping[str, Mapping[str, int]]:
        known = {} if trading is None else trading.desk.matching.accounts
        return {f"0x{address.hex()}": account.shares for address, account in known.items()}

    return wallets


def _invalid_rows(markets: int) -> list[Json]:
    """Return rows that no market is behind, as the venue lists some: unreadable, not binary, without tokens yet."""
    if not malformed_rows(markets):
        return []
    return [
        {"id": "499998", "conditionId": "0x" + "1" * 64, "question": "Will this row parse?",
         "clobTokenIds": '["11","12"', "outcomes": '["Yes","No"]', "orderPriceMinTickSize": "0.01"},
        {"id": "499999", "conditionId": "0x" + "2" * 64, "question": "Which of three?", "closed": True,
         "clobTokenIds": '["21","22","23"]', "outcomes": '["A","B","C"]'},
        {"id": "500000", "conditionId": "0x" + "3" * 64, "question": "Will tokens come?", "active": True,
         "clobTokenIds": "", "outcomes": '["Yes","No"]'},
    ]  # fmt: skip
