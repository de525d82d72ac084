"""What is let in on arrival, and what has to wait; the refusals as orders meet them are in test_matching."""

import pytest

from predsurv.core.num import MICROS, Money
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.admission import AdmissionRules
from predsurv.engine.fills.taker import Taker, arriving
from tests.kit.trading_samples import NO, START, YES, World, book, market, place

HOLD = 3_000_000_000


class Rules:
    """The rules of one market with a bid of 49 and an ask of 51."""

    def __init__(self) -> None:
        self.world = World((market(taker_delay=HOLD, min_taker_buy=Money(MICROS)),))
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
        (place(price=51), HOLD),
        (place(price=50), 0),
        (place(side="sell", price=49), HOLD),
        (place(side="sell", price=50), 0),
        (place(key=NO, price=51), HOLD),
        (place(key=NO, price=50), 0),
        (place(price=52, tif="ioc"), HOLD),
        (place(price=50, tif="fok"), 0),
    ],
)
def test_only_what_would_trade_on_arrival_is_held(command: PlaceOrder, delay: int) -> None:
    assert Rules().delay(command) == delay


def test_where_nothing_is_known_nothing_is_held() -> None:
    rules = Rules()
    assert rules.admission.delay(rules.taker(place(price=51)), None) == 0
    stranger = place(key=market("x").key(0), price=51)
    assert rules.admission.delay(rules.taker(stranger), rules.world.cache.trusted_book(YES)) == 0


def test_the_market_is_asked_before_the_account() -> None:
    rules = Rules()
    assert rules.admission.rejection(place(price=51)) is None
    assert rules.admission.rejection(place(price=51, size=10_000)) == "insufficient_cash"
    assert rules.admission.rejection(place(price=51, size=1)) == "below_minimum"
    assert rules.admission.rejection(place(key=market("x").key(0), price=51, size=10_000)) == "market_closed"


def test_what_it_would_meet_decides_the_rest() -> None:
    rules = Rules()
    known = rules.world.cache.trusted_book(YES)
    small = rules.taker(place(price=51, size=1.9))
    assert rules.admission.rejection_by_book(small, known) == "below_taker_minimum"
    assert rules.admission.rejection_by_book(small, None) is None
    assert rules.admission.rejection_by_book(rules.taker(place(price=51, post_only=True)), known) == "would_cross"
    assert rules.admission.rejection_by_book(rules.taker(place(price=50, post_only=True)), known) is None
