"""Rejections and delays of arriving orders; their effect on the order is tested in test_simulator."""

import pytest

from predsurv.core.events import TradingPhase, VenuePhase
from predsurv.core.num import MICROS, Money, Size
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.admission import AdmissionRules
from predsurv.engine.fills.taker import Taker, arriving
from tests.kit.trading_samples import NO, START, YES, V, World, book, cancel, market, place

DELAY = 3_000_000_000


class Rules:
    """The admission rules of one market with a bid of 49 and an ask of 51."""

    def __init__(self) -> None:
        self.world = World((market(taker_delay=DELAY, min_taker_buy=Money(MICROS)),))
        self.world.show(book(bids=((49, 100),), asks=((51, 100),)))
        self.admission = AdmissionRules(
            self.world.cache, lambda command: "insufficient_cash" if command.size > 10**9 else None
        )

    def taker(self, command: PlaceOrder) -> Taker:
        return arriving(command, START, self.world.cache.primary_of(command.key))

    def delay(self, command: PlaceOrder) -> int:
        return self.admission.delay(self.taker(command), self.world.cache.trusted_book(YES))


@pytest.mark.parametrize(
    ("command", "delay"),
    [
        (place(price=51), DELAY),
        (place(price=50), 0),
        (place(side="sell", price=49), DELAY),
        (place(side="sell", price=50), 0),
        (place(key=NO, price=51), DELAY),
        (place(key=NO, price=50), 0),
        (place(price=52, tif="ioc"), DELAY),
        (place(price=50, tif="fok"), 0),
    ],
)
def test_only_an_order_that_would_trade_on_arrival_is_delayed(command: PlaceOrder, delay: int) -> None:
    assert Rules().delay(command) == delay


def test_without_a_book_or_a_market_no_order_is_delayed() -> None:
    rules = Rules()
    assert rules.admission.delay(rules.taker(place(price=51)), None) == 0
    unlisted = place(key=market("x").key(0), price=51)
    assert rules.admission.delay(rules.taker(unlisted), rules.world.cache.trusted_book(YES)) == 0


def test_the_markets_rules_are_checked_before_the_accounts_funds() -> None:
    rules = Rules()
    assert rules.admission.rejection(place(price=51), START) is None
    assert rules.admission.rejection(place(price=51, size=10_000), START) == "insufficient_cash"
    assert rules.admission.rejection(place(price=51, size=1), START) == "below_minimum"
    assert rules.admission.rejection(place(key=market("x").key(0), price=51, size=10_000), START) == "market_closed"


def test_minimum_value_and_post_only_depend_on_the_book() -> None:
    rules = Rules()
    known = rules.world.cache.trusted_book(YES)
    small = rules.taker(place(price=51, size=1.9))
    assert rules.admission.rejection_by_book(small, known) == "below_taker_minimum"
    assert rules.admission.rejection_by_book(small, None) is None
    assert rules.admission.rejection_by_book(rules.taker(place(price=51, post_only=True)), known) == "would_cross"
    assert rules.admission.rejection_by_book(rules.taker(place(price=50, post_only=True)), known) is None


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (place(price=60, size=2, tif="ioc"), None),  # worth $1.20
        (place(price=60, size=2, tif="fok"), None),
        (place(price=60, size=2), "below_minimum"),
        (place(price=60, size=2, post_only=True), "below_minimum"),
        (place(side="sell", price=49, size=2, tif="ioc"), "below_minimum"),  # neither five shares nor $1
        (place(side="sell", price=49, size=2.1, tif="ioc"), None),
        (place(side="sell", price=10, size=5, tif="ioc"), None),
    ],
)
def test_the_smallest_size_holds_for_what_may_rest_where_taking_is_measured_by_worth(
    command: PlaceOrder, reason: str | None
) -> None:
    assert Rules().admission.rejection(command, START) == reason


def test_the_smallest_size_holds_for_every_order_where_no_worth_is_asked() -> None:
    world = World((market(min_order_size=Size(10_000)),))
    admission = AdmissionRules(world.cache, lambda _: None)
    assert admission.rejection(place(size=0.01, tif="ioc"), START) is None
    assert admission.rejection(place(size=0.009, tif="ioc"), START) == "below_minimum"


def phase(value: TradingPhase) -> VenuePhase:
    return VenuePhase(V, START, None, value, "{}")


def test_a_venue_that_pauses_accepts_what_its_phase_allows() -> None:
    rules = Rules()
    known = rules.world.cache.trusted_book(YES)
    taking, resting = rules.taker(place(price=51)), rules.taker(place(price=50))
    rules.world.show(phase("cancel_only"))
    assert rules.admission.rejection(place(price=50), START) == "venue_paused"
    assert rules.admission.cancel_rejection(cancel()) is None
    rules.world.show(phase("closed"))
    assert rules.admission.rejection(place(price=50), START) == "venue_paused"
    assert rules.admission.cancel_rejection(cancel()) == "venue_paused"
    rules.world.show(phase("post_only"))
    assert rules.admission.rejection(place(price=51), START) is None
    assert rules.admission.rejection_by_book(taking, known) == "venue_post_only"
    assert rules.admission.rejection_by_book(rules.taker(place(side="sell", price=49)), known) == "venue_post_only"
    assert rules.admission.rejection_by_book(rules.taker(place(price=50, tif="ioc")), known) == "venue_post_only"
    assert rules.admission.rejection_by_book(resting, known) is None
    rules.world.show(phase("open"))
    assert rules.admission.rejection_by_book(taking, known) is None
