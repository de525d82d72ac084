"""The laws of a feed. A venue's test file is a subclass and a ``harness`` fixture."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal, Protocol

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Dropped,
    Gap,
    Malformed,
    MarketEvent,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import Market
from predsurv.ports import Feed, VenueTraits
from predsurv.state.book import Book
from tests.kit.patience import PATIENCE_S

FeedFault = Literal["drop", "unknown", "malformed", "flood"]
EVENTS_MAX = 200_000


class FeedHarness(Protocol):
    """A feed under test and control over the venue it listens to."""

    traits: VenueTraits
    instruments_per_connection: int
    """0 where there is no limit."""
    reconnect_ns_max: int

    def feed(self) -> Feed:
        """Return a new feed."""
        ...

    def market(self, key: InstrumentKey) -> Market:
        """Return the market of an instrument."""
        ...

    async def lively(self, count: int) -> Sequence[InstrumentKey]:
        """Return ``count`` instruments whose books change all the time."""
        ...

    async def inject_fault(self, feed: Feed, how: FeedFault) -> None:
        """Let the venue do ``how`` next."""
        ...

    def loads(self) -> Sequence[int]:
        """Return how many instruments each connection carries."""
        ...


async def read(
    batches: AsyncIterator[Sequence[MarketEvent]], until: Callable[[list[MarketEvent]], bool]
) -> list[MarketEvent]:
    """Return what arrives until ``until`` is satisfied with all of it; fails when that takes too long."""
    events: list[MarketEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        while not until(events):
            assert len(events) < EVENTS_MAX, "enough events, and still not what was expected"
            events.extend(await anext(batches))
    return events


def opened(keys: Sequence[InstrumentKey]) -> Callable[[list[MarketEvent]], bool]:
    """Return a predicate: each of ``keys`` has had a snapshot."""
    return lambda events: set(keys) <= {event.key for event in events if isinstance(event, BookSnapshot)}


def deltas(count: int) -> Callable[[list[MarketEvent]], bool]:
    """Return a predicate: ``count`` deltas came."""
    return lambda events: sum(isinstance(event, BookDelta) for event in events) >= count


def has(kind: type) -> Callable[[list[MarketEvent]], bool]:
    """Return a predicate: an event of ``kind`` came."""
    return lambda events: any(isinstance(event, kind) for event in events)


def reopened(keys: Sequence[InstrumentKey], after: type) -> Callable[[list[MarketEvent]], bool]:
    """Return a predicate: each of ``keys`` has had a snapshot since an event of kind ``after``."""

    def satisfied(events: list[MarketEvent]) -> bool:
        marks = [index for index, event in enumerate(events) if isinstance(event, after)]
        return bool(marks) and opened(keys)(events[marks[-1] :])

    return satisfied


def assert_deltas_follow_snapshots(events: Sequence[MarketEvent]) -> None:
    """A delta only ever follows a snapshot, with no gap between them."""
    live: set[InstrumentKey] = set()
    for event in events:
        if isinstance(event, BookSnapshot):
            live.add(event.key)
        elif isinstance(event, Gap):
            live.discard(event.key)
        elif isinstance(event, BookDelta):
            assert event.key in live


def assert_every_snapshot_is_new(books: dict[InstrumentKey, Book], events: Sequence[MarketEvent]) -> None:
    """No gap, and no snapshot that repeats the known book: venues send whole books after trades, too."""
    for event in events:
        assert not isinstance(event, Gap)
        if isinstance(event, BookSnapshot | BookDelta):
            book = books[event.key]
            known = book.top(len(book.bids) + len(book.asks) + 1)
            assert not book.trusted or isinstance(event, BookDelta) or known != (event.bids, event.asks)
            book.apply(event)


class FeedLaws:
    """F1 … F11 of every feed."""

    async def test_f1_first_book_event_is_a_snapshot(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        await feed.watch(frozenset(keys))
        batches = feed.batches()
        events = await read(batches, opened(keys)) + await read(batches, deltas(20))
        assert_deltas_follow_snapshots(events)
        assert {event.key for event in events if isinstance(event, BookDelta)} <= set(keys)
        await feed.aclose()

    async def test_f2_a_drop_is_declared_before_the_next_snapshot(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        await feed.watch(frozenset(keys))
        batches = feed.batches()
        events = await read(batches, opened(keys))
        await harness.inject_fault(feed, "drop")
        events += await read(batches, reopened(keys, Disconnected))
        events += await read(batches, deltas(5))
        assert_deltas_follow_snapshots(events)
        assert {event.key for event in events if isinstance(event, Gap) and event.reason == "disconnect"} == set(keys)
        epochs = [event.epoch for event in events if isinstance(event, Connected)]
        assert len(epochs) >= 2
        assert epochs == sorted(set(epochs))
        await feed.aclose()

    async def test_f3_watch_is_idempotent_and_shrinks(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        await feed.watch(frozenset(keys))
        batches, books = feed.batches(), {key: Book(key) for key in keys}
        assert_every_snapshot_is_new(books, await read(batches, opened(keys)))
        await feed.watch(frozenset(keys))
        assert_every_snapshot_is_new(books, await read(batches, deltas(10)))
        await feed.watch(frozenset(keys[:1]))
        events = await read(batches, deltas(10))
        assert {event.key for event in events if isinstance(event, BookDelta | BookSnapshot | Trade)} == {keys[0]}
        await feed.aclose()

    async def test_f4_times_do_not_go_back_or_mix(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        await feed.watch(frozenset(keys))
        events = await read(feed.batches(), deltas(50))
        received = [event.ts_recv for event in events]
        assert received == sorted(received)
        told = [event for event in events if isinstance(event, BookDelta) and event.ts_venue is not None]
        assert harness.traits.polled or told
        assert not told or any(event.ts_venue != event.ts_recv for event in told)
        await feed.aclose()

    async def test_f5_unreadable_messages_are_counted_and_survived(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(2), harness.feed()
        await feed.watch(frozenset(keys))
        batches = feed.batches()
        events = await read(batches, opened(keys))
        await harness.inject_fault(feed, "unknown")
        events += await read(batches, has(Unknown))
        await harness.inject_fault(feed, "malformed")
        events += await read(batches, has(Malformed))
        events += await read(batches, deltas(20))
        assert_deltas_follow_snapshots(events)
        await feed.aclose()

    async def test_f6_books_are_possible(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        await feed.watch(frozenset(keys))
        books = {key: Book(key) for key in keys}
        for event in await read(feed.batches(), deltas(100)):
            if isinstance(event, BookDelta):
                assert event.price % harness.market(event.key).tick_size == 0
                assert 0 < event.price < 1_000_000
                assert event.size >= 0
            if isinstance(event, BookSnapshot):
                assert all(size > 0 for _, size in (*event.bids, *event.asks))
            if isinstance(event, BookDelta | BookSnapshot | Gap):
                books[event.key].apply(event)
        assert not any(book.crossed() for book in books.values())
        await feed.aclose()

    async def test_f7_closes_while_idle(self, harness: FeedHarness) -> None:
        before, feed = asyncio.all_tasks(), harness.feed()

        async def drain() -> None:
            async for _ in feed.batches():
                pass

        reading = asyncio.create_task(drain())
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            await feed.aclose()
            await reading
            await feed.aclose()
        assert asyncio.all_tasks() <= before

    async def test_f8_overflow_is_declared(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        await feed.watch(frozenset(keys))
        batches = feed.batches()
        events = await read(batches, opened(keys))
        await harness.inject_fault(feed, "flood")
        events += await read(batches, reopened(keys, Dropped))
        assert all(event.count > 0 for event in events if isinstance(event, Dropped))
        assert {event.key for event in events if isinstance(event, Gap) and event.reason == "overflow"} == set(keys)
        assert_deltas_follow_snapshots(events)
        await feed.aclose()

    async def test_f9_all_wanted_instruments_arrive(self, harness: FeedHarness) -> None:
        limit = harness.instruments_per_connection
        keys, feed = await harness.lively(2 * limit + 1 if limit else 20), harness.feed()
        await feed.watch(frozenset(keys))
        await read(feed.batches(), opened(keys))
        assert not limit or max(harness.loads()) <= limit
        await feed.aclose()

    async def test_f10_reconnects_within_bounds(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(2), harness.feed()
        await feed.watch(frozenset(keys))
        batches = feed.batches()
        await read(batches, opened(keys))
        for _ in range(3):
            await harness.inject_fault(feed, "drop")
            events = await read(batches, reopened(keys, Disconnected))
            gone = max(event.ts_recv for event in events if isinstance(event, Disconnected))
            back = max(event.ts_recv for event in events if isinstance(event, Connected))
            assert 0 <= back - gone <= harness.reconnect_ns_max
        await feed.aclose()

    async def test_f11_a_mirror_is_heard_for_trades_and_nothing_else(self, harness: FeedHarness) -> None:
        keys, feed = await harness.lively(3), harness.feed()
        others = {key: harness.market(key).mirror_of(key) for key in keys}
        mirrors = {key: other for key, other in others.items() if other is not None and other not in keys}
        await feed.watch(frozenset(keys), mirrors)
        batches = feed.batches()
        events = await read(batches, opened(keys)) + await read(batches, deltas(50))
        assert_deltas_follow_snapshots(events)
        books = {event.key for event in events if isinstance(event, BookSnapshot | BookDelta | Gap)}
        assert books == set(keys)
        trades = {event.key for event in events if isinstance(event, Trade)}
        assert trades <= set(keys) | set(mirrors.values())
        await feed.watch(frozenset(), {})
        await feed.aclose()
