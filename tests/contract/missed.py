"""The laws of what a feed missed. A venue's test file is a subclass and a ``harness`` fixture."""

from collections.abc import Sequence
from typing import Protocol

from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.ports import Feed
from tests.contract.feed import read


class MissedHarness(Protocol):
    """A feed under test and control over the venue it listens to."""

    def feed(self) -> Feed:
        """Return a new feed."""
        ...

    async def lively(self, count: int) -> Sequence[InstrumentKey]:
        """Return ``count`` instruments whose books change all the time."""
        ...

    async def let_one_close(self) -> None:
        """Make at least one listed market end."""
        ...


def lives(events: Sequence[MarketEvent]) -> dict[str, MarketChange]:
    """Return the ends of markets that came with a record."""
    changes = [each for each in events if isinstance(each, MarketChange)]
    return {each.market_id: each for each in changes if each.kind == "closed" and each.market is not None}


def settled(events: Sequence[MarketEvent]) -> dict[str, MarketResolved]:
    """Return the settlements by market."""
    return {each.market_id: each for each in events if isinstance(each, MarketResolved)}


class MissedLaws:
    """M1 of every feed that has lists beside its stream."""

    async def test_m1_what_was_over_before_the_feed_heard_of_it_is_told_as_a_whole(
        self, harness: MissedHarness
    ) -> None:
        await harness.let_one_close()
        keys, feed = await harness.lively(2), harness.feed()
        await feed.watch(frozenset(keys))
        events = await read(feed.batches(), lambda events: bool(lives(events).keys() & settled(events).keys()))
        found = lives(events)
        for market_id in found.keys() & settled(events).keys():
            over, paid = found[market_id], settled(events)[market_id]
            assert over.market is not None
            assert over.market.question
            assert not over.market.tradable
            assert over.opened is not None
            assert over.closed is not None
            assert over.opened <= over.closed
            assert over.ts_venue == over.closed
            assert paid.ts_venue is not None
            assert sum(price for _, price in paid.payouts) == MICROS
            assert {each.instrument_id for each in over.market.outcomes} == {name for name, _ in paid.payouts}
        await feed.aclose()
