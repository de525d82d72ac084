"""Streaming totals of a scan: markets, volumes, categories."""

from collections.abc import Mapping
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

    def plus(self, market: Market, now: int) -> "ScanTotals":
        """Return these totals with ``market`` added; ``closing_soon`` is within a day of ``now`` (ns UTC)."""
        soon = market.tradable and market.close_time is not None and now <= market.close_time < now + SOON
        return ScanTotals(
            self.markets + 1,
            self.tradable + market.tradable,
            self.instruments + len(market.outcomes),
            self.closing_soon + soon,
            self.volume + (market.volume or 0),
            self.volume_24h + (market.volume_24h or 0),
            self.liquidity + (market.liquidity or 0),
        )


class ScanCounter:
    """Totals over all markets and by category."""

    def __init__(self, now: int) -> None:
        self._now = now
        self.total = ScanTotals()
        self._categories: dict[str, ScanTotals] = {}

    def add(self, market: Market) -> None:
        """Count one market."""
        self.total = self.total.plus(market, self._now)
        name = market.category or UNNAMED
        if name not in self._categories and len(self._categories) >= CATEGORIES_MAX:
            name = OTHER
        self._categories[name] = self._categories.get(name, ScanTotals()).plus(market, self._now)

    def by_category(self) -> Mapping[str, ScanTotals]:
        """Return the totals of each category, the one with most markets first."""
        return dict(sorted(self._categories.items(), key=lambda item: (-item[1].markets, item[0])))
