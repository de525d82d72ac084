"""Markets of two venues that are the same contract, as a person has approved them."""

from collections.abc import Iterator
from hashlib import sha256

import msgspec
from msgspec import Struct

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market


class MappedMarket(Struct, frozen=True):
    """One market of a mapping with its two outcomes; ``outcomes`` of both markets correspond by position.

    ``terms``: the ``terms_fingerprint`` of the market that was approved, "" where the pair holds whatever becomes of
    it.
    """

    venue: VenueName
    market_id: MarketId
    outcomes: tuple[InstrumentId, InstrumentId]
    terms: str = ""

    def key(self, index: int) -> InstrumentKey:
        """Return the key of outcome ``index``, 0 or 1."""
        return InstrumentKey(self.venue, self.market_id, self.outcomes[index])

    def holds_for(self, market: Market) -> bool:
        """Return whether ``market`` is this one, with the outcomes and the terms that were approved."""
        tokens = {outcome.instrument_id for outcome in market.outcomes}
        return tokens == {*self.outcomes} and self.terms in ("", terms_fingerprint(market))


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


def terms_fingerprint(market: Market) -> str:
    """Return a digest (32 hex digits) of what a person approves: question, rules with their source, close, payoff.

    It changes whenever the venue changes one of them, and while the venue has not stated one of them.
    """
    stated = (market.question, market.rules_hash, market.close_time, market.market_type, market.outcomes)
    return sha256(msgspec.json.encode(stated)).hexdigest()[:32]
