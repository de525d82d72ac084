"""Catalogue, feed and broker share one exchange that starts with the first use."""

import pytest

from predsurv.config import MockConfig
from predsurv.core.errors import ConfigError
from predsurv.exchange.world import SECOND
from predsurv.net.clock import ManualClock
from predsurv.ports import Broker, Catalog, Feed, MarketQuery, Venue
from predsurv.venues.mock import MockVenue


def ports_of(venue: Venue) -> tuple[Catalog, Feed, Broker]:
    """Return them as the ports that they implement; mypy checks that they do."""
    return venue.catalog(), venue.feed(), venue.broker()


async def test_catalogue_feed_and_broker_share_an_exchange() -> None:
    clock = ManualClock()
    venue = MockVenue(MockConfig(enabled=True, markets=20), clock)
    await clock.advance(5 * SECOND)
    assert venue.clocked_exchange.exchange.origin == clock.now()
    catalog, feed, broker = ports_of(venue)
    assert venue.clocked_exchange is venue.clocked_exchange
    for each in (catalog, feed, broker, venue):
        await each.aclose()
        await each.aclose()
    assert (venue.name, venue.traits.complementary_outcomes, venue.traits.trading) == ("mock", True, True)


async def test_two_sessions_of_a_seed_list_the_same_markets() -> None:
    listings = []
    for _ in range(2):
        venue = MockVenue(MockConfig(enabled=True, markets=120), ManualClock(jumps=True))
        listings.append([(m.market_id, m.question) async for m in venue.catalog().markets(MarketQuery())])
    assert listings[0] == listings[1]


def test_wrong_fault_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="explode"):
        MockVenue(MockConfig(enabled=True, faults=("explode@5s",)), ManualClock())
