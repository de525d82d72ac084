"""Universe files as listings to compare: what of a market can still be traded, and the parts of its texts."""

from collections.abc import Iterable, Iterator
from typing import Final

from predsurv.core.market import Market
from predsurv.mapping.terms import Listing

_SUBTITLE: Final = " – "
_LIVE: Final = frozenset({"created", "active", "paused"})


def listing_of(market: Market, paid: int | None = None) -> Listing:
    """Return a market as a listing, whose first outcome ``paid`` so much a share (micros), None: nothing is known.

    The scan joins Kalshi's title and subtitle by a dash, where it is cut again.
    """
    title, dash, subtitle = market.question.rpartition(_SUBTITLE) if market.venue == "kalshi" else ("", "", "")
    return Listing(
        venue=market.venue,
        market_id=market.market_id,
        title=title if dash else market.question,
        subtitle=subtitle if dash else "",
        rules=market.description or "",
        close=market.close_time,
        event_id=market.event_id,
        reference=_reference(market),
        kind=market.market_type,
        outcomes=tuple(each.label for each in market.outcomes),
        paid=paid,
        series=market.series_id or "",
    )


def _reference(market: Market) -> str:
    """Return the ticker, or the slug at the end of the address."""
    return (market.url or "").rpartition("/")[2] if market.venue != "kalshi" else market.market_id


def live(markets: Iterable[Market]) -> Iterator[Market]:
    """Yield the markets that have not ended and whose two outcomes can be told."""
    return (each for each in markets if each.status in _LIVE and len(each.outcomes) == 2)
