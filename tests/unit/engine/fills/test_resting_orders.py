"""Resting orders fill by trades and crossing levels, in price-time priority."""

from msgspec.structs import replace

from predsurv.core.ids import ClientOrderId, MarketId
from predsurv.engine.books.consumed import TOLD_AFTER_MAX, ConsumedLiquidity
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.resting_orders import MakerFill, RestingOrders
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, V, book, cents, delta, place, shares, trade


def order(name: str = "o1", price: int = 49, size: float = 10, side: str = "bid", arrival: int = 1) -> QueuePosition:
    return QueuePosition(
        command=place(name),
        key=YES,
        side="bid" if side == "bid" else "ask",
        price=cents(price),
        remaining=shares(size),
        arrival=arrival,
    )


def shown() -> Book:
    made = Book(YES)
    made.apply(book())
    return made


def sizes(fills: list[MakerFill]) -> list[tuple[str, int]]:
    return [(each.order.command.client_order_id, each.size) for each in fills]


def test_an_order_fills_once_the_queue_ahead_has_traded() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(order(), source)
    assert sizes(list(resting_orders.on_trade(trade(49, 100)))) == []
    assert sizes(list(resting_orders.on_trade(trade(49, 4)))) == [("o1", shares(4))]
    assert sizes(list(resting_orders.on_trade(trade(49, 100)))) == [("o1", shares(6))]
    assert resting_orders.all() == ()


def test_a_trade_through_our_price_fills_without_waiting() -> None:
    resting_orders = RestingOrders(ConsumedLiquidity())
    resting_orders.add(order(), shown())
    assert sizes(list(resting_orders.on_trade(trade(48, 3)))) == [("o1", shares(3))]


def test_trades_on_our_own_side_or_of_unknown_side_at_our_price_do_nothing() -> None:
    resting_orders = RestingOrders(ConsumedLiquidity())
    resting_orders.add(order(price=50), shown())
    assert list(resting_orders.on_trade(trade(50, 100, taker="buy"))) == []
    assert list(resting_orders.on_trade(trade(50, 100, taker=None))) == []
    assert sizes(list(resting_orders.on_trade(trade(49, 1, taker=None)))) == [("o1", shares(1))]


def test_better_priced_orders_come_first_and_share_the_volume() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(order("late", price=50, arrival=2), source)
    resting_orders.add(order("first", price=50, arrival=1), source)
    resting_orders.add(order("worse", price=48, arrival=0), source)
    assert sizes(list(resting_orders.on_trade(trade(50, 15)))) == [("first", shares(10)), ("late", shares(5))]


def test_the_opposite_side_coming_to_us_trades_with_us_once() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(order(), source)
    source.apply(delta("bid", 49, 0))
    source.apply(event := delta("ask", 49, 6))
    assert sizes(list(resting_orders.on_delta(event, source))) == [("o1", shares(6))]
    assert list(resting_orders.on_delta(delta("ask", 60, 1), source)) == []
    asks = order("a", price=48, side="ask")
    resting_orders.add(asks, source)
    source.apply(event := delta("bid", 48, 2))
    assert sizes(list(resting_orders.on_delta(event, source))) == [("a", shares(2))]


def test_a_gap_sends_us_to_the_end_of_the_queue() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(resting := order(), source)
    list(resting_orders.on_trade(trade(49, 90)))
    resting_orders.rejoin(NO, None)
    resting_orders.rejoin(YES, None)
    source.apply(book())
    assert list(resting_orders.on_snapshot(source)) == []
    assert resting.ahead == shares(100)
    source.apply(book(bids=((49, 30),)))
    assert list(resting_orders.on_snapshot(source)) == []
    assert resting.level_size == shares(30)


def test_an_order_that_arrives_without_a_book_waits_for_a_snapshot() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(resting := order(), None)
    assert list(resting_orders.on_trade(trade(49, 1_000_000))) == []
    list(resting_orders.on_snapshot(source))
    assert resting.ahead == shares(100)


def test_resting_orders_follow_their_level_until_they_are_removed() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(resting := order(), source)
    list(resting_orders.on_delta(delta("bid", 49, 20), source))
    assert resting.level_size == shares(20)
    list(resting_orders.on_delta(delta("bid", 49, 0), source))
    assert resting_orders.all() == (resting,)
    assert resting_orders.remove(ClientOrderId("who"), START) is None
    assert resting_orders.remove(ClientOrderId("o1"), START) is resting
    resting_orders.add(order("b"), source)
    resting_orders.add(order("c"), source)
    assert resting_orders.remove(ClientOrderId("b"), START) is not None
    assert resting_orders.of_market(V, NO.market_id) == resting_orders.all() != ()
    assert resting_orders.of_market(V, MarketId("x")) == ()
    assert resting_orders.holds(YES)
    assert not resting_orders.holds(NO)


def test_a_book_that_does_not_trade_is_followed_and_fills_nothing() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(resting := order(), source)
    source.apply(event := delta("bid", 49, 30))
    assert list(resting_orders.on_delta(event, source, trading=False)) == []
    assert resting.level_size == shares(30)
    source.apply(book(bids=((40, 1),), asks=((45, 6),)))
    assert list(resting_orders.on_snapshot(source, trading=False)) == []
    assert list(resting_orders.on_delta(delta("ask", 45, 6), source, trading=False)) == []
    assert sizes(list(resting_orders.on_snapshot(source))) == [("o1", shares(6))]
    resting_orders.rejoin(YES, source)
    assert (resting.ahead, resting.level_size) == (0, 0)


def pessimistic(*added: QueuePosition, source: Book | None = None) -> RestingOrders:
    resting_orders = RestingOrders(ConsumedLiquidity(), "pessimistic")
    for each in added:
        resting_orders.add(each, source or shown())
    return resting_orders


def test_what_an_order_of_ours_takes_still_stands_ahead_of_the_next() -> None:
    resting_orders, source = RestingOrders(ConsumedLiquidity()), shown()
    resting_orders.add(order("first", price=50), source)
    assert sizes(list(resting_orders.on_trade(trade(49, 10)))) == [("first", shares(10))]
    source.apply(event := delta("bid", 49, 90))
    list(resting_orders.on_delta(event, source))
    resting_orders.add(second := order("second", arrival=2), source)
    assert second.ahead == shares(100), "the ten that traded in public would still be there"
    assert sizes(list(resting_orders.on_trade(trade(49, 104)))) == [("second", shares(4))]


def test_a_trade_without_a_side_fills_nothing_by_the_pessimistic_model() -> None:
    assert list(pessimistic(order(price=50)).on_trade(trade(49, 1, taker=None))) == []


def test_an_order_of_ours_in_front_may_have_had_it_by_the_pessimistic_model() -> None:
    resting_orders = pessimistic(order("a", price=50), order("b", price=50, arrival=2))
    assert sizes(list(resting_orders.on_trade(trade(50, 15)))) == [("a", shares(10)), ("b", shares(5))]
    resting_orders = pessimistic(order("a"), order("b", arrival=2))
    assert sizes(list(resting_orders.on_trade(trade(49, 105)))) == [("a", shares(5))]
    assert resting_orders.remove(ClientOrderId("a"), START) is not None
    assert list(resting_orders.on_trade(trade(49, 4))) == []  # it may have met what was cancelled since
    later = START + TOLD_AFTER_MAX + 1
    assert sizes(list(resting_orders.on_trade(trade(49, 30, ts=later)))) == [("b", shares(10))]


def test_a_post_only_order_that_may_have_been_refused_fills_nothing() -> None:
    source = Book(YES)
    source.apply(book(bids=((47, 5),), asks=((52, 20), (55, 5))))
    resting_orders = pessimistic(order("a", price=51, side="ask"), source=source)
    assert sizes(list(resting_orders.on_trade(trade(52, 10, taker="buy")))) == [("a", shares(10))]
    source.apply(delta("ask", 52, 0))
    doubtful = order("b", price=53)
    doubtful.command = replace(doubtful.command, post_only=True)
    resting_orders.add(doubtful, source)
    assert doubtful.doubtful
    assert list(resting_orders.on_trade(trade(47, 5))) == []
    source.apply(event := delta("ask", 50, 5))
    assert list(resting_orders.on_delta(event, source)) == []
    assert doubtful.remaining == shares(10)


def test_a_taker_who_met_what_we_had_taken_goes_on_by_the_pessimistic_model() -> None:
    consumed, source = ConsumedLiquidity(), shown()
    resting_orders = RestingOrders(consumed, "pessimistic")
    source.apply(delta("ask", 52, 50))
    consumed.consume(source, "ask", cents(51), shares(30))
    resting_orders.impact.on_taker(trade(51, 5, taker=None), source)
    assert resting_orders.impact.doubts.unsure(source, "bid", START) == 0
    resting_orders.impact.on_taker(trade(51, 20, taker="buy"), source)
    assert dict(consumed.remaining(source, "ask")) == {cents(51): shares(70), cents(52): shares(25)}
    assert resting_orders.impact.doubts.unsure(source, "ask", START) == shares(25), (
        "it may rest now, and meet what comes"
    )
    resting_orders.impact.on_taker(trade(49, 20), source)
    assert RestingOrders(consumed, "optimistic").impact.doubts.unsure(source, "ask", START) == 0
