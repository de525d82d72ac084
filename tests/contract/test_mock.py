"""The mock venue keeps every law."""

from collections.abc import Sequence

import pytest

from predsurv.config import MockConfig
from predsurv.core.ids import EventId, InstrumentKey
from predsurv.core.market import Market
from predsurv.net.clock import ManualClock
from predsurv.ports import Broker, Feed
from predsurv.venues.mock import MockVenue
from predsurv.venues.mock.broker import MockBroker
from predsurv.venues.mock.catalog import MockCatalog
from predsurv.venues.mock.feed import MockFeed
from tests.contract.broker import BrokerLaws, StillMarket
from tests.contract.catalog import CatalogLaws
from tests.contract.feed import FeedFault, FeedLaws

MARKETS = 250


class MockHarness:
    """The whole venue under a clock that jumps."""

    instruments_per_connection = 0
    reconnect_ns_max = 700_000_000
    rate_limits = False
    pages = 3
    unreadable = 1

    def __init__(self, rate: int) -> None:
        self.clock = ManualClock(jumps=True)
        self.venue = MockVenue(MockConfig(enabled=True, markets=MARKETS, rate=rate), self.clock)
        self.traits = self.venue.traits
        self.started = self.venue.clocked_exchange.exchange.now

    def catalog(self) -> MockCatalog:
        return self.venue.catalog()

    def feed(self) -> MockFeed:
        return self.venue.feed()

    def broker(self) -> MockBroker:
        return self.venue.broker()

    def market(self, key: InstrumentKey) -> Market:
        return self.venue.clocked_exchange.exchange.directory.market(key.market_id)

    async def lively(self, count: int) -> Sequence[InstrumentKey]:
        exchange = self.venue.clocked_exchange.exchange
        busiest = sorted(exchange.groups, key=lambda group: -group.spec.weight)[:count]
        markets = {market.event_id: market for market in exchange.markets()}
        return [markets[_event_id(group.spec.category, group.spec.index)].key(0) for group in busiest]

    async def inject_fault(self, feed: Feed, how: FeedFault) -> None:
        assert isinstance(feed, MockFeed)
        if how == "flood":
            feed.inject("overflow")
        else:
            feed.inject(how, 300_000_000)

    def loads(self) -> Sequence[int]:
        return ()

    async def let_one_close(self) -> None:
        await self.clock.sleep(15_000_000_000)

    async def still_market(self) -> StillMarket:
        exchange = self.venue.clocked_exchange.exchange
        dead = {_event_id(u.spec.category, u.spec.index) for u in exchange.groups if not u.interval}
        for market in exchange.markets():
            book = exchange.book(market.key(0))
            if market.event_id in dead and book.bids and book.asks and book.bids[0][0] > market.tick_size:
                return StillMarket(market, market.key(0), book.bids[0], book.asks[0])
        raise AssertionError("no market stands still")

    async def lose_next_response(self, broker: Broker) -> None:
        assert isinstance(broker, MockBroker)
        broker.inject("timeout")

    async def limit_rate(self, broker: Broker) -> None:
        raise NotImplementedError


def _event_id(category: str, index: int) -> EventId:
    return EventId(f"{category}-{index:04d}")


@pytest.fixture
def harness() -> MockHarness:
    return MockHarness(rate=2_000)


class TestMockFeed(FeedLaws):
    """The mock feed."""


class TestMockCatalog(CatalogLaws):
    """The mock catalogue."""


class TestMockBroker(BrokerLaws):
    """The mock broker."""
