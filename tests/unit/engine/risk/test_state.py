"""The sums behind the limits count live and staged orders at their worst."""

from predsurv.core.events import MarketChange
from predsurv.core.fees import taker_fee
from predsurv.core.ids import StrategyName
from predsurv.core.market import NO_FEE
from predsurv.core.num import MICROS, Money
from predsurv.engine.risk.reserves import ROUNDING_RESERVE
from predsurv.engine.risk.state import MINUTE
from tests.kit.trading_samples import FEE, ME, NO, START, YES, V, World, book, cents, fill, intent, place, shares

CASH = 10_000 * MICROS


def test_cash_is_reserved_for_live_and_staged_buys_with_their_fees() -> None:
    world = World()
    world.account.place(place(price=50, size=10), START)
    world.risk.staged.append(intent(price=40, size=10))
    reserved = sum(
        price * 10 + taker_fee(FEE, price, shares(10)) + ROUNDING_RESERVE for price in (cents(50), cents(40))
    )
    assert world.risk.free_cash(V) == CASH - reserved


def test_the_reserve_of_a_live_buy_follows_its_fills_and_the_fee_of_its_market() -> None:
    world = World()
    world.account.place(place(price=50, size=10), START)
    world.risk.free_cash(V)
    world.account.apply(fill(size=4, price=50))
    cash = CASH - 2 * MICROS
    assert world.risk.free_cash(V) == cash - 3 * MICROS - taker_fee(FEE, cents(50), shares(6)) - ROUNDING_RESERVE
    world.show(MarketChange(V, YES.market_id, None, START, None, "fee", "", fee=NO_FEE))
    assert world.risk.free_cash(V) == cash - 3 * MICROS - ROUNDING_RESERVE
    for number in range(5):  # more than are remembered
        world.account.place(place(f"n{number}", price=50, size=10), START)
        world.risk.free_cash(V)
    assert world.risk.free_cash(V) == cash - 28 * MICROS - 6 * ROUNDING_RESERVE


def test_only_the_rest_of_a_live_order_is_exposure() -> None:
    world = World()
    world.account.place(place(price=50, size=10), START)
    world.account.apply(fill(size=4, price=50))
    assert world.risk.exposure() == 5 * MICROS
    assert world.risk.exposure(YES) == 5 * MICROS
    assert world.risk.exposure(NO) == 0
    assert world.risk.open_order_count() == 1


def test_shares_being_sold_are_not_sellable() -> None:
    world = World().hold(10)
    world.account.place(place("s", side="sell", size=4), START)
    world.risk.staged.append(intent("sell", size=5))
    assert world.risk.sellable(ME, YES) == shares(1)
    assert world.risk.sellable(ME, NO) == 0
    assert world.risk.sellable(StrategyName("other"), YES) == 0


def test_orders_are_counted_over_the_last_minute() -> None:
    world = World()
    world.risk.sent.extend([START - MINUTE, START - MINUTE + 1, START])
    assert world.risk.sent_last_minute() == 2


def test_the_maximum_cost_in_an_unknown_market_has_no_fee() -> None:
    world = World(())
    assert world.risk.market(YES) is None
    assert world.risk.max_cost(intent(price=50, size=10)) == 5 * MICROS + ROUNDING_RESERVE


def test_what_a_buy_may_still_be_worth_is_what_the_limits_leave() -> None:
    world = World().show(book()).hold(10, price=50)
    assert world.risk.room.left(YES) > 1 << 61
    world.risk.room.limit(order=Money(9 * MICROS), position=Money(12 * MICROS), total=Money(100 * MICROS))
    assert (world.risk.room.left(YES), world.risk.room.left(NO)) == (7 * MICROS, 9 * MICROS)
    assert world.risk.room.left() == 95 * MICROS
    world.risk.room.limit(order=Money(9 * MICROS), position=Money(12 * MICROS), total=Money(4 * MICROS))
    assert (world.risk.room.left(NO), world.risk.room.left()) == (0, 0)
