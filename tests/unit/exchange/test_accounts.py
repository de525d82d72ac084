"""An account conserves money and shares, keeps back what open orders may need, and settles."""

from predsurv.core.events import Fill, OrderCancelled
from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, OrderId, OrderSide, StrategyName
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.exchange.accounts import OUTBOX_EVENTS_MAX, ExchangeAccount, Outbox, WorkingOrder
from predsurv.exchange.book import BookMatch, MatchingBook
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import build, records

MARKET = records(build(7, 1)[0], 0)[0]
FEE = FeeSchedule(model="polymarket", rate=50_000)


def working(name: str, side: OrderSide, price: int, size: int) -> WorkingOrder:
    place = PlaceOrder(
        client_order_id=ClientOrderId(name),
        strategy=StrategyName("s"),
        key=MARKET.key(0),
        side=side,
        price=Price(price),
        size=Size(size),
        tif="gtc",
    )
    order = WorkingOrder(place, OrderId(name), 0)
    order.fee, order.state = FEE, "open"
    return order


def test_taking_costs_price_and_fee() -> None:
    account = ExchangeAccount(100 * MICROS, Tape(5))
    outbox, order = account.answers.listen(), working("a", "buy", 500_000, 10 * MICROS)
    account.remember(order)
    account.taken(order, [BookMatch(400_000, 4 * MICROS, 1), BookMatch(500_000, 6 * MICROS, 2)])
    fees = taker_fee(FEE, Price(400_000), Size(4 * MICROS)) + taker_fee(FEE, Price(500_000), Size(6 * MICROS))
    assert account.cash == 100 * MICROS - 4_600_000 - fees
    (position,) = account.snapshot(9).positions
    assert (position.size, position.cost) == (10 * MICROS, 4_600_000)
    fills = [event for event in outbox.events if isinstance(event, Fill)]
    assert [(fill.size, fill.maker) for fill in fills] == [(4 * MICROS, False), (6 * MICROS, False)]
    assert order.state == "filled"


def test_selling_brings_the_cost_down_in_proportion() -> None:
    account = ExchangeAccount(100 * MICROS, Tape(0))
    account.taken(working("a", "buy", 500_000, 10 * MICROS), [BookMatch(400_000, 10 * MICROS, 1)])
    account.taken(working("b", "sell", 500_000, 4 * MICROS), [BookMatch(500_000, 4 * MICROS, 2)])
    (position,) = account.snapshot(0).positions
    assert (position.size, position.cost) == (6 * MICROS, 2_400_000)


def test_resting_orders_speak_for_cash_and_shares() -> None:
    account, book = ExchangeAccount(100 * MICROS, Tape(0)), MatchingBook(0, 10_000, Tape(0))
    buy = working("a", "buy", 500_000, 20 * MICROS)
    account.remember(buy)
    account.rest(buy, book.place("bid", Price(500_000), 20 * MICROS))
    assert account.free_cash() <= 90 * MICROS
    book.take("ask", 500_000, 5 * MICROS)
    assert account.fees == 0, "makers pay nothing"
    assert account.cash == 97_500_000
    sell = working("b", "sell", 600_000, 3 * MICROS)
    account.rest(sell, book.place("ask", Price(600_000), 3 * MICROS))
    assert account.free_shares(MARKET.key(0)) == 2 * MICROS
    outbox = account.answers.listen()
    book.clear("market closed")
    assert account.free_cash() == account.cash
    assert [event.reason for event in outbox.events if isinstance(event, OrderCancelled)] == ["market closed"] * 2


def test_settlement_pays_and_empties() -> None:
    account = ExchangeAccount(100 * MICROS, Tape(0))
    account.taken(working("a", "buy", 500_000, 10 * MICROS), [BookMatch(400_000, 10 * MICROS, 1)])
    before = account.cash
    account.settle(((MARKET.outcomes[0].instrument_id, Price(500_000)),))
    assert account.cash == before + 5 * MICROS
    assert not account.snapshot(0).positions


def test_outbox_is_bounded() -> None:
    outbox, event = Outbox(), OrderCancelled(MARKET.key(0), 0, ClientOrderId("a"), "")
    for _ in range(OUTBOX_EVENTS_MAX + 1):
        outbox.put(event)
    assert outbox.lost
    assert len(outbox.events) == OUTBOX_EVENTS_MAX
