"""Small markets for tests of the scan."""

from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size

NOW = 1_800_000_000_000_000_000


def market(number: int = 1, category: str | None = "sports") -> Market:
    """Return an active two-outcome market with no volume told."""
    return Market(
        venue=VenueName("mock"),
        market_id=MarketId(f"m{number}"),
        event_id=EventId(f"e{number}"),
        question=f"Question {number}?",
        outcomes=(
            Outcome(InstrumentId(f"m{number}-yes"), "Yes"),
            Outcome(InstrumentId(f"m{number}-no"), "No"),
        ),
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(5_000_000),
        fetched_at=NOW,
        category=category,
        tradable=True,
    )
