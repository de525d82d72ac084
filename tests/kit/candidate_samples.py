"""Markets and their changes, for tests of what is recorded."""

from predsurv.core.events import MarketChange, MarketChangeKind
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size

VENUE = VenueName("mock")


def market(name: str, outcomes: int = 2, *, tradable: bool = True) -> Market:
    return Market(
        venue=VENUE,
        market_id=MarketId(name),
        event_id=EventId("e"),
        question="?",
        outcomes=tuple(Outcome(InstrumentId(f"{name}-{n}"), str(n)) for n in range(outcomes)),
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(5_000_000),
        fetched_at=1,
        tradable=tradable,
    )


def change(kind: MarketChangeKind, name: str, new: Market | None = None) -> MarketChange:
    return MarketChange(VENUE, MarketId(name), None, 1, None, kind, "{}", new)
