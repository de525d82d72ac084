"""Which of a venue's markets belong into the universe.

Kept apart from the job because a venue may filter less than it was asked to, and the rule must be the same for all.
"""

from typing import Final

from predsurv.core.market import Market
from predsurv.ports import MarketQuery

OVER: Final = frozenset({"closed", "resolved", "void"})


def eligible(market: Market, query: MarketQuery) -> bool:
    """Return whether ``market`` is what ``query`` asks for; an amount the venue does not tell counts as none."""
    if market.status in OVER and not query.include_closed:
        return False
    if query.tradable_only and not market.tradable:
        return False
    return (market.volume or 0) >= query.min_volume and (market.liquidity or 0) >= query.min_liquidity
