"""The catalogue pages through the markets. Its laws are in tests/contract."""

from predsurv.config import MockConfig
from predsurv.core.num import MICROS, Money
from predsurv.net.clock import ManualClock
from predsurv.ports import MarketQuery
from predsurv.venues.mock import MockVenue


async def test_pages_issues_and_freshness() -> None:
    clock = ManualClock(jumps=True)
    catalog = MockVenue(MockConfig(enabled=True, markets=250), clock).catalog()
    markets = [market async for market in catalog.markets(MarketQuery())]
    assert (len(markets), catalog.pages, len(catalog.issues)) == (250, 3, 1)
    assert "NaN" in catalog.issues[0].detail
    assert [market.fetched_at for market in markets] == sorted(market.fetched_at for market in markets)
    assert markets[-1].fetched_at == clock.now()


async def test_limit_stops_paging_and_liquidity_filters() -> None:
    venue = MockVenue(MockConfig(enabled=True, markets=250), ManualClock(jumps=True))
    catalog = venue.catalog()
    query = MarketQuery(limit=5, min_liquidity=Money(1_000 * MICROS))
    markets = [market async for market in catalog.markets(query)]
    assert len(markets) == 5
    assert all((market.liquidity or 0) >= 1_000 * MICROS for market in markets)
    assert catalog.pages == 1
