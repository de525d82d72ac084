"""What the connection for announcements may say; the rest of a feed is tested over sockets and by the contract laws."""

import asyncio

from predsurv.core.events import Dropped, MarketEvent
from predsurv.net.clock import ManualClock
from predsurv.venues.streaming.context import StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed, announcements_only
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.session import ConnectionSession, DroppedFrames
from tests.kit.toy_stream import VENUE, A, B, ToyCodec, ToyVenue


def test_announcements_that_were_dropped_are_declared_and_books_are_not() -> None:
    session = ConnectionSession(VENUE, 1, ToyCodec(), StreamPolicy(), 0, event_filter=announcements_only)
    session.subscriptions.change({A}, frozenset(), 0)
    out: list[MarketEvent] = []
    session.receive([b"book a"], 0, 0, out)
    assert out == [], "its books are those of other connections"
    session.overflow = DroppedFrames(7)
    session.resync(session.overflow, 9, 9, out)
    assert out == [Dropped(VENUE, 9, 7)], "a market may have been announced or settled unheard"


async def test_mirrors_are_known_before_their_instruments_are_requested_and_need_no_place() -> None:
    clock, venue, seen = ManualClock(), ToyVenue(), list[str]()
    made: list[ToyCodec] = []

    def codec(_: int) -> ToyCodec:
        seen.append("codec")
        made.append(ToyCodec())
        return made[-1]

    spec = StreamSpec(
        venue=VENUE,
        url="",
        codec=codec,
        instruments_per_connection=1,
        set_mirrors=lambda mirrors: seen.append(f"{len(mirrors)} mirrors"),
        connect=venue.connect,
    )
    feed = StreamingFeed(spec, clock, lambda: 1.0)
    await feed.watch({A}, {A: B})
    await clock.advance(1_000_000_000)
    assert seen == ["1 mirrors", "codec"]
    assert [each.awaiting() for each in made] == [{A}]
    await feed.aclose()
    await feed.watch({A}, {A: B})
    assert seen == ["1 mirrors", "codec"]


async def test_who_waits_for_an_empty_connection_to_close_can_be_cancelled() -> None:
    clock, venue = ManualClock(), ToyVenue()
    spec = StreamSpec(
        venue=VENUE, url="", codec=lambda _: ToyCodec(), instruments_per_connection=1, connect=venue.connect
    )
    feed = StreamingFeed(spec, clock, lambda: 1.0)
    await feed.watch({A})
    await clock.advance(1_000_000_000)
    (socket,) = venue.sockets
    socket.closable.clear()
    watching = asyncio.create_task(feed.watch(frozenset()))
    await clock.advance(0)
    watching.cancel()
    await asyncio.wait([watching], timeout=1)
    assert watching.cancelled(), "a session that ends waits for whoever steers its feed"
    closing = asyncio.create_task(feed.aclose())
    await clock.advance(0)
    assert not closing.done(), "the feed is closed when its last socket is"
    socket.closable.set()
    await closing
    assert socket.closed
