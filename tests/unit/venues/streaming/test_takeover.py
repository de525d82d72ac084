"""One connection takes over from another: no change lost, none emitted twice."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level, MarketChange, MarketEvent, Quote, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.state.book import Book
from predsurv.venues.streaming import takeover as module
from predsurv.venues.streaming.takeover import Takeover
from tests.kit.packed_changes import packed

VENUE = VenueName("toy")
OLD, NEW = 1, 2


def key(name: str) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(name), InstrumentId(name))


A, B = key("a"), key("b")


def book(at: int, *bids: tuple[int, int], epoch: int = NEW, ts: int = 0, one: InstrumentKey = A) -> BookSnapshot:
    levels: tuple[Level, ...] = tuple((Price(price), Size(size)) for price, size in bids)
    return BookSnapshot(one, ts, at, epoch, None, levels, ())


def delta(at: int, price: int, size: int, epoch: int = OLD, ts: int = 0) -> BookDelta:
    return BookDelta(A, ts, at, epoch, None, "bid", Price(price), Size(size))


def from_old(takeover: Takeover, *events: MarketEvent) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    takeover.filter_old(events, out)
    return out


def from_new(takeover: Takeover, *events: MarketEvent) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    takeover.filter_new(events, out)
    return out


def handed_over(takeover: Takeover, ts: int = 9, *, force: bool = False) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    takeover.hand_over(ts, out, force=force)
    return out


def test_new_connection_continues_behind_the_last_event_of_the_old_one() -> None:
    takeover = Takeover()
    assert from_old(takeover, delta(1, 5, 1), delta(2, 6, 2))
    assert from_new(takeover, book(1, (5, 1)), delta(2, 6, 2, NEW), delta(3, 7, 3, NEW)) == []
    assert handed_over(takeover) == []
    takeover.switch({A})
    assert from_old(takeover, delta(3, 7, 3)) == []
    assert handed_over(takeover) == [book(2, (6, 2), (5, 1), ts=9), delta(3, 7, 3, NEW, ts=9)]
    assert takeover.done
    assert from_new(takeover, delta(4, 8, 1, NEW)) == [delta(4, 8, 1, NEW)]


def test_packed_changes_and_books_are_taken_over_one_by_one() -> None:
    takeover, out = Takeover(), list[MarketEvent]()
    takeover.filter_old(packed([book(0), delta(1, 5, 1), delta(2, 6, 2)]), out)
    assert out == [book(0), delta(1, 5, 1), delta(2, 6, 2)]
    takeover.filter_new(packed([book(1, (5, 1)), delta(2, 6, 2, NEW), delta(3, 7, 3, NEW)]), out)
    takeover.switch({A})
    takeover.filter_old(packed([delta(3, 7, 3)]), out)
    assert out[3:] == []
    assert handed_over(takeover) == [book(2, (6, 2), (5, 1), ts=9), delta(3, 7, 3, NEW, ts=9)]


def test_new_connection_that_is_behind_catches_up_first() -> None:
    takeover = Takeover()
    from_old(takeover, delta(2, 6, 2))
    from_new(takeover, book(1, (5, 1)))
    takeover.switch({A})
    assert handed_over(takeover) == []
    assert not takeover.done
    assert from_new(takeover, delta(2, 6, 2, NEW, ts=11)) == [book(2, (6, 2), (5, 1), ts=11)]
    assert takeover.done


def test_new_connection_that_never_catches_up_is_forced() -> None:
    takeover = Takeover()
    from_old(takeover, delta(5, 6, 2))
    from_new(takeover, book(1, (5, 1)), delta(2, 5, 3, NEW))
    takeover.switch({A})
    assert handed_over(takeover) == []
    assert handed_over(takeover, force=True) == [book(2, (5, 3), ts=9)]
    assert takeover.done


def test_new_book_newer_than_every_old_event_is_taken() -> None:
    takeover = Takeover()
    from_old(takeover, delta(2, 6, 2))
    from_new(takeover, book(5, (5, 1)), delta(6, 6, 1, NEW))
    takeover.switch({A})
    assert handed_over(takeover) == [book(5, (5, 1), ts=9), delta(6, 6, 1, NEW, ts=9)]


def test_new_book_is_taken_when_the_old_one_emitted_nothing() -> None:
    takeover = Takeover()
    from_new(takeover, book(5, (5, 1)))
    takeover.switch({A})
    assert handed_over(takeover) == [book(5, (5, 1), ts=9)]


def test_broken_old_book_is_replaced_by_the_first_new_one() -> None:
    takeover = Takeover()
    gap = Gap(A, 3, "hash_mismatch", OLD)
    assert from_old(takeover, delta(9, 1, 1), gap)[-1] == gap
    from_new(takeover, book(5, (5, 1)))
    takeover.switch({A})
    assert handed_over(takeover) == [book(5, (5, 1), ts=9)]


def test_gaps_of_the_new_connection_are_suppressed_until_it_emits() -> None:
    takeover, gap = Takeover(), Gap(A, 3, "subscribing", NEW)
    assert from_new(takeover, book(5, (5, 1)), gap) == []
    takeover.switch({A})
    assert handed_over(takeover) == []
    assert from_new(takeover, gap) == [gap]
    assert takeover.done
    assert from_new(takeover, book(6, (5, 1))) == [book(6, (5, 1))]


def test_old_connection_is_muted_after_the_switch() -> None:
    takeover = Takeover()
    takeover.switch(frozenset())
    assert from_old(takeover, Gap(A, 3, "disconnect", OLD), book(1), delta(2, 1, 1)) == []


def test_trades_and_changes_of_markets_pass_from_both_and_quotes_from_one() -> None:
    takeover = Takeover()
    trade = Trade(A, 1, 1, Price(5), Size(5), "buy", None)
    quote = Quote(A, 1, 1, None, None)
    tick = MarketChange(VENUE, A.market_id, A.instrument_id, 1, 1, "tick_size", "{}")
    assert from_old(takeover, trade, quote, tick) == [trade, quote, tick]
    assert from_new(takeover, trade, quote, tick) == [trade, tick]
    takeover.switch(frozenset())
    assert from_old(takeover, trade, quote, tick) == [trade, tick]
    assert from_new(takeover, trade, quote, tick) == [trade, quote, tick]


def test_unwanted_instruments_are_forgotten() -> None:
    takeover = Takeover()
    from_new(takeover, book(1), book(1, one=B))
    takeover.switch({A, B})
    takeover.forget({B})
    assert [event.key for event in handed_over(takeover) if isinstance(event, BookSnapshot)] == [A]
    assert takeover.done


def test_too_many_buffered_events_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFERED_EVENTS_MAX", 3)
    takeover = Takeover()
    from_new(takeover, book(1), *(delta(2, 1, 1, NEW) for _ in range(2)))
    assert not takeover.overflowed
    from_new(takeover, delta(2, 1, 1, NEW))
    assert takeover.overflowed


class Play:
    """The ``changes`` of a venue on two connections with own delays; the new one subscribes after ``subscribed``."""

    def __init__(self, changes: Sequence[tuple[int, int, int]], subscribed: int) -> None:
        self.changes = changes
        self.subscribed = subscribed
        opening = _fold([book(0), *(delta(*change) for change in changes[:subscribed])])
        self.olds: list[MarketEvent] = [delta(*change) for change in changes]
        self.news: list[MarketEvent] = [
            BookSnapshot(A, 0, subscribed, NEW, None, opening.bids.levels(), ()),
            *(delta(*change, NEW) for change in changes[subscribed:]),
        ]
        self.takeover = Takeover()
        self.out: list[MarketEvent] = [book(0, epoch=OLD)]

    def switch(self) -> None:
        if not self.takeover.switched:
            self.takeover.switch({A})
            self.takeover.hand_over(0, self.out)

    def run(self, turns: Sequence[str], switch: int) -> None:
        """Deliver their events in ``turns``, and switch as soon as possible after ``switch`` turns."""
        delivered = False
        for number, who in enumerate(turns):
            if number >= switch and delivered:
                self.switch()
            if who == "old":
                self.takeover.filter_old([self.olds.pop(0)], self.out)
            else:
                self.takeover.filter_new([self.news.pop(0)], self.out)
                delivered = True
        self.switch()


def _fold(events: Sequence[MarketEvent]) -> Book:
    folded = Book(A)
    for event in events:
        if isinstance(event, BookSnapshot | BookDelta):
            folded.apply(event)
    return folded


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=25), st.data())
def test_rows_and_books_are_those_of_the_venue(steps: Sequence[tuple[int, int]], data: st.DataObject) -> None:
    changes = [(index + 1, price, size) for index, (price, size) in enumerate(steps)]
    play = Play(changes, data.draw(st.integers(0, len(changes))))
    # What the old one emitted before the new one subscribed is in its book.
    emitted = data.draw(st.integers(0, play.subscribed))
    play.takeover.filter_old(play.olds[:emitted], play.out)
    del play.olds[:emitted]
    turns = data.draw(st.permutations(["old"] * len(play.olds) + ["new"] * len(play.news)))
    play.run(turns, data.draw(st.integers(0, len(turns))))
    assert play.takeover.done
    rows = [(event.ts_venue, event.price, event.size) for event in play.out if isinstance(event, BookDelta)]
    assert rows == [change for change in changes if change in rows], "in order and none twice"
    assert set(changes) - set(rows) <= set(changes[: play.subscribed]), "what was emitted as part of a book only"
    assert _fold(play.out).bids.levels() == _fold([book(0), *(delta(*change) for change in changes)]).bids.levels()
