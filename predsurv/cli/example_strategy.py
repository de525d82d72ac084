"""WideSpread: where a spread is wide, bid at the best bid; sell what was bought at the best ask.

Edge: the spread. Exit: the best ask. Risk: bids fill when prices fall; one position of `size` per market at most.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

import predsurv
from predsurv.core.events import BookDelta, BookSnapshot, Event
from predsurv.core.orders import Quotes


class Params(Struct, frozen=True):  # each can be set: --param spread_min=0.05, or [strategies.wide_spread]
    spread_min: Annotated[predsurv.Price, Meta(ge=0, description="Least spread to quote in.")] = predsurv.Price(30_000)
    size: Annotated[predsurv.Size, Meta(ge=1, description="Shares per order.")] = predsurv.Size(10_000_000)


class WideSpread(predsurv.Strategy):
    Params = Params
    interest = predsurv.Interest(trades=False, ticks=False)  # it is called with books and its own orders alone

    def on_event(self, event: Event, view: predsurv.View) -> Iterable[Quotes]:
        if not isinstance(event, BookSnapshot | BookDelta):
            return
        book, held = view.book(event.key), view.position(event.key)  # prices and sizes are whole millionths
        bid, ask = (None, None) if book is None else (book.best_bid(), book.best_ask())
        if bid is None or ask is None:
            return
        enter = held is None and ask[0] - bid[0] >= self.params.spread_min
        yield self.quotes(  # what shall rest now; the engine sends orders and cancels only where that changes
            event.key,
            bid=(bid[0], self.params.size) if enter else None,
            ask=(ask[0], held.size) if held is not None else None,
        )
