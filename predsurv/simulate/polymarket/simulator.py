"""The simulated Polymarket as a whole: one port, one exchange, one clock, and a script of faults.

Kept apart from its parts because only here does time pass: an exchange that follows a clock (or a
test's hand), connections that come and go, and windows in which REST or handshakes fail.
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
from predsurv.simulate.polymarket.books import TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.channel import NS_PER_MS, MarketChannel
from predsurv.simulate.polymarket.clob_api import ClobApi
from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.gamma_api import GammaApi, Json
from predsurv.simulate.polymarket.history import PriceHistory
from predsurv.simulate.polymarket.published_log import PublishedLog
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.simulate.server import LoopbackServer

TURN: Final = 5 * NS_PER_MS
"""How often the exchange moves on when it follows a clock."""
STEP_MAX: Final = 50 * NS_PER_MS
"""Most exchange time between two looks at the connections: a simulator that fell behind catches up."""


class PolymarketSimulatorSettings(Struct, frozen=True, kw_only=True):
    """What to simulate. ``rate``: level changes a second over all books.

    ``truth``: file for what was done wrong. ``keep``: remember everything published (for tests).
    """

    seed: int = 7
    markets: int = 300
    rate: int = 400
    faults: str = ""
    truth: Path | None = None
    keep: bool = False


class PolymarketSimulator:
    """Gamma, CLOB and the market channel on one loopback port.

    Time passes in ``run`` by the clock, or in ``advance`` by hand; at no other time.
    """

    def __init__(self, terms: PolymarketSimulatorSettings, clock: Clock) -> None:
        """Raises ConfigError when a fault of the script is none."""
        self._clock = clock
        self._last = clock.monotonic()
        self.exchange = Exchange(terms.seed, terms.markets, terms.rate, clock.now())
        self.listing = SimulatedCatalog(self.exchange)
        self.ledger = PublishedLog(clock.now) if terms.keep else None
        self.truth = FaultLog(terms.truth)
        self.mischief = FaultInjector(terms.faults, terms.seed, self.truth, clock.now)
        self.books: dict[int, TokenPairBook] = {}
        self.members = Subscribers(self.listing, self.books, self.mischief.omits)
        self.paused = False
        """While set, ``run`` lets no time pass, not even what it has to catch up."""
        self._channel = MarketChannel(self.exchange, self.listing, self.members, self.books, self.ledger)
        self._history = PriceHistory()
        gamma = GammaApi(self.listing, self.books, _oddities(terms.markets))
        clob = ClobApi(self.exchange, self.listing, self.books, self._history)
        self._server = LoopbackServer(PolymarketApp(gamma, clob, self.members, self.mischief))
        self._at = self.exchange.origin

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def http_url(self) -> str:
        """Address of Gamma and of CLOB."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Address of the market channel."""
        return f"ws://127.0.0.1:{self.port}{WS_PATH}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes any free one. Raises ConfigError when that fails."""
        await self._server.start(port)

    async def run(self) -> None:
        """Let the exchange follow the clock, which it began with, until cancelled."""
        while True:
            await self._clock.sleep(TURN)
            now = self._clock.monotonic()
            passed, self._last = now - self._last, now
            if not self.paused:
                await self.advance(passed)

    async def advance(self, duration: int) -> None:
        """Let ``duration`` ns pass on the exchange, as far as they are whole milliseconds in all."""
        self._at += duration
        while True:
            # A millisecond is told as a whole: the next one begins where this one ends.
            end = self._at // NS_PER_MS * NS_PER_MS - 1
            step = min(end, self.exchange.now + STEP_MAX)
            if step > self.exchange.now:
                self.turn(self.exchange.advance(step))
            if step >= end or self.paused:
                return
            await self._clock.sleep(0)

    def turn(self, events: list[TapeEvent]) -> None:
        """Tell what happened and let go wrong what is due."""
        for event in events:
            if isinstance(event, TapeTrade):
                row = self.listing.book(event.book)
                if row is not None:
                    self._history.add(row.tokens[0], event.ts, event.price, event.taker_side)
        self._channel.fold(events)
        now = self.exchange.now - self.exchange.origin
        self.mischief.turn(now, self.members.all.values())
        self.members.flush(now)

    def inject(self, fault: ScriptedFault) -> None:
        """Let something go wrong now, whatever its time."""
        self.mischief.strike(fault, self.members.all.values())

    async def aclose(self) -> None:
        """Stop and drop everybody; safe to call twice."""
        await self._server.aclose()
        self.truth.close()


def environment(port: int) -> dict[str, str]:
    """Return the variables that point the program at a simulator on ``port``."""
    prefix, rest = "PREDSURV_VENUES__POLYMARKET__", f"http://127.0.0.1:{port}"
    return {
        f"{prefix}GAMMA_URL": rest,
        f"{prefix}CLOB_URL": rest,
        f"{prefix}DATA_URL": rest,
        f"{prefix}WS_MARKET_URL": f"ws://127.0.0.1:{port}{WS_PATH}",
    }


def _oddities(markets: int) -> list[Json]:
    """Return rows such as the venue lists among the others: unreadable, of no order book, not yet ready."""
    if not malformed_rows(markets):
        return []
    return [
        {"id": "499998", "conditionId": "0x" + "1" * 64, "question": "Will this row parse?",
         "clobTokenIds": '["11","12"]', "outcomes": '["Yes","No"]', "orderPriceMinTickSize": "NaN"},
        {"id": "499999", "conditionId": "0x" + "2" * 64, "question": "Which of three?", "closed": True,
         "clobTokenIds": '["21","22","23"]', "outcomes": '["A","B","C"]'},
        {"id": "500000", "conditionId": "0x" + "3" * 64, "question": "Will tokens come?", "active": True,
         "clobTokenIds": "", "outcomes": '["Yes","No"]'},
    ]  # fmt: skip
