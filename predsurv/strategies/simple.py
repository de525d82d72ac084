"""The baseline strategy and smallest complete example: quote where the book is bid-heavy; entry, exit, stop, cap."""

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta, Struct

from predsurv.core.durations import Duration
from predsurv.core.events import BookDelta, BookSnapshot, Event, Fill, OrderCancelled, OrderRejected, Tick
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.core.market import next_on_grid, size_allowed
from predsurv.core.num import MICROS, Money, Price, Ratio, Size
from predsurv.core.orders import CancelIntent, Intent, Order, Position
from predsurv.engine.interest import Attention, BookFilter, Interest
from predsurv.state import features
from predsurv.state.book import BookView
from predsurv.state.view import View
from predsurv.strategies.tradable import is_tradable

IMBALANCE_LEVELS: Final = 3
"""Levels of each side whose sizes are compared."""

_NEVER: Final = 1 << 62


class SimpleParams(Struct, frozen=True, kw_only=True):
    """Prices and money in micros, ``imbalance_min`` in millionths, times in ns."""

    spread_min: Annotated[Price, Meta(ge=0, description="Least distance of best ask and best bid to enter.")] = Price(
        20_000
    )
    imbalance_min: Annotated[
        Ratio, Meta(ge=-MICROS, le=MICROS, description="Least share by which bids outweigh asks over three levels.")
    ] = Ratio(400_000)
    price_min: Annotated[Price, Meta(ge=0, description="Lowest best bid to enter at.")] = Price(100_000)
    price_max: Annotated[Price, Meta(le=MICROS, description="Highest best bid to enter at.")] = Price(900_000)
    clip: Annotated[Money, Meta(ge=1, description="Money for each entry.")] = Money(20 * MICROS)
    stop: Annotated[Price, Meta(ge=0, description="Fall of the best bid below cost at which to sell.")] = Price(40_000)
    order_life: Annotated[Duration, Meta(ge=1, description="How long an order rests before it is taken back.")] = (
        Duration(15_000_000_000)
    )
    instruments_max: Annotated[int, Meta(ge=1, description="Most instruments with an order or a position.")] = 4


class Simple:
    """Edge: where bids outweigh asks the next move is more often up, and a bid that is filled buys
    below the mid; selling at the ask earns the spread, and resting orders pay no taker fee.

    Entry: a post-only bid at the best bid when the spread is wide and the book is bid-heavy.
    Exit: a post-only ask at the best ask, at least one tick above cost; a sale at the best bid
    when that has fallen ``stop`` below cost. Risk: adverse selection (bids fill when the price
    falls through them), gaps past the stop; capped by clip size and number of instruments.

    ``wake_at``: when something that was ordered or held has to be looked after, ns UTC. ``attention``: no entries while
    there is something in ``instruments_max`` instruments; of what is held with an exit resting only the stop.
    """

    Params = SimpleParams
    name = StrategyName("simple")
    signals = frozenset({"enter", "exit", "stop", "cancel"})

    def __init__(self, params: SimpleParams | None = None) -> None:
        self._params = params or SimpleParams()
        # What ``_is_attractive`` and ``_enter`` ask of a book; ``_exit`` asks for nothing but best prices.
        entry = BookFilter(
            spread_min=self._params.spread_min,
            bid_min=self._params.price_min,
            bid_max=self._params.price_max,
            imbalance_min=self._params.imbalance_min,
            imbalance_levels=IMBALANCE_LEVELS,
        )
        self.interest = Interest(where=entry, engaged="price", trades=False)
        self._active: dict[InstrumentKey, None] = {}  # with an order or a position
        self._refused: set[InstrumentKey] = set()  # where the venue refused an order, until the next tick
        self.wake_at = 0
        self.attention = Attention()

    def on_event(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        """Quote on book changes and where an order has ended; on ticks look after what is ordered and held."""
        decided = self._decide(event, view)
        attention = self._attend(view)
        if attention != self.attention:
            self.attention = attention
        return decided

    def _decide(self, event: Event, view: View) -> Iterable[Intent | CancelIntent]:
        if isinstance(event, Tick):
            self._refused.clear()
            return self._look_after(view)
        decided: Iterable[Intent | CancelIntent] = ()
        if isinstance(event, OrderRejected):
            self._refused.add(event.key)  # the next change of its book is no reason to ask again
        if isinstance(event, BookDelta | BookSnapshot):
            decided = () if event.key in self._refused else self._quote(event.key, view)
            if not decided:
                return ()
        elif isinstance(event, Fill | OrderCancelled) and view.position(event.key) is not None:
            decided = self._quote(event.key, view)
        self.wake_at = view.now  # what is sent may be refused, or orders, markets or venues have changed
        return decided

    def _attend(self, view: View) -> Attention:
        """Return what ``_quote`` would do anything about, as far as it can be told before."""
        books: dict[InstrumentKey, BookFilter | None] = dict.fromkeys(self._active)
        for position in view.positions():
            stop = position.cost * MICROS // position.size - self._params.stop
            resting = self._orders(position.key, view)
            books[position.key] = BookFilter(bid_max=Price(stop)) if resting else BookFilter()
        return Attention(books=books, others=len(self._active) < self._params.instruments_max)

    def _quote(self, key: InstrumentKey, view: View) -> Iterable[Intent | CancelIntent]:
        position = view.position(key)
        if position is None and key not in self._active and len(self._active) >= self._params.instruments_max:
            return ()
        book = view.book(key)
        if book is None:
            return ()
        if position is not None:
            self._active[key] = None  # a position may be from before a restart
            return self._exit(position, book, view)
        if key in self._active or not self._is_attractive(book):
            return ()
        return self._enter(key, book, view)

    def _is_attractive(self, book: BookView) -> bool:
        spread = features.spread(book)
        if spread is None or spread < self._params.spread_min:
            return False
        imbalance = features.imbalance(book, IMBALANCE_LEVELS)
        return imbalance is not None and imbalance >= self._params.imbalance_min

    def _enter(self, key: InstrumentKey, book: BookView, view: View) -> Iterable[Intent]:
        best, market = book.best_bid(), view.market(key.venue, key.market_id)
        if best is None or market is None or not is_tradable(market, view):
            return ()
        if not self._params.price_min <= best[0] <= self._params.price_max:
            return ()
        size = Size(min(self._params.clip, view.buying_room(key)) // best[0] * MICROS)
        if not size_allowed(market, best[0], size, side="buy", rests=True):
            return ()
        self._active[key] = None
        return (Intent(self.name, key, "buy", best[0], size, "gtc", "enter", post_only=True),)

    def _exit(self, position: Position, book: BookView, view: View) -> Iterable[Intent | CancelIntent]:
        key, cost = position.key, position.cost * MICROS // position.size
        orders = self._orders(key, view)
        bid, ask, market = book.best_bid(), book.best_ask(), view.market(key.venue, key.market_id)
        if market is None or not is_tradable(market, view):
            return ()
        if bid is not None and bid[0] <= cost - self._params.stop:
            if orders:
                return (CancelIntent(self.name, order.client_order_id, "stop") for order in orders)
            if not size_allowed(market, bid[0], position.size, side="sell", rests=False):
                return ()
            return (Intent(self.name, key, "sell", bid[0], position.size, "ioc", "stop"),)
        if orders or ask is None:
            return ()
        lowest = next_on_grid(market, Price(cost))
        if lowest is None or not size_allowed(market, ask[0], position.size, side="sell", rests=True):
            return ()  # what is too small to rest waits for the stop or for settlement
        return (Intent(self.name, key, "sell", max(ask[0], lowest), position.size, "gtc", "exit", post_only=True),)

    def _look_after(self, view: View) -> Iterable[Intent | CancelIntent]:
        """Take back orders that have rested for ``order_life``, and quote what is held without an order."""
        orders = view.open_orders(self.name)
        quoted = {order.key for order in orders}
        for key in [key for key in self._active if key not in quoted and view.position(key) is None]:
            del self._active[key]
        limit = view.now - self._params.order_life
        self.wake_at = min((each.submitted for each in orders), default=_NEVER) + self._params.order_life
        expired = [
            CancelIntent(self.name, each.client_order_id, "cancel")
            for each in orders
            if each.submitted <= limit and view.phase(each.key.venue) != "closed"
        ]
        quotes = [each for key in self._active if key not in quoted for each in self._quote(key, view)]
        return [*expired, *quotes]

    def _orders(self, key: InstrumentKey, view: View) -> tuple[Order, ...]:
        return tuple(order for order in view.open_orders(self.name) if order.key == key)
