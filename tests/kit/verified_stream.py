"""A connection to a scripted Polymarket on which every book is verified, at a time that the test moves."""

from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.state.book import Book
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.hash_budget import HashCheckCounts
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import Venue, key

MS = 1_000_000


class VerifiedStream:
    """A codec that received the first snapshots of a venue, and a clock in ms."""

    def __init__(self, venue: Venue, shared: PolymarketSharedState | None = None) -> None:
        self.venue = venue
        self.shared = shared or PolymarketSharedState()
        self.codec = PolymarketCodec(1, self.shared)
        self.books = {each: Book(each) for each in venue.keys}
        self.now = 0
        self.gaps: list[Gap] = []
        self.open(venue.keys, frozenset())

    def open(self, add: frozenset[InstrumentKey], drop: frozenset[InstrumentKey]) -> None:
        self.codec.requests(add, drop)
        self.receive([self.venue.books(each.instrument_id for each in add)])

    def receive(self, frames: list[bytes], ms: int = 1) -> list[Gap]:
        """Decode and check ``frames``; return the gaps."""
        out: list[MarketEvent] = []
        for frame in frames:
            self.codec.decode([frame], self.now * MS, out)
        self.now += ms
        self.codec.audit(self.now * MS, self.now * MS, out)
        for event in out:
            if isinstance(event, BookSnapshot | BookDelta | Gap):
                self.books[event.key].apply(event)
        found = [event for event in out if isinstance(event, Gap)]
        self.gaps += found
        return found

    def wait(self, ms: int, step: int = 100) -> list[Gap]:
        """Let time pass without messages."""
        return [gap for _ in range(0, ms, step) for gap in self.receive([], step)]

    @property
    def counts(self) -> HashCheckCounts:
        return self.shared.counts

    def equal(self, name: str) -> bool:
        """Return whether our book is the venue's."""
        held, token = self.books[key(name)], self.venue.tokens[name]
        ours = [dict(side.levels()) for side in (held.bids, held.asks)]
        sides = (token.sides["BUY"], token.sides["SELL"])
        return ours == [{tick * token.tick: _micros(size) for tick, size in side.items()} for side in sides]


def _micros(size: str) -> int:
    whole, _, fraction = size.partition(".")
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))
