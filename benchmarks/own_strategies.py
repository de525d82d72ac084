"""Strategies that decide next to nothing, so that what is measured is the way to them and from them."""

from msgspec import Struct

import predsurv
from predsurv.core.events import BookDelta, BookSnapshot, Event
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Decision, Intent, Quotes
from predsurv.state.view import View

CLIP = Size(10 * MICROS)


class LookAtBest(predsurv.Strategy):
    """Is called with every change of every book and looks at its best prices; ``tops`` keeps the last of each."""

    interest = predsurv.Interest(trades=False, ticks=False)

    def __init__(self, params: object = None, **values: object) -> None:
        super().__init__(params, **values)
        self.seen = 0
        self.tops: dict[InstrumentKey, tuple[Price | None, Price | None]] = {}

    def on_event(self, event: Event, view: View) -> None:
        """Look, and do nothing."""
        if not isinstance(event, BookDelta | BookSnapshot):
            return
        book = view.book(event.key)
        if book is not None:
            bid, ask = book.best_bid(), book.best_ask()
            self.seen += 1
            self.tops[event.key] = (bid and bid[0], ask and ask[0])


class FollowParams(Struct, frozen=True):
    """The markets to quote in, by id; none: every market."""

    markets: tuple[str, ...] = ()


class FollowBestBid(predsurv.Strategy):
    """Keeps one bid resting at the best bid of some markets, whatever is held."""

    Params = FollowParams
    signals = frozenset({"quote"})

    def __init__(self, params: object = None, **values: object) -> None:
        super().__init__(params, **values)
        self.interest = predsurv.Interest(
            books="best",
            best_sizes=False,
            trades=False,
            ticks=False,
            filter_engaged=True,
            markets=predsurv.MarketChoice(ids=frozenset(self.params.markets)),
        )

    def on_event(self, event: Event, view: View) -> tuple[Quotes, ...]:
        """Say where the bid shall be."""
        book = view.book(event.key) if isinstance(event, BookDelta | BookSnapshot) else None
        best = None if book is None else book.best_bid()
        if book is None or best is None:
            return ()
        return (self.quotes(book.key, bid=(best[0], CLIP)),)


class BuyAndSell(predsurv.Strategy):
    """Buys at the best ask, or sells at the best bid what it holds, on each change of a book."""

    signals = frozenset({"buy", "sell"})
    interest = predsurv.Interest(trades=False, ticks=False)

    def on_event(self, event: Event, view: View) -> tuple[Decision, ...]:
        """Take one side of the book."""
        book = view.book(event.key) if isinstance(event, BookDelta | BookSnapshot) else None
        return () if book is None else self._order(book.key, view)

    def _order(self, key: InstrumentKey, view: View) -> tuple[Intent, ...]:
        book, position = view.book(key), view.position(key)
        if book is None:
            return ()
        bid, ask = book.best_bid(), book.best_ask()
        if position is not None and position.size >= CLIP and bid is not None:
            return (self.sell(key, bid[0], CLIP),)
        return () if ask is None else (self.buy(key, ask[0], CLIP),)


class BuySome(predsurv.Strategy):
    """Buys at the best ask of a book that changes, thirty times a second: a signer may send forty requests."""

    signals = frozenset({"buy"})
    interest = predsurv.Interest(trades=False, ticks=False)

    def __init__(self, params: object = None, **values: object) -> None:
        super().__init__(params, **values)
        self.next_at = 0

    def on_event(self, event: Event, view: View) -> tuple[Decision, ...]:
        """Buy what costs between ten and sixty cents."""
        book = view.book(event.key) if isinstance(event, BookDelta | BookSnapshot) else None
        ask = None if book is None or view.now < self.next_at else book.best_ask()
        if book is None or ask is None or not MICROS // 10 <= ask[0] <= MICROS * 6 // 10:
            return ()
        self.next_at = view.now + 33_000_000
        return (self.buy(book.key, ask[0], CLIP),)
