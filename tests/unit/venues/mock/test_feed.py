"""The feed adds waiting to the delivery: batches, a slow reader, an end. Its laws are in tests/contract."""

from itertools import pairwise

from predsurv.config import MockConfig
from predsurv.core.events import BookSnapshot, Connected, Dropped, Gap
from predsurv.exchange.world import SECOND
from predsurv.net.clock import ManualClock
from predsurv.venues.mock import MockVenue
from predsurv.venues.mock.feed import SNAPSHOTS_MAX, TURN_NS


def make(rate: int = 400, markets: int = 60) -> tuple[MockVenue, ManualClock]:
    clock = ManualClock(jumps=True)
    return MockVenue(MockConfig(enabled=True, markets=markets, rate=rate), clock), clock


async def test_batches_come_every_turn() -> None:
    venue, _ = make(rate=5_000)
    feed = venue.feed()
    await feed.watch({market.key(0) for market in venue.clocked_exchange.exchange.markets()})
    times = []
    async for batch in feed.batches():
        times.append(batch[0].ts_recv)
        if len(times) == 20:
            await feed.aclose()
    assert {later - earlier for earlier, later in pairwise(times)} == {TURN_NS}


async def test_slow_reader_gets_its_loss_declared() -> None:
    venue, clock = make(rate=20_000)
    feed, key = venue.feed(), venue.clocked_exchange.exchange.markets()[0].key(0)
    await feed.watch({key})
    batches = feed.batches()
    assert isinstance((await anext(batches))[0], Connected)
    await clock.sleep(3 * SECOND)
    while venue.clocked_exchange.pump():
        pass
    events = list(await anext(batches))
    assert [event.count > 1_000 for event in events if isinstance(event, Dropped)] == [True]
    assert [event.reason for event in events if isinstance(event, Gap)] == ["overflow"]
    while not any(isinstance(event, BookSnapshot) for event in events):
        events.extend(await anext(batches))
    await feed.aclose()


async def test_opening_books_are_spread_over_batches() -> None:
    venue, _ = make(markets=700)
    feed = venue.feed()
    await feed.watch({market.key(0) for market in venue.clocked_exchange.exchange.markets()})
    batches = feed.batches()
    first, second = await anext(batches), await anext(batches)
    counts = [sum(isinstance(event, BookSnapshot) for event in batch) for batch in (first, second)]
    assert counts == [SNAPSHOTS_MAX, 700 - SNAPSHOTS_MAX]
    await feed.aclose()


async def test_closed_feed_ends_without_events() -> None:
    venue, _ = make()
    feed = venue.feed()
    await feed.aclose()
    await feed.watch({venue.clocked_exchange.exchange.markets()[0].key(0)})
    assert [batch async for batch in feed.batches()] == []
