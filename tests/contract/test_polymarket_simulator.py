"""The laws for Polymarket's catalogue and feed, against a simulated venue that goes on by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from predsurv.config import CollectorConfig, Config, PolymarketConfig, VenuesConfig
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.ports import Broker, Catalog, Feed
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.policy import StreamPolicy
from tests.contract.catalog import CatalogLaws
from tests.contract.feed import FeedFault, FeedLaws
from tests.contract.missed import MissedLaws
from tests.kit.given_clock import GivenClock
from tests.kit.overflow import overflowing

MS = 1_000_000
POLICY = StreamPolicy(
    backoff_base=50 * MS,
    backoff_cap=200 * MS,
    handshake_interval=5 * MS,
    retries_per_minute=6_000,
    request_interval=50 * MS,
    waiting_frames_max=400,
)
PAGE_ROWS = 100


class SimulatedHarness:
    """A venue whose every URL is the simulator's."""

    instruments_per_connection = 3
    reconnect_ns_max = 5_000 * MS
    unreadable = 1

    def __init__(self, simulator: PolymarketSimulator) -> None:
        self.simulator = simulator
        gamma, clob = simulator.gamma_url, simulator.clob_url
        config = Config(
            venues=VenuesConfig(
                polymarket=PolymarketConfig(gamma_url=gamma, clob_url=clob, ws_market_url=simulator.ws_url)
            ),
            collector=CollectorConfig(instruments_per_connection=self.instruments_per_connection),
        )
        self.venue = PolymarketVenue(config, GivenClock(), lambda: 0.5, POLICY)
        self.traits = self.venue.traits

    @property
    def pages(self) -> int:
        return -(-(len(self.simulator.catalog.rows) + 3) // PAGE_ROWS)  # three rows are of no market

    def catalog(self) -> Catalog:
        return self.venue.catalog()

    def feed(self) -> Feed:
        return self.venue.feed()

    def broker(self) -> Broker | None:
        return None

    def market(self, key: InstrumentKey) -> Market:
        found = self.simulator.catalog.by_token(key.instrument_id)
        assert found is not None
        return found[0].market

    async def lively(self, count: int) -> Sequence[InstrumentKey]:
        groups = sorted(self.simulator.exchange.groups, key=lambda group: -group.spec.weight)
        rows = [row for group in groups for book in group.books if (row := self.simulator.catalog.by_book(book.index))]
        return [
            InstrumentKey(VenueName("polymarket"), MarketId(row.condition), InstrumentId(row.tokens[0]))
            for row in rows[:count]
        ]

    async def inject_fault(self, feed: Feed, how: FeedFault) -> None:
        match how:
            case "drop":
                self.simulator.inject(ScriptedFault(0, "drop", everywhere=True))
            case "unknown":
                self.simulator.subscribers.broadcast(b'{"event_type":"dance"}')
            case "malformed":
                token = next(
                    token for member in self.simulator.subscribers.by_number.values() for token in member.tokens
                )
                self.simulator.subscribers.broadcast(b'{"event_type":"book","asset_id":"%s","bids":0}' % token.encode())
            case "flood":
                assert isinstance(feed, StreamingFeed)
                while not overflowing(feed):
                    self.simulator.subscribers.broadcast(b'{"event_type":"noise"}')
                    await asyncio.sleep(0)

    def loads(self) -> Sequence[int]:
        return [len(member.tokens) for member in self.simulator.subscribers.by_number.values()]

    async def let_one_close(self) -> None:
        await self.simulator.advance(15_000 * MS)


@pytest.fixture
async def harness() -> AsyncIterator[SimulatedHarness]:
    simulator = PolymarketSimulator(PolymarketSimulatorSettings(markets=250, rate=2_000), GivenClock())
    await simulator.start()
    running = asyncio.create_task(simulator.run())
    made = SimulatedHarness(simulator)
    yield made
    await made.venue.aclose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await simulator.aclose()


class TestSimulatedPolymarketFeed(FeedLaws):
    """F1 … F11."""


class TestSimulatedPolymarketMissed(MissedLaws):
    """M1."""


class TestSimulatedPolymarketCatalog(CatalogLaws):
    """C1 … C5."""
