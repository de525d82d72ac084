"""The gateway: which orders are accepted, which rejected and why; a mirrored order trades in the same book."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.events import AccountEvent, CancelRejected, Fill, OrderAccepted, OrderCancelled, OrderRejected
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelOrder, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.directory import MarketDirectory
from predsurv.exchange.orders import OrderGateway
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import build_groups, market_records

MARKET = replace(
    market_records(build_groups(7, 1)[0], 0)[0],
    tick_size=Price(10_000),
    min_order_size=Size(5 * MICROS),
    status="active",
)


class OneMarket:
    """One market with 100 shares bid at 0.40 and 100 offered at 0.42."""

    def __init__(self) -> None:
        self.tape = Tape(0)
        self.book = MatchingBook(0, 10_000, self.tape)
        self.directory = MarketDirectory()
        self.directory.add(MARKET, (self.book,))
        self.book.place("bid", Price(400_000), 100 * MICROS)
        self.book.place("ask", Price(420_000), 100 * MICROS)
        self.account = ExchangeAccount(1_000 * MICROS, self.tape)
        self.queue = self.account.publisher.subscribe()
        self.gateway = OrderGateway(self.tape, self.directory.listing)

    def place(self, name: str = "a", index: int = 0, **changes: Any) -> list[AccountEvent]:
        """Send a buy of 10 at 0.42 with ``changes``; return the account events."""
        order = PlaceOrder(
            client_order_id=ClientOrderId(name),
            strategy=StrategyName("s"),
            key=MARKET.key(index),
            side="buy",
            price=Price(420_000),
            size=Size(10 * MICROS),
            tif="gtc",
        )
        self.gateway.execute(self.account, replace(order, **changes))
        return self.events()

    def events(self) -> list[AccountEvent]:
        events = list(self.queue.events)
        self.queue.events.clear()
        return events


@pytest.fixture
def exchange() -> OneMarket:
    return OneMarket()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": Price(425_000)}, "grid"),
        ({"price": Price(0)}, "grid"),
        ({"price": Price(MICROS)}, "grid"),
        ({"size": Size(4 * MICROS)}, "minimum"),
        ({"size": Size(10_000 * MICROS)}, "not enough cash"),
        ({"side": "sell"}, "not enough shares"),
        ({"post_only": True}, "post-only"),
        ({"key": InstrumentKey(VenueName("mock"), MarketId("?"), MARKET.outcomes[0].instrument_id)}, "no such"),
    ],
)
def test_a_rejection_names_the_rule(exchange: OneMarket, changes: dict[str, Any], reason: str) -> None:
    (answer,) = exchange.place(**changes)
    assert isinstance(answer, OrderRejected)
    assert reason in answer.reason
    assert exchange.account.cash == 1_000 * MICROS


def test_closed_market_takes_no_order(exchange: OneMarket) -> None:
    exchange.directory.update(MARKET.market_id, status="closed")
    (answer,) = exchange.place()
    assert isinstance(answer, OrderRejected)


def test_an_order_fills_then_rests_and_can_be_cancelled(exchange: OneMarket) -> None:
    answers = exchange.place(size=Size(150 * MICROS))
    assert [type(answer) for answer in answers] == [OrderAccepted, Fill]
    assert exchange.book.best("bid") == 420_000
    exchange.gateway.execute(exchange.account, CancelOrder(ClientOrderId("a"), MARKET.key(0)))
    (answer,) = exchange.events()
    assert isinstance(answer, OrderCancelled)
    assert exchange.book.best("bid") == 400_000
    assert exchange.account.free_cash() == exchange.account.cash


def test_immediate_orders_leave_nothing_in_the_book(exchange: OneMarket) -> None:
    assert [type(a) for a in exchange.place("i", size=Size(150 * MICROS), tif="ioc")] == [
        OrderAccepted,
        Fill,
        OrderCancelled,
    ]
    assert [type(a) for a in exchange.place("f", tif="fok")] == [OrderAccepted, OrderCancelled]
    assert exchange.book.best("ask") is None


def test_an_order_for_no_trades_the_mirrored_yes_book(exchange: OneMarket) -> None:
    answers = exchange.place(index=1, price=Price(600_000))
    (fill,) = [answer for answer in answers if isinstance(answer, Fill)]
    assert (fill.price, fill.side, fill.key) == (600_000, "buy", MARKET.key(1))
    assert exchange.book.levels("bid") == ((400_000, 90 * MICROS),)


def test_repeated_id_is_the_same_order(exchange: OneMarket) -> None:
    exchange.place("same")
    cash = exchange.account.cash
    (answer,) = exchange.place("same", size=Size(20 * MICROS))
    assert isinstance(answer, OrderAccepted)
    assert exchange.account.cash == cash


def test_orders_of_one_account_do_not_trade_with_each_other(exchange: OneMarket) -> None:
    exchange.place("in")
    exchange.place("offer", side="sell", price=Price(410_000))
    answers = exchange.place("bid", price=Price(410_000))
    cancelled = [answer.client_order_id for answer in answers if isinstance(answer, OrderCancelled)]
    assert cancelled == ["offer"]
    assert not any(isinstance(answer, Fill) for answer in answers)


def test_all_cash_can_be_spent_and_no_more(exchange: OneMarket) -> None:
    poor = ExchangeAccount(42 * MICROS, exchange.tape)
    queue = poor.publisher.subscribe()
    order = PlaceOrder(
        client_order_id=ClientOrderId("p"),
        strategy=StrategyName("s"),
        key=MARKET.key(0),
        side="buy",
        price=Price(420_000),
        size=Size(100 * MICROS),
        tif="ioc",
    )
    exchange.gateway.execute(poor, order)
    assert isinstance(queue.events[-1], OrderRejected)
    exchange.gateway.execute(poor, replace(order, client_order_id=ClientOrderId("q"), size=Size(90 * MICROS)))
    assert 0 <= poor.cash < 5 * MICROS


def test_an_order_good_till_a_time_rests_until_it_expires(exchange: OneMarket) -> None:
    assert [type(each) for each in exchange.place("late", tif="gtd", expires=0)] == [OrderRejected]
    request = PlaceOrder(
        ClientOrderId("a"), StrategyName("s"), MARKET.key(0), "buy", Price(410_000), Size(10 * MICROS), "gtd", expires=9
    )
    exchange.gateway.execute(exchange.account, request)
    exchange.events()
    exchange.gateway.expire(exchange.account, request)
    (expired,) = exchange.events()
    assert isinstance(expired, OrderCancelled)
    assert expired.reason == "expired"
    exchange.gateway.expire(exchange.account, request)
    exchange.gateway.expire(exchange.account, replace(request, client_order_id=ClientOrderId("who")))
    assert exchange.events() == []
    assert exchange.book.best("bid") == 400_000


def test_the_rejection_of_a_cancel_is_none_of_an_order(exchange: OneMarket) -> None:
    exchange.place("refused", size=Size(1))
    for name in ("never was", "refused"):
        exchange.gateway.execute(exchange.account, CancelOrder(ClientOrderId(name), MARKET.key(0)))
        assert exchange.events() == [CancelRejected(MARKET.key(0), 0, ClientOrderId(name), "no such order")]
