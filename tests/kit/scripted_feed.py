"""A feed on a scripted venue, and all that it says folded into books."""

import asyncio
import json
from collections.abc import Callable, Sequence

import msgspec

from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.state.book import Book
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.context import StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.given_clock import GivenClock
from tests.kit.oracle_polymarket import Venue
from tests.kit.patience import PATIENCE_S

MS = 1_000_000
POLICY = StreamPolicy(
    tick=5 * MS,
    book_timeout=300 * MS,
    silence=300 * MS,
    silence_max=600 * MS,
    stable=50 * MS,
    request_interval=50 * MS,
    backoff_base=10 * MS,
    backoff_cap=40 * MS,
    handshake_interval=MS,
    retries_per_minute=60_000,
    overlap=50 * MS,
    catch_up_timeout=1_000 * MS,
)


class Run:
    """A feed on ``venue`` and what it says, folded into books."""

    def __init__(self, venue: Venue, *, per_connection: int = 10, **changes: int) -> None:
        self.venue = venue
        self.memory = PolymarketSharedState()
        policy = msgspec.structs.replace(POLICY, **changes)
        stream = StreamSpec(
            venue=VENUE,
            url="",
            codec=lambda epoch: PolymarketCodec(epoch, self.memory),
            instruments_per_connection=per_connection,
            policy=policy,
            connect=venue.connect,
        )
        self.feed = StreamingFeed(stream, GivenClock(), venue.rng.random)
        self.events: list[MarketEvent] = []
        self.books: dict[InstrumentKey, Book] = {each: Book(each) for each in venue.keys}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for batch in self.feed.batches():
            self.events += batch
            for event in batch:
                if isinstance(event, BookSnapshot | BookDelta | Gap):
                    self.books[event.key].apply(event)

    async def until(self, satisfied: Callable[[], bool]) -> None:
        """Return when ``satisfied``; fails when the feed does or it takes too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not satisfied():
                if self._reading.done():
                    self._reading.result()
                await asyncio.sleep(0.002)

    async def opened(self) -> None:
        """Return when every book is trusted."""
        await self.until(lambda: all(book.trusted for book in self.books.values()))

    def of(self, kind: type) -> Sequence[MarketEvent]:
        """Return the events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def equal(self) -> bool:
        """Return whether every trusted book is the venue's."""
        return all(_sides(book) == _truth(self.venue, one) for one, book in self.books.items() if book.trusted)

    async def aclose(self) -> None:
        await self.feed.aclose()
        await self._reading


def _sides(book: Book) -> list[dict[int, int]]:
    return [dict(side.levels()) for side in (book.bids, book.asks)]


def _truth(venue: Venue, one: InstrumentKey) -> list[dict[int, int]]:
    token = venue.tokens[one.instrument_id]
    return [
        {tick * token.tick: round(float(size) * 1_000_000) for tick, size in token.sides[side].items()}
        for side in ("BUY", "SELL")
    ]


Row = tuple[str, int, int, int]
"""Token, price, size (micros) and venue time (ns)."""


def rows(events: Sequence[MarketEvent]) -> list[Row]:
    """Return the level changes among ``events``."""
    return [
        (event.key.instrument_id, event.price, event.size, event.ts_venue or 0)
        for event in events
        if isinstance(event, BookDelta)
    ]


async def talk(venue: Venue, told: list[Row], *, bursts: int, pause: float = 0.0005) -> None:
    """Change books without end; ``told`` gets every change."""
    names = list(venue.tokens)
    for _ in range(bursts):
        name = venue.rng.choice(names)
        frames = venue.burst(name, venue.rng.randrange(1, 3))
        for frame in frames:
            (change,) = json.loads(frame)["price_changes"]
            price, size = (round(float(change[field]) * 1_000_000) for field in ("price", "size"))
            told.append((name, price, size, venue.now_ms * MS))
        venue.tell(frames, name)
        await asyncio.sleep(pause if venue.rng.random() < 0.3 else 0)
