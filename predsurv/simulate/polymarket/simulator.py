"""The simulated Polymarket as a whole: one port, one exchange, one clock and a script of faults.

Only here does time pass: the exchange follows a clock, or a test's calls of ``advance``.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.exchange.exchange import Exchange
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.exchange.tape import TapeEvent, TapeTrade
from predsurv.exchange.world import malformed_rows
from predsurv.ports import Clock
from predsurv.simulate.fault_log import FaultLog
from predsurv.simulate.polymarket.app import WS_PATH, PolymarketApp
from predsurv.simulate.polymarket.books import LastTradeForm, TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.channel import NS_PER_MS, MarketChannel
from predsurv.simulate.polymarket.clob_api import ClobApi
from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.gamma_api import GammaApi, Json
from predsurv.simulate.polymarket.history import PriceHistory
from predsurv.simulate.polymarket.published_log import PublishedLog
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.simulate.server import LoopbackServer

ADVANCE_INTERVAL: Final = 5 * NS_PER_MS
"""Interval between advances when the exchange follows a clock (ns)."""
STEP_MAX: Final = 50 * NS_PER_MS
"""Most exchange time (ns) advanced before connections are served again, when the simulator has fallen behind."""


class PolymarketSimulatorSettings(Struct, frozen=True, kw_only=True):
    """What to simulate. ``rate``: level changes a second over all books. ``faults``: a script of faults.

    ``truth``: file for the fault log. ``keep_published``: keep everything that was published, for tests.
    ``last_trade_form``: how books write the price of their last trade.
    """

    seed: int = 7
    markets: int = 300
    rate: int = 400
    faults: str = ""
    truth: Path | None = None
    keep_published: bool = False
    last_trade_form: LastTradeForm = "cut"


class PolymarketSimulator:
    """Gamma, CLOB and the market channel on one loopback port.

    Time passes in ``run`` by the clock and in ``advance`` as told; at no other time.
    """

    def __init__(self, settings: PolymarketSimulatorSettings, clock: Clock) -> None:
        """Raises ConfigError when the script has an invalid fault or the fault log cannot be written."""
        self._clock = clock
        self._last = clock.monotonic()
        self.exchange = Exchange(settings.seed, settings.markets, settings.rate, clock.now(), fine_grids=True)
        self.catalog = SimulatedCatalog(self.exchange)
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
        self._server = LoopbackServer(PolymarketApp(gamma, clob, self.subscribers, self.faults))
        self._target_time = self.exchange.origin

    @property
    def port(self) -> int:
        """The port the server listens on."""
        return self._server.port

    @property
    def http_url(self) -> str:
        """Base URL of Gamma and CLOB."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """URL of the market channel."""
        return f"ws://127.0.0.1:{self.port}{WS_PATH}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback (port 0: any free port); raises ConfigError when the port cannot be bound."""
        await self._server.start(port)

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

    def inject(self, fault: ScriptedFault) -> None:
        """Inject a fault now, whatever its scripted time."""
        self.faults.inject(fault, self.subscribers.by_number.values())

    async def aclose(self) -> None:
        """Stop the server, drop every connection and close the fault log; safe to call twice."""
        await self._server.aclose()
        self.fault_log.close()


def environment(port: int) -> dict[str, str]:
    """Return the environment variables that point predsurv at a simulator on ``port``."""
    prefix, rest = "PREDSURV_VENUES__POLYMARKET__", f"http://127.0.0.1:{port}"
    return {
        f"{prefix}GAMMA_URL": rest,
        f"{prefix}CLOB_URL": rest,
        f"{prefix}DATA_URL": rest,
        f"{prefix}WS_MARKET_URL": f"ws://127.0.0.1:{port}{WS_PATH}",
        f"{prefix}WS_USER_URL": f"ws://127.0.0.1:{port}/ws/user",  # not served yet, but no other host is asked
    }


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
