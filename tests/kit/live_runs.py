"""Live runs against the simulated Polymarket, on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from predsurv.config import Config, load
from predsurv.core.events import BookDelta, BookSnapshot, Event
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Decision, Intent, TimeInForce
from predsurv.engine.interest import EVERYTHING
from predsurv.net.clock import SystemClock, system_random
from predsurv.ports import MarketQuery
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.state.view import View
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.assembly import FundedAccount, LiveSource, open_live
from predsurv.trade.session import TradingSession
from predsurv.venues.execution.gateway import AccountState
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.registry import open_account
from tests.kit.paper_runs import Recorder
from tests.kit.patient_clocks import tolerate_wrong_clocks


class OneBuyer:
    """Buys ten shares at the best ask of the first book in the middle that it sees, once, or ``count`` times."""

    signals = frozenset({"test"})
    interest = EVERYTHING

    def __init__(self, tif: TimeInForce = "gtc", count: int = 1, below: int = 0) -> None:
        self.name = StrategyName("one_buyer")
        self.left, self.tif, self.below = count, tif, below
        self.heard: list[Event] = []

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        if not isinstance(event, BookSnapshot | BookDelta):
            self.heard.append(event)
            return ()
        book = view.book(event.key)
        ask = None if book is None else book.best_ask()
        if not self.left or ask is None or not 200_000 < ask[0] < 800_000:
            return ()
        self.left -= 1
        return [Intent(self.name, event.key, "buy", ask[0], Size(10 * MICROS), self.tif, "test")]


class LiveWorld:
    """A simulated venue with orders, and what trades on it."""

    def __init__(self, folder: Path, simulator: PolymarketSimulator) -> None:
        self.simulator, self.recorder = simulator, Recorder()
        self.environ = simulator.environment()
        flags = {"data_dir": str(folder), "trading.mode": "live"}
        self.config: Config = load(None, flags=flags, environ=self.environ, root=folder).config

    async def scan(self) -> None:
        """Write the universe."""
        clock = SystemClock()
        venue = PolymarketVenue(self.config, clock, system_random)
        with UniverseWriter(self.config.data_dir, venue.name, clock.now()) as writer:
            async for market in venue.catalog().markets(MarketQuery()):
                writer.write(market)
            writer.commit()
        await venue.aclose()

    @asynccontextmanager
    async def session(self, strategy: object, patch: pytest.MonkeyPatch) -> AsyncIterator[TradingSession]:
        """A live run, ready to start."""
        patch.setenv("PREDSURV_POLYMARKET_PRIVATE_KEY", self.environ["PREDSURV_POLYMARKET_PRIVATE_KEY"])
        patch.setattr("predsurv.trade.engine_parts.build", lambda *_: (strategy,))
        clock = SystemClock()
        venue = PolymarketVenue(self.config, clock, system_random)
        account = await open_account("polymarket", self.config, clock)
        state = await account.reader.account(clock.now(), ())
        source = LiveSource({venue.name: FundedAccount(account, state.cash)}, clock, system_random)
        session = open_live(self.config, [venue], source, lambda _: self.recorder)
        try:
            yield session
        finally:
            session.close()
            await account.aclose()
            await venue.aclose()

    async def trade(
        self, strategy: object, patch: pytest.MonkeyPatch, enough: Callable[[TradingSession], bool]
    ) -> TradingSession:
        """Trade until ``enough``, and stop."""
        async with self.session(strategy, patch) as session:
            running = asyncio.create_task(session.runner.run())
            while not enough(session) and not running.done():  # noqa: ASYNC110 - anything may make it enough
                await asyncio.sleep(0.02)
            session.runner.stop()
            await running
            session.finish(SystemClock().now(), complete=True)
            return session

    async def at_venue(self, keys: Collection[InstrumentKey]) -> AccountState:
        """What the venue says of the account."""
        account = await open_account("polymarket", self.config, SystemClock())
        try:
            return await account.reader.account(0, keys)
        finally:
            await account.aclose()


@asynccontextmanager
async def live_world(folder: Path, faults: str = "", *, v2_every: int = 0) -> AsyncIterator[LiveWorld]:
    """The world, listed and running."""
    settings = PolymarketSimulatorSettings(markets=20, rate=200, faults=faults, v2_every=v2_every)
    simulator = PolymarketSimulator(settings, SystemClock())
    await simulator.start()
    running = asyncio.create_task(simulator.run())
    world = LiveWorld(folder, simulator)
    try:
        await world.scan()
        with pytest.MonkeyPatch.context() as patch:
            tolerate_wrong_clocks(patch)
            yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await simulator.aclose()
