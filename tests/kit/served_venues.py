"""Simulated venues that speak their own protocols, each with the adapter that talks to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from predsurv.collect.rescan import ListedUniverse
from predsurv.config import Config, PolymarketConfig, VenuesConfig
from predsurv.ports import MarketQuery, Venue
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.polymarket.venue import PolymarketVenue
from tests.kit.given_clock import GivenClock
from tests.kit.simulated_kalshi import SimulatedKalshi

Simulated = Callable[[Path], AbstractAsyncContextManager["Served"]]


class Served(NamedTuple):
    """A simulated venue: its adapter, the configuration with its addresses, and the clock of both."""

    config: Config
    venue: Venue
    clock: GivenClock


@asynccontextmanager
async def kalshi(folder: Path, *, keyed: bool = True) -> AsyncIterator[Served]:
    server = SimulatedKalshi(folder, markets=40, rate=400)
    await server.start()
    venue = server.venue(keyed=keyed)
    yield Served(server.config(), venue, server.clock)
    await venue.aclose()
    await server.aclose()


@asynccontextmanager
async def polymarket(_: Path) -> AsyncIterator[Served]:
    clock = GivenClock()
    server = PolymarketSimulator(PolymarketSimulatorSettings(markets=40, rate=400), clock)
    await server.start()
    running = asyncio.create_task(server.run())
    gamma, clob, ws = server.gamma_url, server.clob_url, server.ws_url
    config = Config(venues=VenuesConfig(polymarket=PolymarketConfig(gamma_url=gamma, clob_url=clob, ws_market_url=ws)))
    venue = PolymarketVenue(config, clock, lambda: 1.0)
    yield Served(config, venue, clock)
    await venue.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await server.aclose()


async def scanned(config: Config, venue: Venue, clock: GivenClock) -> ListedUniverse:
    with UniverseWriter(config.data_dir, venue.name, clock.now()) as writer:
        async for market in venue.catalog().markets(MarketQuery()):
            writer.write(market)
        return ListedUniverse(writer.commit(), whole=True)
