"""The feeds against a misbehaving simulator: trusted books are exact, and every loss is a gap."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from predsurv.core.errors import PermanentError, SafetyError
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Connected,
    Disconnected,
    Gap,
    MarketEvent,
    MarketResolved,
    Trade,
)
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price
from predsurv.ports import Feed
from predsurv.state.book import Book
from predsurv.venues.kalshi.polling_feed import PollingFeed
from tests.kit.given_clock import GivenClock
from tests.kit.patience import PATIENCE_S
from tests.kit.simulated_kalshi import SimulatedKalshi

QUIET_S = 0.4


class Listener:
    """Reads a feed all the time and keeps the books it tells of."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.events: list[MarketEvent] = []
        self.books: dict[InstrumentKey, Book] = {}
        self.wanted: frozenset[InstrumentKey] = frozenset()
        self.changed = asyncio.Condition()
        self.task = asyncio.create_task(self._read())

    async def watch(self, keys: Sequence[InstrumentKey]) -> None:
        """Watch ``keys`` and wait until all have a book."""
        self.books = {key: self.books.get(key, Book(key)) for key in keys}
        self.wanted = frozenset(keys)
        await self.feed.watch(self.wanted)
        await self.until(self.all_trusted)

    def all_trusted(self) -> bool:
        """Return whether every book is believed."""
        return all(book.trusted for book in self.books.values())

    def gaps(self) -> set[str]:
        """Return the gap reasons so far."""
        return {event.reason for event in self.events if isinstance(event, Gap)}

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until ``reached``; raises what ended the feed."""
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: reached() or self.task.done())
        if self.task.done():
            self.task.result()

    async def quiet(self) -> None:
        """Wait until nothing came for a while."""
        count = -1
        while count != len(self.events):
            count = len(self.events)
            await asyncio.sleep(QUIET_S)

    async def aclose(self) -> None:
        """Close the feed and stop reading."""
        await self.feed.aclose()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for batch in self.feed.batches():
                for event in batch:
                    if isinstance(event, BookSnapshot | BookDelta | Gap) and event.key in self.wanted:
                        self.books[event.key].apply(event)
                self.events += batch
                await self._tell()
        finally:
            await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[SimulatedKalshi]:
    running = SimulatedKalshi(tmp_path, rate=1_000)
    await running.start()
    yield running
    await running.aclose()


@pytest.fixture
async def listener(simulated: SimulatedKalshi) -> AsyncIterator[Listener]:
    venue = simulated.venue(per_connection=20)
    made = Listener(venue.feed())
    yield made
    await made.aclose()
    await venue.aclose()


async def assert_exact(simulated: SimulatedKalshi, listener: Listener) -> None:
    """Let everything come to rest; fail when a trusted book is not the venue's."""

    def wrong() -> list[str]:
        return [str(key) for key, book in listener.books.items() if book.trusted and not simulated.is_exact(book)]

    await simulated.pause()
    await listener.until(listener.all_trusted)
    await listener.quiet()
    # On a busy machine the last frames may still be on their way; a wrong book stays wrong.
    with suppress(TimeoutError):
        await listener.until(lambda: not wrong())
    assert wrong() == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("gap", "seq_gap"),
        ("duplicate", "seq_gap"),
        ("reorder", "seq_gap"),
        ("negative", "hash_mismatch"),
        ("malformed", "decode_error"),
        ("error10", "disconnect"),
        ("error25", "overflow"),
        ("drop", "disconnect"),
    ],
)
async def test_a_fault_is_a_gap_until_the_next_snapshot(
    simulated: SimulatedKalshi, listener: Listener, kind: str, reason: str
) -> None:
    await listener.watch(simulated.busiest(50))
    assert len(simulated.server.app.clients) == 3
    simulated.inject(kind)
    await listener.until(lambda: reason in listener.gaps())
    await listener.until(listener.all_trusted)
    await assert_exact(simulated, listener)


async def test_a_frozen_connection_is_given_up(simulated: SimulatedKalshi, listener: Listener) -> None:
    await listener.watch(simulated.busiest(10))
    simulated.inject("freeze", 60_000_000_000)
    await listener.until(lambda: any(isinstance(event, Disconnected) for event in listener.events))
    await listener.until(listener.all_trusted)
    assert "stall" in listener.gaps()
    await assert_exact(simulated, listener)


async def test_refused_handshakes_are_tried_again(simulated: SimulatedKalshi, listener: Listener) -> None:
    await listener.watch(simulated.busiest(10))
    simulated.inject("handshake429", 300_000_000)
    simulated.inject("drop")
    await listener.until(lambda: sum(isinstance(event, Connected) for event in listener.events) >= 2)
    await listener.until(listener.all_trusted)
    await assert_exact(simulated, listener)


async def test_the_limit_of_a_connection_is_learnt(tmp_path: Path) -> None:
    simulated = SimulatedKalshi(tmp_path, rate=500, markets_per_subscription=7)
    await simulated.start()
    venue = simulated.venue(per_connection=20)
    listener = Listener(venue.feed())
    await listener.watch(simulated.busiest(40))
    loads = [len(client.session.tickers()) for client in simulated.server.app.clients.values()]
    assert max(loads) <= 7
    assert sum(loads) == 40
    await assert_exact(simulated, listener)
    await listener.aclose()
    await venue.aclose()
    await simulated.aclose()


async def test_every_book_is_exact_after_a_transient_refusal(simulated: SimulatedKalshi, listener: Listener) -> None:
    keys = simulated.busiest(30)
    await listener.watch(keys[:10])
    simulated.inject("error26")
    await listener.watch(keys)
    await assert_exact(simulated, listener)


async def test_rotation_brings_new_books_and_stops_old_ones(simulated: SimulatedKalshi, listener: Listener) -> None:
    keys = simulated.busiest(30)
    await listener.watch(keys[:20])
    await listener.watch(keys[10:])
    listener.events.clear()
    await listener.until(lambda: len(listener.events) > 200)
    published = {event.key for event in listener.events if isinstance(event, BookDelta | Trade)}
    assert published <= set(keys[10:])
    await assert_exact(simulated, listener)


async def test_a_keyed_feed_has_trades(simulated: SimulatedKalshi, listener: Listener) -> None:
    await listener.watch(simulated.busiest(40))
    await listener.until(lambda: any(isinstance(event, Trade) for event in listener.events))
    (trade, *_) = (event for event in listener.events if isinstance(event, Trade))
    assert trade.trade_id
    assert trade.taker_side in ("buy", "sell")
    assert trade.ts_venue is not None


@pytest.mark.parametrize("keyed", [True, False])
async def test_a_settlement_during_a_disconnect_is_looked_up(simulated: SimulatedKalshi, *, keyed: bool) -> None:
    settled, other = simulated.busiest(2)
    market = simulated.server.markets.listed[settled.market_id]
    market.result, market.payout, market.settled_at = "yes", Price(1_000_000), simulated.clock.now()
    venue = simulated.venue(keyed=keyed)
    listener = Listener(venue.feed())
    await listener.feed.watch({settled, other})
    await listener.until(lambda: any(isinstance(event, MarketResolved) for event in listener.events))
    await listener.aclose()
    await venue.aclose()
    (resolved,) = (event for event in listener.events if isinstance(event, MarketResolved))
    assert (resolved.market_id, dict(resolved.payouts)[settled.instrument_id]) == (settled.market_id, 1_000_000)


async def test_polled_books_are_exact_too(simulated: SimulatedKalshi) -> None:
    venue = simulated.venue(keyed=False)
    listener = Listener(venue.feed())
    assert isinstance(listener.feed, PollingFeed)
    await listener.watch(simulated.busiest(150))
    assert list(simulated.server.access.requests).count("/trade-api/v2/markets/orderbooks") >= 2
    simulated.inject("rest429", 500_000_000)
    await asyncio.sleep(1)
    await simulated.pause()
    await listener.until(lambda: listener.all_trusted() and all(map(simulated.is_exact, listener.books.values())))
    await listener.aclose()
    await venue.aclose()


class AheadClock(GivenClock):
    """A machine whose clock is a minute ahead."""

    def now(self) -> int:
        return super().now() + 60_000_000_000


async def test_a_wrong_clock_ends_the_stream_with_its_cause(simulated: SimulatedKalshi) -> None:
    venue = simulated.venue(clock=AheadClock())
    listener = Listener(venue.feed())
    with pytest.raises(PermanentError, match=r"clock is (59|60|61) s ahead"):
        await listener.watch(simulated.busiest(1))
    await listener.aclose()
    await venue.aclose()


async def test_a_refused_key_ends_the_stream_with_its_cause(simulated: SimulatedKalshi) -> None:
    venue = simulated.venue()
    simulated.inject("handshake401", 10_000_000_000)
    listener = Listener(venue.feed())
    with pytest.raises(PermanentError, match="the API key was refused"):
        await listener.watch(simulated.busiest(1))
    await listener.aclose()
    await venue.aclose()


async def test_trading_is_refused(simulated: SimulatedKalshi) -> None:
    venue = simulated.venue()
    assert venue.traits.sequenced
    with pytest.raises(SafetyError):
        venue.broker()
