"""Streaming totals of a scan: markets, volumes, categories."""

from collections.abc import Mapping
from functools import reduce
from typing import Final

from msgspec import Struct

from predsurv.core.market import Market

OTHER: Final = "other"
UNNAMED: Final = "uncategorised"
CATEGORIES_MAX: Final = 200
"""Most categories counted separately; further ones count as ``other``."""
SOON: Final = 24 * 3_600 * 1_000_000_000


class ScanTotals(Struct, frozen=True):
    """Market count and summed amounts, micros; an amount that the venue does not state adds 0."""

    markets: int = 0
    tradable: int = 0
    instruments: int = 0
    closing_soon: int = 0
    volume: int = 0
    volume_24h: int = 0
    liquidity: int = 0


class _Sums:
    """Totals while they are counted: mutable, as a new struct for each market would cost more than the counting."""

    __slots__ = ("closing_soon", "instruments", "liquidity", "markets", "tradable", "volume", "volume_24h")

    def __init__(self) -> None:
        self.markets = self.tradable = self.instruments = self.closing_soon = 0
        self.volume = self.volume_24h = self.liquidity = 0

    def add(self, market: Market, *, soon: bool) -> None:
        self.markets += 1
        self.tradable += market.tradable
        self.instruments += len(market.outcomes)
        self.closing_soon += soon
        self.volume += market.volume or 0
        self.volume_24h += market.volume_24h or 0
        self.liquidity += market.liquidity or 0

    def totals(self) -> ScanTotals:
        return ScanTotals(*(getattr(self, each) for each in ScanTotals.__struct_fields__))

    def with_those_of(self, other: "_Sums") -> "_Sums":
        sums = _Sums()
        for each in _Sums.__slots__:
            setattr(sums, each, getattr(self, each) + getattr(other, each))
        return sums


class ScanCounter:
    """Totals over all markets and by category; ``closing_soon`` is within a day of ``now`` (ns UTC)."""

    def __init__(self, now: int) -> None:
        self._now = now
        self.markets = 0
        self._categories: dict[str, _Sums] = {}

    @property
    def total(self) -> ScanTotals:
        """The totals over all markets so far."""
        return reduce(_Sums.with_those_of, self._categories.values(), _Sums()).totals()

    def add(self, market: Market) -> None:
        """Count one market."""
        self.markets += 1
        name = market.category or UNNAMED
        sums = self._categories.get(name)
        if sums is None:
            if len(self._categories) >= CATEGORIES_MAX:
                name = OTHER
            sums = self._categories.setdefault(name, _Sums())
        close = market.close_time
        sums.add(market, soon=market.tradable and close is not None and self._now <= close < self._now + SOON)

    def by_category(self) -> Mapping[str, ScanTotals]:
        """Return the totals of each category, the one with most markets first."""
        by_markets = sorted(self._categories.items(), key=lambda item: (-item[1].markets, item[0]))
        return {name: sums.totals() for name, sums in by_markets}
