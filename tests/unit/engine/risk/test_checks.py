"""Each limit refuses the intents that exceed it, and no others."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.events import TradingPhase, VenuePhase
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import Intent
from predsurv.engine.risk.checks import CHECKS, RiskLimits, first_refusal, proposal_of
from tests.kit.trading_samples import LIMITS, NO, START, YES, S, V, World, book, cents, gap, intent, market, place

KALSHI = VenueName("kalshi")


def reason(world: World, candidate: Intent, **limits: Any) -> str | None:
    refusal = first_refusal(candidate, world.risk, replace(LIMITS, **limits))
    assert refusal is None or refusal.detail
    return None if refusal is None else refusal.reason


def open_world() -> World:
    return World().show(book())


def test_an_intent_within_every_limit_passes() -> None:
    assert reason(open_world(), intent()) is None
    assert reason(open_world(), intent(key=NO)) is None
    assert reason(open_world().hold(10), intent("sell", 49)) is None


@pytest.mark.parametrize(
    ("candidate", "limits", "expected"),
    [
        (intent(key=InstrumentKey(V, MarketId("x"), YES.instrument_id)), {}, "unknown_market"),
        (replace(intent(), price=Price(cents(51) + 1)), {}, "off_grid"),
        (intent(price=100), {}, "off_grid"),
        (intent(size=4), {}, "below_minimum"),
        (intent(price=61), {}, "price_collar"),
        (intent("sell", 38), {}, "price_collar"),
        (intent("sell", 49), {}, "not_held"),
        (intent(), {"max_order_notional": Money(5 * MICROS)}, "max_order_notional"),
        (intent(), {"max_position_notional": Money(5 * MICROS)}, "max_position_notional"),
        (intent(), {"max_total_exposure": Money(5 * MICROS)}, "max_total_exposure"),
        (intent(), {"max_open_orders": 0}, "max_open_orders"),
        (intent(), {"max_orders_per_minute": 0}, "max_orders_per_minute"),
    ],
)
def test_each_limit_refuses_what_exceeds_it(candidate: Intent, limits: dict[str, Any], expected: str) -> None:
    assert reason(open_world(), candidate, **limits) == expected


def test_the_collar_ignores_a_low_bid_and_a_high_offer() -> None:
    assert reason(open_world(), intent(price=10)) is None
    assert reason(open_world().hold(10), intent("sell", 90)) is None


def test_the_collar_of_a_one_sided_book_is_around_its_best_price() -> None:
    assert reason(World().show(book(bids=())), intent(price=61)) is None
    assert reason(World().show(book(bids=())), intent(price=62)) == "price_collar"
    assert reason(World().show(book(bids=(), asks=())), intent()) == "no_reference"


def test_intents_are_refused_when_closed_halted_untrusted_or_stale() -> None:
    assert reason(World((market(status="paused"),)).show(book()), intent()) == "market_closed"
    halted = open_world()
    halted.risk.requested = "halted"
    assert reason(halted, intent()) == "halted"
    reducing = open_world().hold(10)
    reducing.risk.requested = "reducing"
    assert reason(reducing, intent()) == "reducing"
    assert reason(reducing, intent("sell", 50)) is None
    ending = open_world()
    ending.risk.shutting_down = True
    assert reason(ending, intent()) == "halted"
    assert reason(open_world().show(gap()), intent()) == "untrusted"
    old = open_world()
    old.risk.now = START + 5 * S + 1
    assert reason(old, intent()) == "stale"
    old.risk.now -= 1
    assert reason(old, intent()) is None


def test_a_time_until_which_an_order_is_good_belongs_to_its_kind_and_is_ahead() -> None:
    assert reason(open_world(), intent(price=49, tif="gtd", expires=START + 1)) is None
    for wrong in (intent(tif="gtd"), intent(expires=START + 1), intent(tif="gtd", expires=START)):
        assert reason(open_world(), wrong) == "expired"


def test_a_buy_that_trades_on_arrival_must_be_worth_enough() -> None:
    world = World((market(min_taker_buy=Money(MICROS)),)).show(book(bids=((9, 100),), asks=((10, 100),)))
    assert reason(world, intent(price=10, size=9.99)) == "below_taker_minimum"
    assert reason(world, intent(price=10, size=9.99, tif="gtc")) == "below_taker_minimum"
    assert reason(world, intent(price=9, size=9.99)) == "below_taker_minimum"  # immediate, so it never rests
    assert reason(world, intent(price=10, size=10)) is None
    assert reason(world, intent(price=9, size=5, tif="gtc")) is None
    assert reason(world, intent(price=9, size=5, tif="gtc", post_only=True)) is None
    assert reason(world.hold(5), intent("sell", 9, 5)) is None
    assert reason(World().show(book(bids=((9, 100),), asks=((10, 100),))), intent(price=10, size=5)) is None


def test_live_orders_count_towards_the_limits() -> None:
    world = open_world()
    world.account.place(place(price=50, size=10), START)
    assert reason(world, intent(), max_total_exposure=Money(10 * MICROS)) == "max_total_exposure"
    assert reason(world, intent(), max_position_notional=Money(10 * MICROS)) == "max_position_notional"
    assert reason(world, intent(key=NO, price=49), max_position_notional=Money(10 * MICROS)) is None
    assert reason(world, intent(), max_open_orders=1) == "max_open_orders"


def test_cash_must_suffice_for_price_and_fee() -> None:
    world = World(cash=5_100_000).show(book())
    assert reason(world, intent()) == "cash"
    assert reason(World(cash=5_300_000).show(book()), intent()) is None


def test_the_daily_loss_limit_stops_buying_and_not_selling() -> None:
    world = open_world().hold(10)
    world.risk.valuation.roll_day(START)
    world.show(book(bids=((40, 100),), asks=((42, 100),)))
    assert reason(world, intent(price=42), max_daily_loss=Money(800_000)) == "max_daily_loss"
    assert reason(world, intent("sell", 40), max_daily_loss=Money(800_000)) is None
    assert reason(world, intent(price=42), max_daily_loss=Money(900_001)) is None
    world.risk.lost_too_much = True
    assert reason(world, intent(price=42), max_daily_loss=Money(900_001)) == "max_daily_loss"
    assert reason(world, intent("sell", 40), max_daily_loss=Money(900_001)) is None


def test_each_check_alone_refuses_an_untrusted_book() -> None:
    world = World()
    refusals = {check(proposal_of(intent(), world.risk), world.risk, LIMITS) for check in CHECKS}
    assert {refusal.reason for refusal in refusals if refusal is not None} == {"untrusted"}
    assert isinstance(LIMITS, RiskLimits)


def test_nothing_is_sent_once_trading_has_ended_by_the_timetable() -> None:
    timed = market(venue=KALSHI, close_time=START + S)
    world = World((timed,)).show(book(key=timed.key(0)))
    world.risk.last_recv[KALSHI] = START
    assert reason(world, intent(key=timed.key(0))) != "market_closed"
    world.risk.now = START + S
    assert reason(world, intent(key=timed.key(0))) == "market_closed"


def test_markets_that_are_not_binary_are_not_traded() -> None:
    assert reason(World((market(market_type="scalar"),)).show(book()), intent()) == "not_binary"


@pytest.mark.parametrize(
    ("phase", "candidate", "expected"),
    [
        ("cancel_only", intent(price=49, tif="gtc"), "venue_paused"),
        ("closed", intent(price=49, tif="gtc"), "venue_paused"),
        ("post_only", intent(), "venue_paused"),
        ("post_only", intent(tif="gtc"), "venue_paused"),
        ("post_only", intent("sell", 49, tif="gtc"), "venue_paused"),
        ("post_only", intent("sell", 50, tif="gtc"), None),
        ("post_only", intent(price=50, tif="gtc"), None),
        ("open", intent(), None),
    ],
)
def test_nothing_is_sent_into_a_pause_of_the_venue(
    phase: TradingPhase, candidate: Intent, expected: str | None
) -> None:
    world = open_world().hold(10).show(VenuePhase(V, START, None, phase, "{}"))
    assert reason(world, candidate) == expected


def test_in_a_phase_for_resting_orders_an_empty_side_takes_nothing() -> None:
    world = World().show(book(asks=()), VenuePhase(V, START, None, "post_only", "{}"))
    assert reason(world, intent(price=50, tif="gtc")) is None


def test_the_smallest_size_holds_for_what_may_rest_where_taking_is_measured_by_worth() -> None:
    world = World((market(min_taker_buy=Money(MICROS)),)).hold(10)
    world.show(book(bids=((58, 100),), asks=((60, 100),)))
    assert reason(world, intent(price=60, size=2)) is None
    assert reason(world, intent(price=60, size=2, tif="fok")) is None
    assert reason(world, intent(price=60, size=2, tif="gtc")) == "below_minimum"
    assert reason(world, intent(price=60, size=1.6)) == "below_taker_minimum"
    assert reason(world, intent("sell", 58, size=2)) is None
    assert reason(world, intent("sell", 58, size=1.7)) == "below_minimum"


def test_what_is_held_finds_a_way_out_where_bids_fell_away() -> None:
    world = World().show(book(bids=((30, 100),), asks=((70, 100),))).hold(10)
    assert reason(world, intent("sell", 30)) is None
    assert reason(world, intent("sell", 20)) is None, "the collar is below the best bid"
    assert reason(world, intent("sell", 19)) == "price_collar"
    assert reason(world, intent(price=61)) == "price_collar", "a buy's is above the middle"


def test_no_sale_is_refused_for_the_number_of_orders() -> None:
    for limits in ({"max_open_orders": 0}, {"max_orders_per_minute": 0}):
        assert reason(open_world().hold(10), intent("sell", 49), **limits) is None
    world = open_world().hold(10)
    world.account.place(place("s", "sell", 60), START)
    assert reason(world, intent(), max_open_orders=1) == "max_open_orders", "sales count"
