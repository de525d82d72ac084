"""The laws of a catalogue. A venue's test file is a subclass and a ``harness`` fixture."""

from typing import Protocol

from predsurv.core.events import OrderAccepted
from predsurv.core.ids import ClientOrderId, StrategyName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Approved, PlaceOrder
from predsurv.ports import UNREADABLE, Broker, Catalog, Feed, MarketQuery
from tests.contract.feed import opened, read
from tests.kit.account_events import events_until

OVER = {"closed", "resolved", "void"}


class CatalogHarness(Protocol):
    """A catalogue under test, with the feed and broker of the same venue."""

    pages: int
    unreadable: int
    """Rows of the listing that make no sense."""

    def catalog(self) -> Catalog:
        """Return a new reading of the listing."""
        ...

    def feed(self) -> Feed:
        """Return a feed of the same venue."""
        ...

    def broker(self) -> Broker | None:
        """Return a broker of the same venue, None where there is none to test."""
        ...

    async def let_one_close(self) -> None:
        """Make at least one listed market end."""
        ...


async def listing(catalog: Catalog, query: MarketQuery) -> list[Market]:
    """Return the whole listing."""
    markets = [market async for market in catalog.markets(query)]
    await catalog.aclose()
    return markets


EVERYTHING = MarketQuery(include_closed=True)


class CatalogLaws:
    """C1 … C5 of every catalogue."""

    async def test_c1_complete_distinct_and_stable(self, harness: CatalogHarness) -> None:
        catalog = harness.catalog()
        first = [market.market_id for market in await listing(catalog, EVERYTHING)]
        second = [market.market_id for market in await listing(harness.catalog(), EVERYTHING)]
        assert catalog.pages == harness.pages
        assert len(first) == len(set(first)) > 0
        assert first == second[: len(first)]

    async def test_c1_query_is_honoured(self, harness: CatalogHarness) -> None:
        every = await listing(harness.catalog(), EVERYTHING)
        bar = sorted(market.volume or 0 for market in every)[len(every) // 2]
        busy = await listing(harness.catalog(), MarketQuery(min_volume=Money(bar), include_closed=True))
        assert {market.market_id for market in busy} == {m.market_id for m in every if (m.volume or 0) >= bar}
        assert len(await listing(harness.catalog(), MarketQuery(limit=3))) == 3

    async def test_c2_outcomes_pair_up(self, harness: CatalogHarness) -> None:
        events: dict[str, set[tuple[bool, bool]]] = {}
        for market in await listing(harness.catalog(), EVERYTHING):
            assert len(market.outcomes) >= 2
            assert len({outcome.instrument_id for outcome in market.outcomes}) == len(market.outcomes)
            events.setdefault(market.event_id, set()).add((market.mutually_exclusive, market.exhaustive))
        assert all(len(claims) == 1 for claims in events.values()), "siblings disagree about their event"

    async def test_c3_closed_markets_are_flagged(self, harness: CatalogHarness) -> None:
        await harness.let_one_close()
        every = await listing(harness.catalog(), EVERYTHING)
        over = {market.market_id for market in every if market.status in OVER}
        assert over
        assert not any(market.tradable for market in every if market.market_id in over)
        assert not over & {market.market_id for market in await listing(harness.catalog(), MarketQuery())}

    async def test_c4_ids_work_at_the_feed(self, harness: CatalogHarness) -> None:
        markets = await listing(harness.catalog(), MarketQuery(limit=5))
        keys = [key for market in markets for key in market.keys()]  # noqa: SIM118
        feed = harness.feed()
        await feed.watch(frozenset(keys))
        await read(feed.batches(), opened(keys))
        await feed.aclose()

    async def test_c4_ids_work_at_the_broker(self, harness: CatalogHarness) -> None:
        broker = harness.broker()
        if broker is None:
            return
        (market,) = await listing(harness.catalog(), MarketQuery(limit=1))
        order = PlaceOrder(
            client_order_id=ClientOrderId("c4"),
            strategy=StrategyName("law"),
            key=market.key(0),
            side="buy",
            price=market.tick_size,
            size=market.min_order_size,
            tif="gtc",
        )
        await broker.submit(Approved(0, order))
        (answer, *_) = await events_until(broker.events(), bool)
        assert isinstance(answer, OrderAccepted)
        await broker.aclose()

    async def test_c5_one_bad_row_costs_one_row(self, harness: CatalogHarness) -> None:
        catalog = harness.catalog()
        markets = await listing(catalog, EVERYTHING)
        assert len(catalog.issues) == harness.unreadable
        assert all(issue.where and issue.detail for issue in catalog.issues)
        assert catalog.left_out.get(UNREADABLE, 0) == harness.unreadable
        assert markets
