"""A book is made of compiled parts exactly when there are any."""

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.state.book import Book
from predsurv.state.compiled import native
from predsurv.state.ladder import PythonLadder


def test_a_book_uses_the_compiled_core_and_ladders_when_they_are_built() -> None:
    made = Book(InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("y")))
    compiled = native is not None
    assert [isinstance(side, PythonLadder) for side in (made.bids, made.asks)] == [not compiled, not compiled]
    assert any(base.__module__ == "predsurv.state._native" for base in type(made).__mro__) == compiled
