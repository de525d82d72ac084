"""How a feed is closed; the rest of it is tested over sockets and by the contract laws."""

import asyncio

from predsurv.net.clock import ManualClock
from predsurv.ports import PackingFeed
from predsurv.venues.streaming.context import StreamSpec
from predsurv.venues.streaming.feed import StreamingFeed
from tests.kit.toy_stream import VENUE, A, B, ToyCodec, ToyVenue


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


async def test_who_takes_changes_put_together_says_so_before_any_codec_is_made() -> None:
    clock, venue, seen = ManualClock(), ToyVenue(), list[str]()

    def codec(_: int) -> ToyCodec:
        seen.append("codec")
        return ToyCodec()

    spec = StreamSpec(
        venue=VENUE,
        url="",
        codec=codec,
        instruments_per_connection=1,
        pack=lambda: seen.append("pack"),
        connect=venue.connect,
    )
    feed = StreamingFeed(spec, clock, lambda: 1.0)
    assert isinstance(feed, PackingFeed)
    batches = feed.packed_batches()
    await feed.watch({A})
    await clock.advance(1_000_000_000)
    assert seen == ["pack", "codec"]
    await feed.aclose()
    assert [batch async for batch in batches] == []
