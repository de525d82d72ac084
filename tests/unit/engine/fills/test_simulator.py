"""The simulated fate of our orders: fills, cancels and rejections."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    Fill,
    MarketChange,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
)
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.paper_venue import LATENCY, PaperVenue, cancels, fills, kinds, refusal
from tests.kit.trading_samples import (
    MS,
    NO,
    START,
    YES,
    S,
    V,
    approved,
    book,
    cancel,
    cents,
    delta,
    gap,
    market,
    place,
    resolved,
    shares,
    trade,
)


def test_an_order_takes_what_it_finds_when_it_arrives() -> None:
    venue = PaperVenue()
    venue.simulator.submit(approved(place(size=150, price=52)))
    assert list(venue.simulator.due(START + LATENCY - 1)) == []
    assert venue.show(delta("ask", 51, 20, START + MS)) == []
    answers = list(venue.simulator.due(START + LATENCY))
    assert kinds(answers) == ["OrderAccepted", "Fill", "Fill"]
    assert fills(answers) == [(cents(51), shares(20)), (cents(52), shares(50))]
    assert {answer.ts_recv for answer in answers} == {START + LATENCY}
    assert venue.simulator.resting()[0].remaining == shares(80)


def test_consumed_size_stays_consumed_while_the_level_exists() -> None:
    venue = PaperVenue()
    assert fills(venue.send(place("a", size=100, tif="ioc"))) == [(cents(51), shares(100))]
    assert kinds(venue.send(place("b", tif="ioc"))) == ["OrderAccepted", "OrderCancelled"]
    venue.show(book(asks=((51, 100), (52, 50))))
    assert fills(venue.send(place("c", tif="ioc"))) == []
    venue.show(delta("ask", 51, 130))
    assert fills(venue.send(place("d", size=100, tif="ioc"))) == [(cents(51), shares(30))]
    venue.show(delta("ask", 51, 0), delta("ask", 51, 30))
    assert fills(venue.send(place("e", tif="ioc"))) == [(cents(51), shares(10))]


def test_a_level_that_flickers_is_not_bought_again_and_again() -> None:
    venue = PaperVenue(book(bids=((40, 100),), asks=((45, 100),)))
    bought = fills(venue.send(place("o0", price=45, size=100, tif="ioc")))
    for number, size in enumerate((101, 100, 101, 100), 1):
        ts = START + number * LATENCY
        venue.show(delta("ask", 45, size, ts))
        bought += fills(venue.send(place(f"o{number}", price=45, size=100, tif="ioc"), ts))
    assert sum(size for _, size in bought) == shares(102)


def test_the_two_outcomes_share_one_book() -> None:
    venue = PaperVenue(book(bids=((49, 100),)))
    assert fills(venue.send(place("a", key=NO, price=51, size=60, tif="ioc"))) == [(cents(51), shares(60))]
    assert fills(venue.send(place("b", side="sell", price=49, size=60, tif="ioc"))) == [(cents(49), shares(40))]


def test_immediate_orders_never_rest() -> None:
    venue = PaperVenue()
    (accepted, taken, cancelled) = venue.send(place(size=120, tif="ioc"))
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(taken, Fill)
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "ioc"
    assert venue.simulator.resting() == ()


def test_a_fok_order_fills_whole_or_not_at_all() -> None:
    venue = PaperVenue()
    assert kinds(venue.send(place("a", size=101, tif="fok"))) == ["OrderAccepted", "OrderCancelled"]
    assert fills(venue.send(place("b", size=100, tif="fok"))) == [(cents(51), shares(100))]


def test_a_post_only_order_rests_or_is_rejected() -> None:
    venue = PaperVenue()
    (refused,) = venue.send(place("a", post_only=True))
    assert isinstance(refused, OrderRejected)
    assert refused.reason == "would_cross"
    assert kinds(venue.send(place("b", price=50, post_only=True))) == ["OrderAccepted"]


def test_orders_against_the_venues_rules_are_rejected() -> None:
    venue = PaperVenue()
    assert refusal(venue.send(place("a", size=4))) == "below_minimum"
    assert refusal(venue.send(replace(place("b"), price=Price(cents(51) + 1)))) == "off_grid"
    assert refusal(venue.send(place("c", key=market("x").key(0)))) == "market_closed"
    venue.rejection = "insufficient_cash"
    assert refusal(venue.send(place("d"))) == "insufficient_cash"
    venue.show(MarketChange(V, YES.market_id, None, START, None, "paused", "{}"))
    assert refusal(venue.send(place("e"))) == "market_closed"


def test_a_buy_that_trades_on_arrival_must_be_worth_enough() -> None:
    venue = PaperVenue(book(bids=((9, 100),), asks=((10, 100),)), min_taker_buy=Money(MICROS))
    assert refusal(venue.send(place("a", price=10, size=9.99))) == "below_taker_minimum"
    assert refusal(venue.send(place("b", price=9, size=10, tif="ioc"))) == "below_taker_minimum"
    assert refusal(venue.send(place("c", price=9, size=10, tif="fok"))) == "below_taker_minimum"
    assert kinds(venue.send(place("e", price=9, size=10))) == ["OrderAccepted"]
    assert kinds(venue.send(place("f", price=9, size=10, post_only=True))) == ["OrderAccepted"]
    assert fills(venue.send(place("g", price=10, size=10, tif="ioc"))) == [(cents(10), shares(10))]
    assert fills(venue.send(place("h", "sell", price=9, size=5, tif="ioc"))) == [(cents(9), shares(5))]
    venue.show(gap())
    assert kinds(venue.send(place("i", price=10, size=5))) == ["OrderAccepted"]  # nobody knows what it would meet


HOLD = 3_000 * MS


def test_an_order_that_would_trade_on_arrival_is_delayed_where_the_venue_delays_it() -> None:
    venue = PaperVenue(taker_delay=HOLD)
    assert kinds(venue.send(place(price=51, size=30, tif="ioc"))) == ["OrderAccepted"]
    assert venue.send(place(price=51, size=30, tif="ioc"), START + MS) == [], "one id is one order, held or not"
    assert venue.show(delta("ask", 51, 20, START + LATENCY + HOLD - 1)) == []
    answers = list(venue.simulator.due(START + LATENCY + HOLD))
    assert fills(answers) == [(cents(51), shares(20))]
    assert kinds(answers) == ["Fill", "OrderCancelled"]


def test_a_resting_order_is_not_delayed() -> None:
    venue = PaperVenue(taker_delay=HOLD)
    venue.send(place(price=50))
    assert fills(venue.show(delta("ask", 50, 5, START + MS)))


def test_a_delayed_order_cannot_be_cancelled_only_its_rest() -> None:
    venue = PaperVenue(taker_delay=HOLD)
    venue.send(place(price=51, size=150))
    assert venue.send(cancel(), START + MS) == []
    answers = list(venue.simulator.due(START + LATENCY + HOLD))
    assert kinds(answers) == ["Fill", "OrderCancelled"]
    assert fills(answers) == [(cents(51), shares(100))]
    assert venue.simulator.resting() == ()


def test_a_delayed_order_does_not_trade_in_a_market_that_closed() -> None:
    venue = PaperVenue(taker_delay=HOLD)
    venue.send(place(price=51))
    (cancelled,) = venue.show(MarketChange(V, YES.market_id, None, START + LATENCY, None, "closed", "{}"))
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "market_closed"
    assert list(venue.simulator.due(START + LATENCY + HOLD)) == []


def test_an_order_good_till_a_time_rests_until_then() -> None:
    venue = PaperVenue(taker_delay=HOLD)
    ends = START + 2 * LATENCY
    assert refusal(venue.send(place("late", price=49, tif="gtd", expires=START + LATENCY))) == "expired"
    assert kinds(venue.send(place("a", price=49, tif="gtd", expires=ends))) == ["OrderAccepted"]
    assert kinds(venue.send(place("gone", price=48, tif="gtd", expires=ends))) == ["OrderAccepted"]
    assert kinds(venue.send(cancel("gone"), START + 1)) == ["OrderCancelled"]
    assert list(venue.simulator.due(ends - 1)) == []
    assert cancels(list(venue.simulator.due(ends))) == [("a", "expired", ends)]
    held = venue.send(place("held", price=51, tif="gtd", expires=START + 3 * LATENCY), START + LATENCY)
    assert kinds(held) == ["OrderAccepted"]
    assert cancels(list(venue.simulator.due(START + S))) == []
    released = START + 2 * LATENCY + HOLD
    assert cancels(list(venue.simulator.due(released))) == [("held", "expired", released)]


def test_a_client_order_id_sent_twice_is_one_order() -> None:
    venue = PaperVenue()
    venue.send(place(tif="ioc"))
    assert venue.send(place(tif="ioc")) == []


def test_a_cancel_has_the_latency_of_an_order() -> None:
    venue = PaperVenue()
    venue.send(place(price=40))
    venue.simulator.submit(approved(cancel(), START + LATENCY))
    assert venue.show(trade(41, 1, ts=START + LATENCY)) == []
    (cancelled,) = venue.simulator.due(START + 2 * LATENCY)
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "requested"
    assert venue.send(cancel()) == []
    assert refusal(venue.send(cancel("never was"))) == "unknown_order"


def test_a_resting_order_waits_its_turn_and_fills_at_its_price_without_a_fee() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    assert venue.show(trade(49, 100)) == []
    (filled,) = venue.show(trade(49, 4))
    assert isinstance(filled, Fill)
    assert (filled.price, filled.size, filled.fee, filled.maker) == (cents(49), shares(4), 0, True)


def test_a_resting_order_on_the_second_outcome_fills_at_its_own_price() -> None:
    venue = PaperVenue()
    venue.send(place(key=NO, price=48))  # an offer of the first at 52
    (filled,) = venue.show(trade(53, 7, taker="buy"))
    assert isinstance(filled, Fill)
    assert (filled.key, filled.side, filled.price, filled.size) == (NO, "buy", cents(48), shares(7))


def test_nothing_fills_while_the_book_is_not_to_be_trusted() -> None:
    venue = PaperVenue()
    venue.send(place("r", price=49))
    venue.show(gap())
    assert venue.show(trade(40, 100), delta("ask", 45, 100)) == []
    (accepted, cancelled) = venue.send(place("i", price=60, tif="ioc"))
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "untrusted"
    assert kinds(venue.send(place("g", price=49))) == ["OrderAccepted"]
    assert venue.show(book(), trade(49, 100)) == []
    assert fills(venue.show(trade(49, 15))) == [(cents(49), shares(10)), (cents(49), shares(5))]


def test_a_snapshot_that_crosses_us_trades_with_us() -> None:
    venue = PaperVenue()
    venue.send(place(price=49))
    assert fills(venue.show(book(bids=((40, 1),), asks=((45, 6), (60, 9))))) == [(cents(49), shares(6))]


@pytest.mark.parametrize("end", [resolved(), MarketChange(V, YES.market_id, None, START, None, "closed", "{}")])
def test_the_end_of_a_market_cancels_our_orders(end: Any) -> None:
    venue = PaperVenue()
    venue.send(place(price=40))
    (cancelled,) = venue.show(end)
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "market_closed"
    assert venue.simulator.resting() == ()


orders = st.builds(
    lambda side, price, size, tif, key, post: ("order", side, price, size, tif, key, post),
    st.sampled_from(["buy", "sell"]),
    st.integers(45, 55),
    st.integers(5, 200),
    st.sampled_from(["gtc", "ioc", "fok"]),
    st.sampled_from([YES, NO]),
    st.booleans(),
)
changes = st.builds(
    lambda side, price, size: delta(side, price if side == "ask" else price - 6, size),
    st.sampled_from(["bid", "ask"]),
    st.integers(51, 55),
    st.integers(0, 200),
)
trades = st.builds(trade, st.integers(45, 55), st.integers(1, 200), st.sampled_from(["buy", "sell", None]))
happenings = st.one_of(changes, trades, st.just(gap()), st.just(book()))


@given(st.lists(st.one_of(orders, happenings), max_size=40))
def test_an_order_never_exceeds_size_or_limit_and_ends_once(steps: list[Any]) -> None:
    venue = PaperVenue()
    sent: dict[str, PlaceOrder] = {}
    answers: list[AccountEvent] = []
    for number, step in enumerate(steps):
        ts = START + number * LATENCY
        if isinstance(step, tuple):
            _, side, price, size, tif, key, post = step
            command = place(f"o{number}", side, price, size, tif=tif, key=key, post_only=post)
            sent[command.client_order_id] = command
            answers += venue.send(command, ts)
        else:
            answers += venue.show(replace(step, ts_recv=ts))
    filled = dict.fromkeys(sent, 0)
    ended: set[str] = set()
    for answer in answers:
        command = sent[answer.client_order_id]
        if isinstance(answer, Fill):
            assert answer.client_order_id not in ended
            better = answer.price <= command.price if command.side == "buy" else answer.price >= command.price
            assert better
            filled[answer.client_order_id] += answer.size
        elif isinstance(answer, OrderCancelled | OrderRejected):
            assert answer.client_order_id not in ended
            ended.add(answer.client_order_id)
    resting: dict[str, int] = {order.command.client_order_id: order.remaining for order in venue.simulator.resting()}
    for name, command in sent.items():
        assert filled[name] + resting.get(name, 0) <= command.size
        assert (filled[name] == command.size) + (name in ended) + (name in resting) == 1
    assert all(answer.ts_recv >= START for answer in answers)


def late(price: int, size: float, at: int, told: int) -> Any:
    """A sale at ``at`` that is told at ``told``, both in steps after START."""
    return replace(trade(price, size, ts=START + told * LATENCY), ts_venue=START + at * LATENCY)


@pytest.mark.parametrize("queue", get_args(QueueModel))
def test_a_trade_of_before_an_order_joined_neither_fills_nor_moves_it(queue: QueueModel) -> None:
    venue = PaperVenue(book(bids=((50, 100), (49, 100)), asks=((55, 100),)), queue=queue)
    venue.show(delta("bid", 50, 0, START + LATENCY), delta("bid", 49, 50, START + LATENCY))
    venue.send(place(price=50, size=80, post_only=True), START + LATENCY)  # alone at 50 from step 2 on
    assert venue.show(late(50, 100, 1, 3), late(49, 50, 1, 3)) == []
    assert fills(venue.show(late(49, 5, 4, 4))) == [(cents(50), shares(5))]


@pytest.mark.parametrize("queue", ["pessimistic", "proportional"])
def test_what_is_really_ahead_stays_ahead_whenever_trades_are_told(queue: QueueModel) -> None:
    venue = PaperVenue(book(bids=((50, 100),), asks=((55, 100),)), queue=queue)
    venue.show(delta("bid", 50, 50, START + LATENCY))
    venue.send(place(price=50, post_only=True), START + LATENCY)
    venue.show(late(50, 50, 1, 3), late(50, 10, 4, 4), delta("bid", 50, 40, START + 4 * LATENCY))
    assert venue.simulator.resting()[0].ahead == shares(40)


@pytest.mark.parametrize("queue", ["pessimistic", "proportional"])
def test_a_sweep_told_in_pieces_after_its_level_change_counts_once(queue: QueueModel) -> None:
    venue = PaperVenue(book(bids=((49, 100),), asks=((55, 9),)), queue=queue)
    venue.send(place(price=49, size=50, post_only=True), START - LATENCY)
    for first, left, pieces in ((1, 50, 5), (2, 10, 4)):
        venue.show(delta("bid", 49, left, START + first))
        assert venue.show(*(trade(49, 10, ts=START + first) for _ in range(pieces))) == []
    assert venue.simulator.resting()[0].ahead == shares(10)
    assert fills(venue.show(trade(49, 15, ts=START + 3))) == [(cents(49), shares(5))]
