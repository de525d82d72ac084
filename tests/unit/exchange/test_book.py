"""Matching: price first, then time; nothing is made or lost; the tape tells every level."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import Side
from predsurv.core.num import Price
from predsurv.exchange.book import BookOrder, MatchingBook, preview
from predsurv.exchange.tape import LevelChange, Tape, TapeTrade

CENT = 10_000


class Person:
    """Somebody who remembers what they were told."""

    def __init__(self) -> None:
        self.fills: list[tuple[int, int, int]] = []
        self.reasons: list[str] = []

    def traded(self, order: BookOrder, price: int, size: int, trade: int) -> None:
        self.fills.append((order.number, price, size))

    def removed(self, order: BookOrder, reason: str) -> None:
        self.reasons.append(reason)


def make() -> tuple[MatchingBook, Tape]:
    tape = Tape(0)
    return MatchingBook(0, CENT, tape), tape


def test_price_then_time() -> None:
    book, _ = make()
    person = Person()
    orders = [book.place("ask", Price(price * CENT), 10) for price in (52, 51, 51, 53)]
    for order in orders:
        order.owner = person
    matches = book.take("bid", 52 * CENT, 25)
    assert [(match.price, match.size) for match in matches] == [(51 * CENT, 10), (51 * CENT, 10), (52 * CENT, 5)]
    assert [number for number, _, _ in person.fills] == [orders[1].number, orders[2].number, orders[0].number]
    assert book.levels("ask") == ((52 * CENT, 5), (53 * CENT, 10))


def test_growing_loses_priority_and_shrinking_keeps_it() -> None:
    book, _ = make()
    first, second = (book.place("bid", Price(CENT), 10) for _ in range(2))
    book.resize(first, 8)
    book.take("ask", CENT, 3)
    assert (first.remaining, second.remaining) == (5, 10)
    book.resize(first, 9)
    book.take("ask", CENT, 3)
    assert (first.remaining, second.remaining) == (9, 7)


def test_taker_never_meets_itself() -> None:
    book, _ = make()
    person = Person()
    mine, other = (book.place("ask", Price(50 * CENT), 10) for _ in range(2))
    mine.owner = person
    matches = book.take("bid", 50 * CENT, 4, person)
    assert [match.size for match in matches] == [4]
    assert (mine.remaining, other.remaining) == (0, 6)
    assert person.reasons == ["self-trade"]


def test_clear_tells_everybody() -> None:
    book, tape = make()
    person = Person()
    book.place("bid", Price(CENT), 5).owner = person
    book.place("ask", Price(90 * CENT), 5)
    tape.cut()
    book.clear("over")
    assert person.reasons == ["over"]
    assert book.best("bid") is None
    assert book.best("ask") is None
    assert [event.size for event in tape.cut() if isinstance(event, LevelChange)] == [0, 0]


def test_preview_is_what_take_gives() -> None:
    book, _ = make()
    for price in (50, 51, 51, 55):
        book.place("ask", Price(price * CENT), 7)
    assert preview(book, "bid", 51 * CENT, 100) == [(50 * CENT, 7), (51 * CENT, 14)]
    assert sum(match.size for match in book.take("bid", 51 * CENT, 100)) == 21


actions = st.lists(
    st.tuples(
        st.sampled_from(["place", "take", "cancel", "resize"]),
        st.sampled_from(["bid", "ask"]),
        st.integers(1, 12),
        st.integers(1, 30),
    ),
    max_size=60,
)


@given(actions)
def test_tape_rebuilds_the_book_and_nothing_is_lost(steps: list[tuple[str, Side, int, int]]) -> None:
    book, tape = make()
    orders: list[BookOrder] = []
    put = taken = withdrawn = 0
    for action, side, price, size in steps:
        living = [order for order in orders if order.remaining]
        if action == "place" and not book.crosses(side, price * CENT):
            orders.append(book.place(side, Price(price * CENT), size))
            put += size
        elif action == "take":
            taken += sum(match.size for match in book.take(side, price * CENT, size))
        elif action == "cancel" and living:
            withdrawn += living[price % len(living)].remaining
            book.cancel(living[price % len(living)])
        elif action == "resize" and living:
            put += size - living[price % len(living)].remaining
            book.resize(living[price % len(living)], size)
    events = tape.cut()
    folded: dict[tuple[str, int], int] = {}
    for event in events:
        if isinstance(event, LevelChange):
            folded[event.side, event.price] = event.size
    assert {key: size for key, size in folded.items() if size} == {
        (side, price): size for side in ("bid", "ask") for price, size in book.levels(side)
    }
    assert put == taken + withdrawn + sum(order.remaining for order in orders)
    assert taken == sum(event.size for event in events if isinstance(event, TapeTrade))
    bid, ask = book.best("bid"), book.best("ask")
    assert bid is None or ask is None or bid < ask
    assert book.seq == sum(isinstance(event, LevelChange) for event in events)
