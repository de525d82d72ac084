"""Which book an instrument really trades in.

Kept apart because some venues keep one book per market: matching and strategies must both derive
the second outcome from the first, or paper fills shares that do not exist.
"""

from collections.abc import Set as AbstractSet

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.state.market_cache import MarketCache


class PrimaryBooks:
    """Finds the book that an instrument really trades in; ``venues`` keep one book per market."""

    def __init__(self, cache: MarketCache, venues: AbstractSet[VenueName]) -> None:
        self._cache = cache
        self._venues = frozenset(venues)
        self._primary: dict[InstrumentKey, InstrumentKey] = {}

    def primary(self, key: InstrumentKey) -> InstrumentKey:
        """Return the instrument whose book ``key`` trades in: itself, or the first outcome."""
        if key.venue not in self._venues:
            return key
        known = self._primary.get(key)
        if known is None:
            market = self._cache.market(key.venue, key.market_id)
            if market is None:
                return key
            known = self._primary[key] = market.primary_of(key, mirrored=True)
        return known
