"""An arriving order in terms of the book it arrives at."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import MICROS, Price, Size
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.taker import arriving, crosses, execute, fillable
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, book, cents, place, shares


def shown() -> Book:
    made = Book(YES)
    made.apply(book(bids=((49, 100), (48, 50)), asks=((51, 100), (52, 50))))
    return made


def test_a_buy_takes_asks_best_first_up_to_its_limit() -> None:
    taker = arriving(place(price=52, size=120), START, YES)
    assert crosses(taker, shown())
    assert fillable(taker, shown(), ConsumedLiquidity()) == shares(150)
    assert list(execute(taker, shown(), ConsumedLiquidity())) == [(cents(51), shares(100)), (cents(52), shares(20))]
    assert taker.remaining == 0


def test_buying_the_second_outcome_is_selling_the_first() -> None:
    taker = arriving(place(price=52, size=120, key=NO), START, YES)
    assert (taker.side, taker.price, taker.opposite) == ("ask", cents(48), "bid")
    prices = [taker.own_price(price) for price, _ in execute(taker, shown(), ConsumedLiquidity())]
    assert prices == [cents(51), cents(52)]


def test_selling_the_second_outcome_is_buying_the_first() -> None:
    taker = arriving(place(price=49, side="sell", key=NO), START, YES)
    assert (taker.side, taker.price) == ("bid", cents(51))
    assert crosses(taker, shown())


def test_an_order_that_does_not_cross_takes_nothing() -> None:
    taker = arriving(place(price=50), START, YES)
    assert not crosses(taker, shown())
    assert list(execute(taker, shown(), ConsumedLiquidity())) == []
    assert not crosses(taker, Book(YES))


@given(st.integers(1, 99), st.integers(1, 400), st.sampled_from(["buy", "sell"]), st.booleans())
def test_repeated_orders_never_take_more_than_a_level_holds(price: int, size: int, side: str, mirrored: bool) -> None:
    source, consumed = shown(), ConsumedLiquidity()
    taken: dict[Price, int] = {}
    for _ in range(4):
        taker = arriving(place(price=price, size=size, side=side, key=NO if mirrored else YES), START, YES)
        for at, got in execute(taker, source, consumed):
            assert taker.trades_at(at)
            taken[at] = taken.get(at, 0) + got
        assert 0 <= taker.remaining <= Size(size * MICROS)
    buys_first = (side == "buy") != mirrored
    opposite = source.asks if buys_first else source.bids
    assert all(got <= opposite.size_at(at) for at, got in taken.items())
