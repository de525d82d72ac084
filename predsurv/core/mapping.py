"""Markets of two venues that are the same contract, as a person has approved them."""

from collections.abc import Iterator

from msgspec import Struct

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName


class MappedMarket(Struct, frozen=True):
    """One market of a mapping with its two outcomes; ``outcomes`` of both markets correspond by position."""

    venue: VenueName
    market_id: MarketId
    outcomes: tuple[InstrumentId, InstrumentId]

    def key(self, index: int) -> InstrumentKey:
        """Return the key of outcome ``index``, 0 or 1."""
        return InstrumentKey(self.venue, self.market_id, self.outcomes[index])


class ApprovedMapping(Struct, frozen=True):
    """Two binary markets whose outcomes pay the same whatever happens, a void excepted.

    ``approved_by``: who compared the rules of both; ``approved_at``: when (ns UTC). There is no mapping without them.
    """

    first: MappedMarket
    second: MappedMarket
    approved_by: str
    approved_at: int

    def sides(self) -> Iterator[MappedMarket]:
        """Yield both markets."""
        yield self.first
        yield self.second
