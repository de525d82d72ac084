"""Which of a venue's markets belong in the universe."""

from typing import Final

from predsurv.core.market import Market
from predsurv.ports import MarketQuery

OVER: Final = frozenset({"closed", "resolved", "void"})


def eligible(market: Market, query: MarketQuery) -> bool:
    """Return whether ``market`` satisfies ``query``; an amount that the venue does not state counts as 0."""
    if market.status in OVER and not query.include_closed:
        return False
    if query.tradable_only and not market.tradable:
        return False
    return (market.volume or 0) >= query.min_volume and (market.liquidity or 0) >= query.min_liquidity
