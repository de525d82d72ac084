"""One connection takes over from another: nothing lost, nothing told twice."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level, MarketChange, MarketEvent, Quote, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.state.book import Book
from predsurv.venues.streaming import takeover as handover
from predsurv.venues.streaming.takeover import Takeover

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


def old(hand: Takeover, *events: MarketEvent) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    hand.old(events, out)
    return out


def new(hand: Takeover, *events: MarketEvent) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    hand.new(events, out)
    return out


def settled(hand: Takeover, ts: int = 9, *, force: bool = False) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    hand.settle(ts, out, force=force)
    return out


def test_new_one_goes_on_behind_what_was_said_last() -> None:
    hand = Takeover()
    assert old(hand, delta(1, 5, 1), delta(2, 6, 2))
    assert new(hand, book(1, (5, 1)), delta(2, 6, 2, NEW), delta(3, 7, 3, NEW)) == []
    assert settled(hand) == []
    hand.switch({A})
    assert old(hand, delta(3, 7, 3)) == []
    assert settled(hand) == [book(2, (6, 2), (5, 1), ts=9), delta(3, 7, 3, NEW, ts=9)]
    assert hand.done
    assert new(hand, delta(4, 8, 1, NEW)) == [delta(4, 8, 1, NEW)]


def test_one_that_is_behind_catches_up_first() -> None:
    hand = Takeover()
    old(hand, delta(2, 6, 2))
    new(hand, book(1, (5, 1)))
    hand.switch({A})
    assert settled(hand) == []
    assert not hand.done
    assert new(hand, delta(2, 6, 2, NEW, ts=11)) == [book(2, (6, 2), (5, 1), ts=11)]
    assert hand.done


def test_one_that_never_catches_up_is_forced() -> None:
    hand = Takeover()
    old(hand, delta(5, 6, 2))
    new(hand, book(1, (5, 1)), delta(2, 5, 3, NEW))
    hand.switch({A})
    assert settled(hand) == []
    assert settled(hand, force=True) == [book(2, (5, 3), ts=9)]
    assert hand.done


def test_book_that_is_newer_than_all_that_was_said() -> None:
    hand = Takeover()
    old(hand, delta(2, 6, 2))
    new(hand, book(5, (5, 1)), delta(6, 6, 1, NEW))
    hand.switch({A})
    assert settled(hand) == [book(5, (5, 1), ts=9), delta(6, 6, 1, NEW, ts=9)]


def test_nothing_was_said_meanwhile() -> None:
    hand = Takeover()
    new(hand, book(5, (5, 1)))
    hand.switch({A})
    assert settled(hand) == [book(5, (5, 1), ts=9)]


def test_old_book_that_broke_is_replaced_by_the_first_one() -> None:
    hand = Takeover()
    gap = Gap(A, 3, "hash_mismatch", OLD)
    assert old(hand, delta(9, 1, 1), gap)[-1] == gap
    new(hand, book(5, (5, 1)))
    hand.switch({A})
    assert settled(hand) == [book(5, (5, 1), ts=9)]


def test_troubles_of_the_new_one_are_its_own_until_it_speaks() -> None:
    hand, gap = Takeover(), Gap(A, 3, "subscribing", NEW)
    assert new(hand, book(5, (5, 1)), gap) == []
    hand.switch({A})
    assert settled(hand) == []
    assert new(hand, gap) == [gap]
    assert hand.done
    assert new(hand, book(6, (5, 1))) == [book(6, (5, 1))]


def test_end_of_the_old_one_is_no_gap_any_more() -> None:
    hand = Takeover()
    hand.switch(frozenset())
    assert old(hand, Gap(A, 3, "disconnect", OLD), book(1), delta(2, 1, 1)) == []


def test_what_is_not_about_books() -> None:
    hand = Takeover()
    trade = Trade(A, 1, 1, Price(5), Size(5), "buy", None)
    quote = Quote(A, 1, 1, None, None)
    tick = MarketChange(VENUE, A.market_id, A.instrument_id, 1, 1, "tick_size", "{}")
    assert old(hand, trade, quote, tick) == [trade, quote, tick]
    assert new(hand, trade, quote, tick) == [trade]
    hand.switch(frozenset())
    assert old(hand, trade, quote, tick) == [trade]
    assert new(hand, trade, quote, tick) == [trade, quote, tick]


def test_unwanted_instruments_are_forgotten() -> None:
    hand = Takeover()
    new(hand, book(1), book(1, one=B))
    hand.switch({A, B})
    hand.drop({B})
    assert [event.key for event in settled(hand) if isinstance(event, BookSnapshot)] == [A]
    assert hand.done


def test_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "KEPT_MAX", 3)
    hand = Takeover()
    new(hand, book(1), *(delta(2, 1, 1, NEW) for _ in range(2)))
    assert not hand.overfull
    new(hand, delta(2, 1, 1, NEW))
    assert hand.overfull


class Play:
    """A venue says ``said``; the new connection asks after ``subscribed`` of it; each is heard with its own delay."""

    def __init__(self, said: Sequence[tuple[int, int, int]], subscribed: int) -> None:
        self.said = said
        self.subscribed = subscribed
        opening = _fold([book(0), *(delta(*change) for change in said[:subscribed])])
        self.olds: list[MarketEvent] = [delta(*change) for change in said]
        self.news: list[MarketEvent] = [
            BookSnapshot(A, 0, subscribed, NEW, None, opening.bids.levels(), ()),
            *(delta(*change, NEW) for change in said[subscribed:]),
        ]
        self.hand = Takeover()
        self.out: list[MarketEvent] = [book(0, epoch=OLD)]

    def switch(self) -> None:
        if not self.hand.switched:
            self.hand.switch({A})
            self.hand.settle(0, self.out)

    def run(self, turns: Sequence[str], switch: int) -> None:
        """Let them be heard in turn, and switch as soon as that can be after some turns."""
        heard = False
        for number, who in enumerate(turns):
            if number >= switch and heard:
                self.switch()
            if who == "old":
                self.hand.old([self.olds.pop(0)], self.out)
            else:
                self.hand.new([self.news.pop(0)], self.out)
                heard = True
        self.switch()


def _fold(events: Sequence[MarketEvent]) -> Book:
    folded = Book(A)
    for event in events:
        if isinstance(event, BookSnapshot | BookDelta):
            folded.apply(event)
    return folded


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=25), st.data())
def test_rows_and_books_are_those_of_the_venue(steps: Sequence[tuple[int, int]], data: st.DataObject) -> None:
    said = [(index + 1, price, size) for index, (price, size) in enumerate(steps)]
    play = Play(said, data.draw(st.integers(0, len(said))))
    # What was told before the new one asked is in its book.
    told = data.draw(st.integers(0, play.subscribed))
    play.hand.old(play.olds[:told], play.out)
    del play.olds[:told]
    turns = data.draw(st.permutations(["old"] * len(play.olds) + ["new"] * len(play.news)))
    play.run(turns, data.draw(st.integers(0, len(turns))))
    assert play.hand.done
    rows = [(event.ts_venue, event.price, event.size) for event in play.out if isinstance(event, BookDelta)]
    assert rows == [change for change in said if change in rows], "in order and none twice"
    assert set(said) - set(rows) <= set(said[: play.subscribed]), "what was told as part of a book only"
    assert _fold(play.out).bids.levels() == _fold([book(0), *(delta(*change) for change in said)]).bids.levels()
