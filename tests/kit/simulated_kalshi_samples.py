"""Markets of the mock venue as the Kalshi simulator takes them."""

from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size

VENUE = VenueName("mock")

NOW = 1_790_000_000_000_000_000

KEY = InstrumentKey(VENUE, MarketId("crypto-1"), InstrumentId("crypto-1-yes"))

TICKER = "KXCRYPTO-1"


def market(name: str = "crypto-1", labels: tuple[str, ...] = ("yes", "no")) -> Market:
    return Market(
        venue=VENUE,
        market_id=MarketId(name),
        event_id=EventId(name),
        question="Will it?",
        outcomes=tuple(Outcome(InstrumentId(f"{name}-{label}"), label) for label in labels),
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(1_000_000),
        fetched_at=NOW,
        close_time=NOW + 3_600_000_000_000,
    )
