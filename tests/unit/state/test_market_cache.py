"""The cache folds events into state and serves trusted books only as trusted."""

from msgspec.structs import replace

from predsurv.core.events import (
    BookSnapshot,
    Gap,
    MarketChange,
    MarketResolved,
    Quote,
    Trade,
    TradingPhase,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId
from predsurv.core.ids import VenueName as V
from predsurv.core.market import FeeSchedule, Market, Outcome, PriceBand, on_grid
from predsurv.core.num import Price, Size
from predsurv.state.market_cache import MarketCache

VENUE = V("mock")


def market(market_id: str = "m", event_id: str = "e") -> Market:
    return Market(
        venue=VENUE,
        market_id=MarketId(market_id),
        event_id=EventId(event_id),
        question="?",
        outcomes=(
            Outcome(InstrumentId(market_id + "-y"), "Yes"),
            Outcome(InstrumentId(market_id + "-n"), "No"),
        ),
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(1),
        fetched_at=0,
        tradable=True,
    )


YES = market().key(0)
SNAPSHOT = BookSnapshot(YES, 1, None, 1, None, ((Price(50), Size(1)),), ((Price(60), Size(1)),))


def test_each_event_changes_its_own_fields_only() -> None:
    cache = MarketCache()
    cache.add(market())
    cache.apply(Quote(YES, 1, None, Price(40), Price(60)))
    cache.apply(Trade(YES, 2, None, Price(55), Size(7), "buy", None))
    cache.apply(Quote(YES, 3, None, None, Price(60)))
    state = cache.state(YES)
    assert state is not None
    assert (state.bid, state.ask, state.last_price, state.tick_size) == (None, 60, 55, 10_000)


def test_a_trade_is_the_last_one_of_both_outcomes_on_mirrored_venues() -> None:
    no = market().key(1)
    for mirrored, last in (({VENUE}, 400_000), (frozenset[V](), None)):
        cache = MarketCache(mirrored)
        cache.add(market())
        cache.apply(Trade(no, 2, None, Price(600_000), Size(7), "buy", None))
        yes_state, no_state = cache.state(YES), cache.state(no)
        assert yes_state is not None
        assert no_state is not None
        assert (no_state.last_price, no_state.last_size) == (600_000, 7)
        assert yes_state.last_price == last


THREE = replace(market("t"), outcomes=tuple(Outcome(InstrumentId(name), name) for name in "abc"))


def test_the_second_outcome_trades_in_the_first_ones_book_on_mirrored_venues() -> None:
    cache, no = MarketCache({VENUE}), market().key(1)
    cache.add(market())
    assert cache.primary_of(no) == cache.primary_of(YES) == YES
    unmirrored = MarketCache({V("else")})
    unmirrored.add(market())
    assert unmirrored.primary_of(no) == no


def test_markets_of_many_outcomes_keep_their_books() -> None:
    cache = MarketCache({VENUE})
    cache.add(THREE)
    assert cache.primary_of(THREE.key(1)) == THREE.key(1)


def test_an_instrument_is_its_own_primary_until_its_market_is_known() -> None:
    cache, no = MarketCache({VENUE}), market().key(1)
    assert cache.primary_of(no) == no
    cache.apply(MarketChange(VENUE, MarketId("m"), None, 1, None, "created", "{}", market()))
    assert cache.primary_of(no) == YES


def test_the_same_instrument_id_on_two_venues_stays_apart() -> None:
    cache = MarketCache()
    other = InstrumentKey(V("kalshi"), YES.market_id, YES.instrument_id)
    cache.apply(SNAPSHOT)
    assert cache.book(YES) is not None
    assert cache.book(other) is None


def test_an_untrusted_or_crossed_book_is_not_served() -> None:
    cache = MarketCache()
    cache.apply(SNAPSHOT)
    assert cache.trusted_book(YES) is cache.book(YES)
    cache.apply(Gap(YES, 2, "stall", 1))
    assert cache.trusted_book(YES) is None
    level = ((Price(60), Size(1)),)
    cache.apply(BookSnapshot(YES, 3, None, 1, None, level, level))
    assert cache.trusted_book(YES) is None


def test_siblings_are_the_markets_of_an_event() -> None:
    cache = MarketCache()
    for name in ("a", "b"):
        cache.add(market(name))
    cache.add(market("c", event_id="other"))
    assert [m.market_id for m in cache.siblings(VENUE, EventId("e"))] == ["a", "b"]


def test_lifecycle_changes_the_market() -> None:
    cache = MarketCache()
    cache.add(market())
    change = MarketChange(VENUE, MarketId("m"), None, 1, None, "tick_size", "{}", None, Price(1_000))
    cache.apply(change)
    cache.apply(MarketChange(VENUE, MarketId("m"), None, 2, None, "paused", "{}"))
    known, state = cache.market(VENUE, MarketId("m")), cache.state(YES)
    assert known is not None
    assert state is not None
    assert (known.tick_size, known.status) == (1_000, "paused")
    assert (state.tick_size, state.status) == (1_000, "paused")


def test_a_new_grid_replaces_steps_and_bands() -> None:
    def changed(tick: int, *bands: PriceBand) -> MarketChange:
        return MarketChange(VENUE, MarketId("m"), None, 1, None, "tick_size", "{}", None, Price(tick), bands=bands)

    def valid(price: int) -> bool:
        known = cache.market(VENUE, MarketId("m"))
        assert known is not None
        return on_grid(known, Price(price))

    cents = PriceBand(Price(0), Price(1_000_000), Price(10_000))
    tapered = (
        PriceBand(Price(0), Price(100_000), Price(1_000)),
        PriceBand(Price(100_000), Price(1_000_000), Price(10_000)),
    )
    cache = MarketCache()
    cache.add(replace(market(), bands=(cents,)))
    cache.apply(changed(1_000, *tapered))
    assert [valid(price) for price in (51_000, 151_000, 150_000)] == [True, False, True]
    cache.apply(changed(10_000, cents))
    assert not valid(51_000)
    cache.apply(changed(1_000))
    assert valid(151_000), "without bands one step holds everywhere"


def test_a_changed_fee_replaces_the_listed_one_until_it_is_withdrawn() -> None:
    def changed(fee: FeeSchedule | None) -> MarketChange:
        return MarketChange(VENUE, MarketId("m"), None, 1, None, "fee", "{}", fee=fee)

    def known() -> Market:
        found = cache.market(VENUE, MarketId("m"))
        assert found is not None
        return found

    cache, listed = MarketCache(), FeeSchedule("kalshi", 70_000, since=1)
    cache.add(replace(market(), fee=listed))
    for rate in (35_000, 140_000):
        cache.apply(changed(FeeSchedule("kalshi", rate, maker_rate=rate)))
        assert (known().fee.rate, known().fee.maker_rate) == (rate, rate)
    cache.apply(MarketChange(VENUE, MarketId("m"), None, 2, None, "paused", "{}"))
    assert (known().status, known().fee.rate) == ("paused", 140_000)
    cache.apply(changed(None))
    assert (known().status, known().fee) == ("paused", listed)
    cache.apply(changed(FeeSchedule("kalshi", 35_000)))
    cache.add(market())
    cache.apply(changed(None))
    assert known() == market(), "a newer listing is what is gone back to"


def test_a_new_market_enters_by_its_event() -> None:
    cache = MarketCache()
    new = market("fresh")
    cache.apply(MarketChange(VENUE, new.market_id, None, 1, None, "created", "{}", new))
    assert cache.market(VENUE, MarketId("fresh")) == new


def test_resolution_ends_trading_and_sets_payouts() -> None:
    cache = MarketCache()
    cache.add(market())
    payouts = ((YES.instrument_id, Price(1_000_000)), (market().key(1).instrument_id, Price(0)))
    cache.apply(MarketResolved(VENUE, MarketId("m"), 5, None, payouts))
    known, no = cache.market(VENUE, MarketId("m")), cache.state(market().key(1))
    assert known is not None
    assert no is not None
    assert (known.status, known.tradable, no.payout) == ("resolved", False, 0)


def test_a_book_no_longer_fed_is_forgotten() -> None:
    cache = MarketCache()
    cache.apply(SNAPSHOT)
    cache.apply(Unwanted(YES, 2, "rotated_out"))
    assert cache.book(YES) is None


def test_a_trade_on_one_outcome_of_a_mirrored_market_is_one_of_the_other_at_the_complement() -> None:
    cache, no = MarketCache({VENUE}), market().key(1)
    cache.add(market())
    cache.add(THREE)
    for told, other in ((YES, no), (no, YES)):
        cache.apply(Trade(told, 2, None, Price(550_000), Size(7), "buy", None))
        states = [cache.state(key) for key in (told, other)]
        assert [state and (state.last_price, state.last_size, state.last_trade_ts) for state in states] == [
            (550_000, 7, 2),
            (450_000, 7, 2),
        ]
        assert cache.mirror_of(told) == other
    assert cache.mirror_of(THREE.key(0)) is None
    unmirrored = MarketCache()
    unmirrored.add(market())
    unmirrored.apply(Trade(no, 2, None, Price(550_000), Size(7), "buy", None))
    state = unmirrored.state(YES)
    assert state is not None
    assert state.last_price is None


def test_a_market_trades_while_it_and_its_venue_are_open() -> None:
    cache = MarketCache()
    cache.add(market())
    assert cache.is_trading(YES, 1)
    assert not cache.is_trading(market("x").key(0), 1)
    phases: tuple[TradingPhase, ...] = ("post_only", "cancel_only", "closed", "open")
    for phase in phases:
        cache.apply(VenuePhase(VENUE, 1, None, phase, "{}"))
        assert cache.is_trading(YES, 1) is (phase == "open")
    cache.apply(MarketChange(VENUE, YES.market_id, None, 2, None, "paused", "{}"))
    assert not cache.is_trading(YES, 2)
