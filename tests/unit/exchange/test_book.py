"""The book matches by price, then time; no size is created or lost; the tape reports every level change."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import Side
from predsurv.core.num import Price
from predsurv.exchange.book import BookMatch, BookOrder, MatchingBook, preview_matches
from predsurv.exchange.tape import LevelChange, Tape, TapeTrade

CENT = 10_000


class RecordingOwner:
    """Keeps the fills and removals of its orders."""

    def __init__(self) -> None:
        self.fills: list[tuple[int, int, int]] = []
        self.reasons: list[str] = []

    def on_trade(self, order: BookOrder, match: BookMatch) -> None:
        self.fills.append((order.number, match.price, match.size))

    def on_removed(self, order: BookOrder, reason: str) -> None:
        self.reasons.append(reason)


def make() -> tuple[MatchingBook, Tape]:
    tape = Tape(0)
    return MatchingBook(0, CENT, tape), tape


def test_matching_goes_by_price_then_time() -> None:
    book, _ = make()
    owner = RecordingOwner()
    orders = [book.place("ask", Price(price * CENT), 10, owner) for price in (52, 51, 51, 53)]
    matches = book.take("bid", 52 * CENT, 25)
    assert [(match.price, match.size) for match in matches] == [(51 * CENT, 10), (51 * CENT, 10), (52 * CENT, 5)]
    assert [number for number, _, _ in owner.fills] == [orders[1].number, orders[2].number, orders[0].number]
    assert book.levels("ask") == ((52 * CENT, 5), (53 * CENT, 10))


def test_an_order_that_is_reduced_keeps_its_place() -> None:
    book, _ = make()
    first, second = (book.place("bid", Price(CENT), 10) for _ in range(2))
    book.reduce(first, 8)
    book.take("ask", CENT, 3)
    assert (first.remaining, second.remaining) == (5, 10)


def test_a_taker_never_trades_with_its_own_order() -> None:
    book, _ = make()
    owner = RecordingOwner()
    mine = book.place("ask", Price(50 * CENT), 10, owner)
    other = book.place("ask", Price(50 * CENT), 10)
    matches = book.take("bid", 50 * CENT, 4, owner)
    assert [match.size for match in matches] == [4]
    assert (mine.remaining, other.remaining) == (0, 6)
    assert owner.reasons == ["self-trade"]


def test_clear_tells_every_owner_and_reports_every_level() -> None:
    book, tape = make()
    owner = RecordingOwner()
    book.place("bid", Price(CENT), 5, owner)
    book.place("ask", Price(90 * CENT), 5)
    tape.take_events()
    book.clear("over")
    assert owner.reasons == ["over"]
    assert book.best("bid") is None
    assert book.best("ask") is None
    assert [event.size for event in tape.take_events() if isinstance(event, LevelChange)] == [0, 0]


def test_preview_is_what_take_returns() -> None:
    book, _ = make()
    for price in (50, 51, 51, 55):
        book.place("ask", Price(price * CENT), 7)
    assert preview_matches(book, "bid", 51 * CENT, 100) == [(50 * CENT, 7), (51 * CENT, 14)]
    assert sum(match.size for match in book.take("bid", 51 * CENT, 100)) == 21


actions = st.lists(
    st.tuples(
        st.sampled_from(["place", "take", "cancel", "reduce"]),
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
        elif action == "reduce" and living:
            left = min(size, living[price % len(living)].remaining)
            withdrawn += living[price % len(living)].remaining - left
            book.reduce(living[price % len(living)], left)
    events = tape.take_events()
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
