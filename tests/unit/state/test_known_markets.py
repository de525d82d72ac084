"""What is known now follows the statements as they come, and what was announced ahead holds from its time."""

from msgspec.structs import replace

from predsurv.core.events import MarketChange
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.state.known_markets import KnownMarkets
from predsurv.state.market_cache import MarketCache
from predsurv.state.market_facts import KnownMarket

VENUE, ID = VenueName("polymarket"), MarketId("m")
EARLY, LATE = FeeSchedule("polymarket", 30_000), FeeSchedule("polymarket", 50_000)
MARKET = Market(
    venue=VENUE,
    market_id=ID,
    event_id=EventId("e"),
    question="?",
    outcomes=(Outcome(InstrumentId("y"), "Yes"), Outcome(InstrumentId("n"), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(1),
    fetched_at=0,
    fee=EARLY,
)
ANNOUNCED = MarketChange(VENUE, ID, None, 12, None, "fee", "", fee=LATE, effective=40)


def test_an_announced_change_waits_for_its_time() -> None:
    markets = KnownMarkets()
    markets.add(KnownMarket(MARKET, MARKET))
    assert markets.fold(ANNOUNCED) == MARKET
    assert (markets.next_due, markets.due(39)) == (40, None)
    change = markets.due(40)
    assert change is not None
    folded = markets.fold(change)
    assert folded is not None
    assert (folded.fee, markets.due(10**18)) == (LATE, None)


def test_announcements_take_effect_in_the_order_of_their_times() -> None:
    markets = KnownMarkets()
    for effective in (60, 40, 50):
        markets.fold(replace(ANNOUNCED, effective=effective, value=str(effective)))
    seen = []
    while (change := markets.due(100)) is not None:
        seen.append(change.value)
    assert seen == ["40", "50", "60"]


def test_the_cache_applies_what_was_announced_with_the_first_event_of_its_time() -> None:
    cache = MarketCache()
    cache.add(MARKET)
    cache.apply(ANNOUNCED)
    seen = []
    for ts in (20, 39, 40):
        cache.apply(MarketChange(VENUE, MarketId("other"), None, ts, None, "rules", ""))
        found = cache.market(VENUE, ID)
        assert found is not None
        seen.append(found.fee)
    assert seen == [EARLY, EARLY, LATE]


def test_a_statement_about_an_unknown_market_is_not_kept() -> None:
    assert KnownMarkets().fold(replace(ANNOUNCED, effective=None)) is None
