"""Whether an order for a market can trade now, as far as the market, its timetable and its venue say."""

from typing import Final

from predsurv.core.market import BINARY, Market
from predsurv.state.view import View

_ENDED: Final = frozenset({"closed", "resolved", "void"})


def is_tradable(market: Market, view: View) -> bool:
    """Return whether the market trades now; risk refuses orders for others."""
    return market.market_type == BINARY and market.open_at(view.now) and view.phase(market.venue) == "open"


def has_ended(market: Market, view: View) -> bool:
    """Return whether the market will not trade again, by its status or its timetable."""
    ends = market.trading_ends
    return market.status in _ENDED or (ends is not None and ends <= view.now)
