"""The rulebook: what is accepted, what is refused and why, and a mirrored order trades the same book."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.events import AccountEvent, Fill, OrderAccepted, OrderCancelled, OrderRejected
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelOrder, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.directory import MarketDirectory
from predsurv.exchange.orders import OrderEntry
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import build, records

MARKET = replace(
    records(build(7, 1)[0], 0)[0], tick_size=Price(10_000), min_order_size=Size(5 * MICROS), status="active"
)


class Floor:
    """One market with 100 shares bid at 0.40 and 100 offered at 0.42."""

    def __init__(self) -> None:
        self.tape = Tape(0)
        self.book = MatchingBook(0, 10_000, self.tape)
        self.directory = MarketDirectory()
        self.directory.enter(MARKET, (self.book,))
        self.book.place("bid", Price(400_000), 100 * MICROS)
        self.book.place("ask", Price(420_000), 100 * MICROS)
        self.account = ExchangeAccount(1_000 * MICROS, self.tape)
        self.outbox = self.account.answers.listen()
        self.desk = OrderEntry(self.tape, self.directory.place)

    def place(self, name: str = "a", index: int = 0, **changes: Any) -> list[AccountEvent]:
        """Send a buy of 10 at 0.42, changed as told; returns the answers."""
        order = PlaceOrder(
            client_order_id=ClientOrderId(name),
            strategy=StrategyName("s"),
            key=MARKET.key(index),
            side="buy",
            price=Price(420_000),
            size=Size(10 * MICROS),
            tif="gtc",
        )
        self.desk.execute(self.account, replace(order, **changes))
        return self.answers()

    def answers(self) -> list[AccountEvent]:
        events = list(self.outbox.events)
        self.outbox.events.clear()
        return events


@pytest.fixture
def floor() -> Floor:
    return Floor()


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
def test_refusals_name_the_rule(floor: Floor, changes: dict[str, Any], reason: str) -> None:
    (answer,) = floor.place(**changes)
    assert isinstance(answer, OrderRejected)
    assert reason in answer.reason
    assert floor.account.cash == 1_000 * MICROS


def test_closed_market_takes_no_order(floor: Floor) -> None:
    floor.directory.change(MARKET.market_id, status="closed")
    (answer,) = floor.place()
    assert isinstance(answer, OrderRejected)


def test_fill_rest_and_cancel(floor: Floor) -> None:
    answers = floor.place(size=Size(150 * MICROS))
    assert [type(answer) for answer in answers] == [OrderAccepted, Fill]
    assert floor.book.best("bid") == 420_000
    floor.desk.execute(floor.account, CancelOrder(ClientOrderId("a"), MARKET.key(0)))
    (answer,) = floor.answers()
    assert isinstance(answer, OrderCancelled)
    assert floor.book.best("bid") == 400_000
    assert floor.account.free_cash() == floor.account.cash


def test_immediate_orders_leave_nothing(floor: Floor) -> None:
    assert [type(a) for a in floor.place("i", size=Size(150 * MICROS), tif="ioc")] == [
        OrderAccepted,
        Fill,
        OrderCancelled,
    ]
    assert [type(a) for a in floor.place("f", tif="fok")] == [OrderAccepted, OrderCancelled]
    assert floor.book.best("ask") is None


def test_no_is_yes_mirrored(floor: Floor) -> None:
    answers = floor.place(index=1, price=Price(600_000))
    (fill,) = [answer for answer in answers if isinstance(answer, Fill)]
    assert (fill.price, fill.side, fill.key) == (600_000, "buy", MARKET.key(1))
    assert floor.book.levels("bid") == ((400_000, 90 * MICROS),)


def test_repeated_id_is_the_same_order(floor: Floor) -> None:
    floor.place("twin")
    cash = floor.account.cash
    (answer,) = floor.place("twin", size=Size(20 * MICROS))
    assert isinstance(answer, OrderAccepted)
    assert floor.account.cash == cash


def test_own_orders_do_not_meet(floor: Floor) -> None:
    floor.place("in")
    floor.place("offer", side="sell", price=Price(410_000))
    answers = floor.place("bid", price=Price(410_000))
    cancelled = [answer.client_order_id for answer in answers if isinstance(answer, OrderCancelled)]
    assert cancelled == ["offer"]
    assert not any(isinstance(answer, Fill) for answer in answers)


def test_all_cash_can_be_spent_and_no_more(floor: Floor) -> None:
    poor = ExchangeAccount(42 * MICROS, floor.tape)
    outbox = poor.answers.listen()
    order = PlaceOrder(
        client_order_id=ClientOrderId("p"),
        strategy=StrategyName("s"),
        key=MARKET.key(0),
        side="buy",
        price=Price(420_000),
        size=Size(100 * MICROS),
        tif="ioc",
    )
    floor.desk.execute(poor, order)
    assert isinstance(outbox.events[-1], OrderRejected)
    floor.desk.execute(poor, replace(order, client_order_id=ClientOrderId("q"), size=Size(90 * MICROS)))
    assert 0 <= poor.cash < 5 * MICROS
