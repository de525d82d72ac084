"""Both simulated venues as one thing that a test watches: every private request, what is true there, and its time.

The simulators themselves are unmodified: what is watched is the object that answers their private requests.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from msgspec import Struct, field

from predsurv.config import MockConfig
from predsurv.core.ids import VenueName
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.net.clock import SystemClock
from predsurv.simulate.kalshi.simulator import KalshiSimulator, KalshiSimulatorSettings, environment
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.simulate.kalshi.trading.orders import HUNDREDTH
from predsurv.simulate.kalshi.trading.trading_api import ToServer
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.polymarket.trading.accounts import ClobAccount
from predsurv.simulate.polymarket.trading.settlement import shares_of
from predsurv.simulate.server import ServerRequest, ServerResponse
from predsurv.venues.mock import MockVenue

LAG: Final = 1_500_000_000
"""Exchange time (ns) after which every trade of the simulated Polymarket is settled or has failed."""


class PrivateRequest(NamedTuple):
    """A private request as it arrived at ``at`` (ns, monotonic); ``what`` it is for, "" for anything else."""

    at: int
    what: str
    method: str
    path: str
    body: bytes


class VenueTruth(Struct, frozen=True):
    """An account as its venue has it, in micros; ``open``: what is left of open orders, by the venue's id."""

    cash: int
    shares: Mapping[str, int]
    open: Mapping[str, int]


class TradedTotals(NamedTuple):
    """What an order traded and what did not fail: shares and fees in micros, ``notional``: prices times shares."""

    size: int = 0
    notional: int = 0
    fees: int = 0

    def plus(self, price: int, size: int, fee: int) -> "TradedTotals":
        """Return it with one more fill."""
        return TradedTotals(self.size + size, self.notional + price * size, self.fees + fee)


Answer = Callable[[], ServerResponse | None]


class Witness(Struct):
    """Every private request so far. ``on_arrival`` may answer one itself, ``on_answer`` may change what is answered.

    ``late_s``: an order is dropped as if it had not arrived, and carried out so many seconds later; 0 for none.
    """

    requests: list[PrivateRequest] = field(default_factory=list)
    on_arrival: Callable[[PrivateRequest], ServerResponse | None] = lambda _: None
    on_answer: Callable[[PrivateRequest, ServerResponse], ServerResponse] = lambda _, response: response
    late_s: float = 0

    def pass_on(self, what: str, request: ServerRequest, answer: Answer) -> ServerResponse | None:
        """Write a request down, and have it answered."""
        seen = PrivateRequest(SystemClock().monotonic(), what, request.method, request.path, request.body)
        self.requests.append(seen)
        instead = self.on_arrival(seen)
        if instead is not None:
            return instead
        if self.late_s and what == "place":
            asyncio.get_running_loop().call_later(self.late_s, answer)
            return ServerResponse(500, reset=True)
        response = answer()
        return None if response is None else self.on_answer(seen, response)

    def sent(self, what: str, start: int = 0) -> list[PrivateRequest]:
        """Return the requests for something, from the one numbered ``start`` on."""
        return [each for each in self.requests[start:] if each.what == what]


class WatchedVenue(Protocol):
    """A simulated venue with its witness; ``reads``: what has to be read of an account before its first order."""

    name: VenueName
    witness: Witness
    reads: frozenset[str]

    @property
    def environ(self) -> Mapping[str, str]: ...
    async def start(self) -> None: ...
    def truth(self) -> VenueTruth: ...
    def placed(self) -> Mapping[str, str]: ...
    def traded(self) -> Mapping[str, TradedTotals]: ...
    def inject(self, kind: str, lasts: int) -> None: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def aclose(self) -> None: ...


class WatchedPolymarket:
    """The simulated Polymarket."""

    name = VenueName("polymarket")
    reads = frozenset({"orders", "trades", "balance"})

    def __init__(self, markets: int = 20, rate: int = 100, seed: int = 7) -> None:
        settings = PolymarketSimulatorSettings(markets=markets, rate=rate, seed=seed, v2_every=3)
        self.clock, self.witness = SystemClock(), Witness()
        self.simulator = PolymarketSimulator(settings, self.clock)
        assert self.simulator.trading is not None
        self.trading = self.simulator.trading
        self.trading.api = _WatchedClob(self.trading.api.respond, self.witness)  # type: ignore[assignment]
        self._running: asyncio.Task[None] | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that point a program here."""
        return self.simulator.environment()

    async def start(self) -> None:
        """Serve."""
        await self.simulator.start()
        self._running = asyncio.create_task(self.simulator.run())

    def account(self) -> ClobAccount | None:
        """Return the account that trades here, None before its first order."""
        return next(iter(self.trading.desk.matching.accounts.values()), None)

    def truth(self) -> VenueTruth:
        """Return the account as it is now, with what is matched and not settled yet."""
        account = self.account()
        if account is None:
            return VenueTruth(10_000_000_000, {}, {})
        moves = [each for moved in account.pending.values() for each in moved]
        shares = Counter(account.shares)
        for move in moves:
            shares[move.asset] += move.shares
        rest = {each.order_id: each.resting.remaining if each.resting else 0 for each in account.open_orders()}
        dollars = account.dollars + sum(move.dollars for move in moves)
        return VenueTruth(dollars, {name: size for name, size in shares.items() if size}, rest)

    def placed(self) -> Mapping[str, str]:
        """Return every order that was ever taken, with what its client knows it by: its hash too."""
        account = self.account()
        return {} if account is None else {name: name for name in account.orders}

    def traded(self) -> Mapping[str, TradedTotals]:
        """Return what each order traded, by the venue's id; prices are those of its own token."""
        found: dict[str, TradedTotals] = {}
        for trade in self.trading.desk.matching.settlement.trades.values():
            if trade.status != "FAILED":
                for order, price, size, fee in shares_of(trade):
                    found[order.order_id] = found.get(order.order_id, TradedTotals()).plus(price, size, fee)
        return found

    def inject(self, kind: str, lasts: int) -> None:
        """Let a fault begin."""
        self.simulator.inject(ScriptedFault(0, kind, lasts, everywhere=True))

    async def pause(self) -> None:
        """Stop the exchange once every trade is settled."""
        await self.simulator.advance(LAG)
        self.simulator.paused = True

    async def resume(self) -> None:
        """Let the exchange's time pass again, from where the clock is."""
        self.simulator.paused = False
        await self.simulator.advance(0)  # on a busy machine it has not reached yet what it was told before
        await self.simulator.advance(max(self.clock.now() - self.simulator.exchange.now, 0))

    async def aclose(self) -> None:
        """Stop serving."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.simulator.aclose()


_CLOB_READS: Final = {"/data/orders": "orders", "/data/trades": "trades", "/balance-allowance": "balance"}


class _WatchedClob:
    def __init__(self, respond: Callable[[ServerRequest], ServerResponse | None], witness: Witness) -> None:
        self._respond, self._witness = respond, witness

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Answer as the API does."""
        what = _CLOB_READS.get(request.path, "") if request.method == "GET" else ""
        if request.path in ("/order", "/orders"):  # one, or a batch
            what = "place" if request.method == "POST" else "cancel"
        return self._witness.pass_on(what, request, lambda: self._respond(request))


class WatchedKalshi:
    """The simulated Kalshi; its key is written into ``folder``."""

    name = VenueName("kalshi")
    reads = frozenset({"orders", "positions", "balance"})

    def __init__(self, folder: Path, markets: int = 20, rate: int = 100, seed: int = 7) -> None:
        self.clock, self.witness = SystemClock(), Witness()
        self._key, self._file = ThrowawayKey("ed25519"), folder / "kalshi.pem"
        self._key.write(self._file)
        venue = MockVenue(MockConfig(enabled=True, markets=markets, rate=rate, seed=seed), self.clock)
        self.simulator = KalshiSimulator(venue, self.clock, KalshiSimulatorSettings(key=self._key, seed=seed))
        assert self.simulator.trading is not None
        self.trading = self.simulator.trading
        self.simulator.access.trading = _WatchedPortfolio(self.trading.api.respond, self.witness)  # type: ignore[assignment]
        self._running: asyncio.Task[None] | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that point a program here."""
        return environment(self.simulator.port, self._key, self._file)

    async def start(self) -> None:
        """Serve."""
        await self.simulator.start()
        await self.resume()

    def truth(self) -> VenueTruth:
        """Return the account as it is now."""
        account = self.trading.account
        shares = {
            ticker if position.count > 0 else f"{ticker}:no": abs(position.count) * HUNDREDTH
            for ticker, position in account.positions.items()
            if position.count
        }
        return VenueTruth(account.cash, shares, {each.order_id: each.remaining * HUNDREDTH for each in account.live()})

    def placed(self) -> Mapping[str, str]:
        """Return every order that was ever taken, with what its client knows it by: its client order id."""
        return {name: order.request.client_order_id for name, order in self.trading.account.orders.items()}

    def traded(self) -> Mapping[str, TradedTotals]:
        """Return what each order traded, by the venue's id; prices are those of YES."""
        found: dict[str, TradedTotals] = {}
        for fill in self.trading.account.fills:
            before = found.get(fill.order.order_id, TradedTotals())
            found[fill.order.order_id] = before.plus(fill.price, fill.contracts * HUNDREDTH, fill.fee)
        return found

    def inject(self, kind: str, lasts: int) -> None:
        """Let a fault begin."""
        self.simulator.inject(ScriptedFault(0, kind, lasts, everywhere=True))

    async def pause(self) -> None:
        """Stop the exchange."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def resume(self) -> None:
        """Let the exchange follow the clock again."""
        self._running = asyncio.create_task(self.simulator.run())

    async def aclose(self) -> None:
        """Stop serving."""
        await self.pause()
        await self.simulator.aclose()


_KALSHI_READS: Final = {
    "/portfolio/orders": "orders",
    "/portfolio/positions": "positions",
    "/portfolio/balance": "balance",
}


class _WatchedPortfolio:
    def __init__(
        self, respond: Callable[[str, ServerRequest, ToServer], ServerResponse | None], witness: Witness
    ) -> None:
        self._respond, self._witness = respond, witness

    def respond(self, path: str, request: ServerRequest, to_server: ToServer) -> ServerResponse | None:
        """Answer as the API does."""
        if not path.startswith("/portfolio"):
            return None
        what = _KALSHI_READS.get(path, "") if request.method == "GET" else ""
        if path in ("/portfolio/events/orders", "/portfolio/events/orders/batched"):  # one, or a batch
            what = "place" if request.method == "POST" else "cancel"
        elif path.startswith("/portfolio/events/orders/"):
            what = "cancel" if request.method == "DELETE" else "amend"
        return self._witness.pass_on(what, request, lambda: self._respond(path, request, to_server))


def watched(name: str, folder: Path, *, markets: int = 20, rate: int = 100, seed: int = 7) -> WatchedVenue:
    """Return a simulated venue that is not started yet."""
    if name == "polymarket":
        return WatchedPolymarket(markets, rate, seed)
    return WatchedKalshi(folder, markets, rate, seed)


def ordered_unread(venue: WatchedVenue, start: int = 0) -> set[str]:
    """Return what was not read of the account before the first order that came after request number ``start``."""
    left = set(venue.reads)
    for request in venue.witness.requests[start:]:
        if request.what == "place":
            return left
        left.discard(request.what)
    return set()
