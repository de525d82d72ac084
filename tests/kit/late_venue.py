"""The mock venue behind a queue: what was received waits a turn before the recorder gets it, as on a socket."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.ports import NO_MIRRORS, Broker, Catalog, Feed, Mirrors, VenueTraits
from predsurv.venues.mock.venue import MockVenue


class LateFeed:
    """A feed that hands on each batch when the next one has been received."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        await self._feed.watch(want, mirrors)

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        waiting: Sequence[MarketEvent] = ()
        async for batch in self._feed.batches():
            received, waiting = waiting, batch
            if received:
                yield received

    async def aclose(self) -> None:
        await self._feed.aclose()


class LateVenue:
    """The mock venue with a ``LateFeed``."""

    def __init__(self, venue: MockVenue) -> None:
        self._venue = venue
        self.name: VenueName = venue.name
        self.traits: VenueTraits = venue.traits

    def catalog(self) -> Catalog:
        return self._venue.catalog()

    def feed(self) -> Feed:
        return LateFeed(self._venue.feed())

    def broker(self) -> Broker:
        return self._venue.broker()

    async def aclose(self) -> None:
        await self._venue.aclose()
