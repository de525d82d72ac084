"""What is let in on arrival, and what has to wait; the refusals as orders meet them are in test_matching."""

import pytest

from predsurv.core.num import MICROS, Money
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.admission import AdmissionRules
from predsurv.engine.fills.taker import Taker, arrive
from tests.kit.trading_samples import NO, START, YES, World, book, market, place

HOLD = 3_000_000_000


class Door:
    """The rules of one market with a bid of 49 and an ask of 51."""

    def __init__(self) -> None:
        self.world = World((market(taker_delay=HOLD, min_taker_buy=Money(MICROS)),))
        self.world.show(book(bids=((49, 100),), asks=((51, 100),)))
        self.rules = AdmissionRules(
            self.world.cache, lambda command: "insufficient_cash" if command.size > 10**9 else None
        )

    def taker(self, command: PlaceOrder) -> Taker:
        return arrive(command, START, self.world.mirror.primary(command.key))

    def delay(self, command: PlaceOrder) -> int:
        return self.rules.delay(self.taker(command), self.world.cache.trusted_book(YES))


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
    assert Door().delay(command) == delay


def test_where_nothing_is_known_nothing_is_held() -> None:
    door = Door()
    assert door.rules.delay(door.taker(place(price=51)), None) == 0
    stranger = place(key=market("x").key(0), price=51)
    assert door.rules.delay(door.taker(stranger), door.world.cache.trusted_book(YES)) == 0


def test_the_market_is_asked_before_the_account() -> None:
    door = Door()
    assert door.rules.refusal(place(price=51)) is None
    assert door.rules.refusal(place(price=51, size=10_000)) == "insufficient_cash"
    assert door.rules.refusal(place(price=51, size=1)) == "below_minimum"
    assert door.rules.refusal(place(key=market("x").key(0), price=51, size=10_000)) == "market_closed"


def test_what_it_would_meet_decides_the_rest() -> None:
    door = Door()
    known = door.world.cache.trusted_book(YES)
    small = door.taker(place(price=51, size=1.9))
    assert door.rules.refusal_at_once(small, known) == "below_taker_minimum"
    assert door.rules.refusal_at_once(small, None) is None
    assert door.rules.refusal_at_once(door.taker(place(price=51, post_only=True)), known) == "would_cross"
    assert door.rules.refusal_at_once(door.taker(place(price=50, post_only=True)), known) is None
