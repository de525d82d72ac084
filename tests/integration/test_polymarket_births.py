"""Markets that are listed and settle while a feed of Polymarket runs, from announcement to payout."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from predsurv.config import Config, PolymarketConfig, VenuesConfig
from predsurv.core.events import BookSnapshot, MarketChange, MarketEvent, MarketResolved
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.net.clock import SystemClock
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.feed import StreamingFeed
from tests.kit.patience import PATIENCE_S

MS = 1_000_000
VOID = 25
"""Number of a market that is void after 19 s, and announced as settled without a winner."""


class Watched:
    """A simulated venue that moves on while a test waits, and the events of a feed of it."""

    def __init__(self, simulator: PolymarketSimulator, feed: StreamingFeed) -> None:
        self.simulator = simulator
        self.feed = feed
        self.events: list[MarketEvent] = []

    async def read(self) -> None:
        async for batch in self.feed.batches():
            self.events += batch

    async def until(self, condition: Callable[[], object], step: int = 20 * MS) -> None:
        """Let the venue's time pass, ``step`` ns every 20 ms, until ``condition`` holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self.simulator.advance(step)
                await asyncio.sleep(0.02)

    def told(self, market_id: str) -> list[str]:
        return [
            event.kind if isinstance(event, MarketChange) else "resolved"
            for event in self.events
            if isinstance(event, MarketChange | MarketResolved) and event.market_id == market_id
        ]

    def born(self) -> Market | None:
        created = (event.market for event in self.events if isinstance(event, MarketChange) and event.kind == "created")
        return next(created, None)

    def key(self, number: int) -> InstrumentKey:
        row = self.simulator.catalog.rows[number]
        return InstrumentKey(VENUE, MarketId(row.condition), InstrumentId(row.tokens[0]))


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    simulator = PolymarketSimulator(PolymarketSimulatorSettings(markets=60, rate=100), SystemClock())
    await simulator.start()
    polymarket = PolymarketConfig(
        gamma_url=simulator.gamma_url, clob_url=simulator.clob_url, ws_market_url=simulator.ws_url
    )
    venue = PolymarketVenue(Config(venues=VenuesConfig(polymarket=polymarket)), SystemClock(), lambda: 0.5)
    made = Watched(simulator, venue.feed())
    reading = asyncio.create_task(made.read())
    yield made
    await made.feed.aclose()
    await reading
    await venue.aclose()
    await simulator.aclose()


async def test_a_market_born_while_a_feed_runs_can_be_watched_and_gets_its_terms(watched: Watched) -> None:
    await watched.feed.watch(frozenset({watched.key(0)}))
    await watched.until(lambda: any(isinstance(event, BookSnapshot) for event in watched.events))
    await watched.until(watched.born, step=500 * MS)
    market = watched.born()
    assert market is not None
    assert not market.tradable
    await watched.until(lambda: "activated" in watched.told(market.market_id), step=0)
    assert watched.told(market.market_id) == ["created", "activated"]
    await watched.feed.watch(frozenset({watched.key(0), market.key(0)}))
    await watched.until(
        lambda: any(isinstance(event, BookSnapshot) and event.key == market.key(0) for event in watched.events)
    )
    await watched.until(lambda: "listed" in watched.told(market.market_id), step=100 * MS)
    completed = next(
        event.market for event in watched.events if isinstance(event, MarketChange) and event.kind == "listed"
    )
    assert completed is not None
    assert completed.tradable
    assert not {"tradable", "min_order_size", "fee", "tick_size", "neg_risk"} & {*completed.assumed}


async def test_a_void_market_ends_with_its_announcement_and_pays_what_rest_says(watched: Watched) -> None:
    await watched.feed.watch(frozenset({watched.key(VOID)}))
    await watched.until(lambda: any(isinstance(event, BookSnapshot) for event in watched.events))

    def voided() -> list[MarketResolved]:
        return [event for event in watched.events if isinstance(event, MarketResolved) and event.void]

    await watched.until(voided, step=500 * MS)
    (resolved, *_) = voided()
    assert [price for _, price in resolved.payouts] == [500_000, 500_000]
    assert watched.simulator.catalog.rows[VOID].void
    assert resolved.market_id == watched.key(VOID).market_id
    ends = [kind for kind in watched.told(resolved.market_id) if kind in ("closed", "resolved")]
    assert ends[:2] == ["closed", "resolved"]
    assert ends[2:] in ([], ["closed"]), "the list of closed markets may tell the end once more, with its times"
