"""An account conserves money and shares, reserves what open orders may need, and settles."""

from predsurv.core.events import Fill, OrderCancelled
from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, OrderId, OrderSide, StrategyName
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.exchange.accounts import QUEUED_EVENTS_MAX, AccountEventQueue, ExchangeAccount, WorkingOrder
from predsurv.exchange.book import BookMatch, MatchingBook
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import build_groups, market_records

MARKET = market_records(build_groups(7, 1)[0], 0)[0]
FEE = FeeSchedule(model="polymarket", rate=50_000)


def working(name: str, side: OrderSide, price: int, size: int, fee: FeeSchedule = FEE) -> WorkingOrder:
    request = PlaceOrder(
        client_order_id=ClientOrderId(name),
        strategy=StrategyName("s"),
        key=MARKET.key(0),
        side=side,
        price=Price(price),
        size=Size(size),
        tif="gtc",
    )
    order = WorkingOrder(request, OrderId(name), 0, fee)
    order.state = "open"
    return order


def test_a_taker_pays_price_and_fee() -> None:
    account = ExchangeAccount(100 * MICROS, Tape(5))
    queue, order = account.publisher.subscribe(), working("a", "buy", 500_000, 10 * MICROS)
    account.add_order(order)
    account.add_taker_fills(order, [BookMatch(400_000, 4 * MICROS, 1), BookMatch(500_000, 6 * MICROS, 2)])
    fees = taker_fee(FEE, Price(400_000), Size(4 * MICROS)) + taker_fee(FEE, Price(500_000), Size(6 * MICROS))
    assert account.cash == 100 * MICROS - 4_600_000 - fees
    (position,) = account.snapshot(9).positions
    assert (position.size, position.cost) == (10 * MICROS, 4_600_000)
    fills = [event for event in queue.events if isinstance(event, Fill)]
    assert [(fill.size, fill.maker) for fill in fills] == [(4 * MICROS, False), (6 * MICROS, False)]
    assert order.state == "filled"


def test_a_sale_reduces_the_cost_of_the_position_in_proportion() -> None:
    account = ExchangeAccount(100 * MICROS, Tape(0))
    account.add_taker_fills(working("a", "buy", 500_000, 10 * MICROS), [BookMatch(400_000, 10 * MICROS, 1)])
    account.add_taker_fills(working("b", "sell", 500_000, 4 * MICROS), [BookMatch(500_000, 4 * MICROS, 2)])
    (position,) = account.snapshot(0).positions
    assert (position.size, position.cost) == (6 * MICROS, 2_400_000)


def test_a_sale_is_charged_the_fee_of_a_sale() -> None:
    account, kalshi, size = ExchangeAccount(100 * MICROS, Tape(0)), FeeSchedule("kalshi", 70_000), 227_270_000
    account.add_taker_fills(working("a", "buy", 1_000, size, kalshi), [BookMatch(1_000, size, 1)])
    bought = account.fees
    account.add_taker_fills(working("b", "sell", 1_000, size, kalshi), [BookMatch(1_000, size, 2)])
    assert account.fees - bought == taker_fee(kalshi, Price(1_000), Size(size), "sell") != bought
    assert account.cash % 100 == 0


def test_resting_orders_reserve_cash_and_shares() -> None:
    account, book = ExchangeAccount(100 * MICROS, Tape(0)), MatchingBook(0, 10_000, Tape(0))
    buy = working("a", "buy", 500_000, 20 * MICROS)
    account.add_order(buy)
    account.add_resting(buy, book.place("bid", Price(500_000), 20 * MICROS, account))
    assert account.free_cash() <= 90 * MICROS
    book.take("ask", 500_000, 5 * MICROS)
    assert account.fees == 0, "makers pay nothing"
    assert account.cash == 97_500_000
    sell = working("b", "sell", 600_000, 3 * MICROS)
    account.add_resting(sell, book.place("ask", Price(600_000), 3 * MICROS, account))
    assert account.free_shares(MARKET.key(0)) == 2 * MICROS
    queue = account.publisher.subscribe()
    book.clear("market closed")
    assert account.free_cash() == account.cash
    assert [event.reason for event in queue.events if isinstance(event, OrderCancelled)] == ["market closed"] * 2


def test_settlement_pays_shares_out_and_removes_the_position() -> None:
    account = ExchangeAccount(100 * MICROS, Tape(0))
    account.add_taker_fills(working("a", "buy", 500_000, 10 * MICROS), [BookMatch(400_000, 10 * MICROS, 1)])
    before = account.cash
    account.settle(((MARKET.outcomes[0].instrument_id, Price(500_000)),))
    assert account.cash == before + 5 * MICROS
    assert not account.snapshot(0).positions


def test_an_account_event_queue_is_bounded() -> None:
    queue, event = AccountEventQueue(), OrderCancelled(MARKET.key(0), 0, ClientOrderId("a"), "")
    for _ in range(QUEUED_EVENTS_MAX + 1):
        queue.put(event)
    assert queue.overflowed
    assert len(queue.events) == QUEUED_EVENTS_MAX
