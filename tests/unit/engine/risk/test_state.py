"""The sums behind the limits count what is in flight at its worst."""

from predsurv.core.fees import taker_fee
from predsurv.core.ids import StrategyName
from predsurv.core.num import MICROS
from predsurv.engine.risk.state import MINUTE, ROUNDING_RESERVE
from tests.kit.trading_samples import FEE, ME, NO, START, YES, V, World, cents, fill, intent, place, shares

CASH = 10_000 * MICROS


def test_cash_in_flight_is_claimed_with_its_fee() -> None:
    world = World()
    world.ledger.place(place(price=50, size=10), START)
    world.desk.planned.append(intent(price=40, size=10))
    claimed = sum(price * 10 + taker_fee(FEE, price, shares(10)) + ROUNDING_RESERVE for price in (cents(50), cents(40)))
    assert world.desk.cash(V) == CASH - claimed


def test_only_the_rest_of_an_order_is_in_flight() -> None:
    world = World()
    world.ledger.place(place(price=50, size=10), START)
    world.ledger.apply(fill(size=4, price=50))
    assert world.desk.exposure() == 5 * MICROS
    assert world.desk.exposure(YES) == 5 * MICROS
    assert world.desk.exposure(NO) == 0
    assert world.desk.open_count() == 1


def test_shares_being_sold_are_not_free() -> None:
    world = World().hold(10)
    world.ledger.place(place("s", side="sell", size=4), START)
    world.desk.planned.append(intent("sell", size=5))
    assert world.desk.free(ME, YES) == shares(1)
    assert world.desk.free(ME, NO) == 0
    assert world.desk.free(StrategyName("other"), YES) == 0


def test_orders_of_the_last_minute() -> None:
    world = World()
    world.desk.sent.extend([START - MINUTE, START - MINUTE + 1, START])
    assert world.desk.sent_last_minute() == 2


def test_a_market_that_is_not_known_costs_no_fee() -> None:
    world = World(())
    assert world.desk.market(YES) is None
    assert world.desk.worst_cost(intent(price=50, size=10)) == 5 * MICROS + ROUNDING_RESERVE
