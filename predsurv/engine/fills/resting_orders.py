"""Our resting orders, and which of them an event fills."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, Side, VenueName
from predsurv.core.num import Size
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition
from predsurv.engine.fills.queued_orders import QueuedOrders, level_size
from predsurv.engine.fills.self_impact import SIDES_HIT, SelfImpact, stand_behind
from predsurv.state.book import BookView


class MakerFill(Struct, frozen=True):
    """A resting order traded ``size`` at its own price."""

    order: QueuePosition
    size: Size


class RestingOrders:
    """What happens to our resting orders: a level change, a trade, a gap.

    An instrument is in ``_gapped`` while its orders have lost their place: after a gap, or on arrival without a book.
    ``impact`` is what our fills change for others. ``queued``: the orders, and as ``departed`` those that rested, which
    late trades may have met.
    """

    def __init__(self, consumed: ConsumedLiquidity, model: QueueModel = "proportional") -> None:
        self._consumed, self._model = consumed, model
        self.queued = QueuedOrders()
        self.departed = self.queued.departed
        self.impact = SelfImpact(consumed, model, self.departed)
        self._gapped: set[InstrumentKey] = set()

    def add(self, order: QueuePosition, book: BookView | None) -> None:
        """Rest an order at the end of its level; without a book it joins at the next snapshot."""
        displaced = self.impact.displaced
        order.model, order.displaceable = self._model, order.remaining
        order.doubtful = self.impact.doubts.may_be_refused(order)
        if book is None:
            self._gapped.add(order.key)
        self.queued.add(order)
        self.queued.join(order, book, order.since, displaced.at(order.key, order.side, order.price))

    def remove(self, client_order_id: ClientOrderId, ts: int) -> QueuePosition | None:
        """Remove and return an order that is cancelled at ``ts`` (ns UTC), None when it does not rest here."""
        order = self.queued.find(client_order_id)
        if order is not None:
            self.queued.depart(order, ts)
        return order

    def of_market(self, venue: VenueName, market_id: MarketId) -> tuple[QueuePosition, ...]:
        """Return every order of a market."""
        return self.queued.of_market(venue, market_id)

    def holds(self, key: InstrumentKey) -> bool:
        """Return whether any order rests in this book."""
        return bool(self.queued.of(key))

    def rejoin(self, key: InstrumentKey, book: BookView | None) -> None:
        """Send the orders in a book to the ends of their levels: now, or with its next snapshot when there is none."""
        if book is None:
            if self.holds(key):
                self._gapped.add(key)
            return
        self._gapped.discard(key)
        for order in self.departed.of(key):
            self.impact.on_unseen(order)
        for order in self.queued.of(key):
            displaced = self.impact.displaced.at(key, order.side, order.price)
            self.queued.join(order, book, book.ts_recv, displaced)
            self.impact.on_unseen(order)

    def all(self) -> tuple[QueuePosition, ...]:
        """Return every resting order."""
        return self.queued.all()

    def on_delta(self, event: BookDelta, book: BookView, *, trading: bool = True) -> Iterator[MakerFill]:
        """Follow a level change and yield the fills by an opposite level that crosses us, none unless ``trading``."""
        for order in self.queued.of(event.key):
            if order.side == event.side and order.price == event.price:
                order.on_level_size(event.size, event.ts_recv, event.ts_venue, exact=True)
        if event.size and trading:
            yield from self._on_crossing(book, event.side)

    def on_snapshot(self, book: BookView, *, trading: bool = True) -> Iterator[MakerFill]:
        """Follow a snapshot; after a gap our orders rejoin their levels at the end. No fills unless ``trading``."""
        if book.key in self._gapped:
            self.rejoin(book.key, book)
        else:
            for order in self.queued.of(book.key):
                order.on_level_size(level_size(book, order), book.ts_recv, book.ts_venue)
        if trading:
            yield from self._on_crossing(book, "ask")
            yield from self._on_crossing(book, "bid")

    def on_trade(self, event: Trade) -> Iterator[MakerFill]:
        """Yield the fills by a public trade: its volume goes to our orders by price-time priority.

        Orders at better prices meet it first; of those at its price each waits for the volume ahead of it. A trade
        that does not say who took fills only what it went through, and nothing by the pessimistic model.
        """
        for side in SIDES_HIT[event.taker_side]:
            orders = [
                order
                for order in self.queued.met(event.key, event.ts_recv)
                if order.side == side and order.was_there(event.ts_venue)
            ]
            through = [order for order in orders if order.better_than(event.price)]
            at_price = [order for order in orders if order.price == event.price and event.taker_side is not None]
            if event.taker_side is None and self._model == "pessimistic":
                met = [order for order in orders if order in through or order.price == event.price]
                stand_behind(self.queued.of(event.key), event, side, self.impact.on_sideless(event, side, met))
            elif through or at_price:
                yield from self._on_side_hit(event, side, through, at_price)

    def _on_side_hit(
        self, event: Trade, side: Side, through: Sequence[QueuePosition], at_price: Sequence[QueuePosition]
    ) -> Iterator[MakerFill]:
        key, price, impact = event.key, event.price, self.impact
        left = max(event.size - impact.doubts.untold(key, side, event.ts_recv), 0)
        fills: list[MakerFill] = []
        for order in through:
            left -= impact.meet_first(order, left)
            size = min(left, int(order.remaining))
            left -= min(left, size + impact.filled_after(order, event))
            fills.append(MakerFill(order, Size(size)))
        left -= impact.displaced.take_better(key, side, price, left)
        reaching, earlier = left, 0
        displaced = impact.displaced.at(key, side, price)
        for order in at_price:
            if not order.may_fill(event.ts_venue):
                continue
            order.own_ahead += earlier
            earlier += impact.filled_after(order, event)
            # What an earlier order of ours gets is certain to us only by the other models.
            reaches = reaching if self._model == "pessimistic" else left
            size = min(order.on_trade(event.size, reaches, event.ts_recv, event.ts_venue, displaced=displaced), left)
            left -= size
            fills.append(MakerFill(order, Size(size)))
        displaced = impact.on_maker(event, side, (reaching, left), at_price)
        stand_behind(self.queued.of(key), event, side, displaced)
        for fill in fills:
            if fill.size and fill.order.may_fill(event.ts_venue):
                self.queued.fill(fill.order, fill.size, event)
                yield fill

    def _on_crossing(self, book: BookView, side: Side) -> Iterator[MakerFill]:
        """Yield the fills of our orders by the levels of ``side`` that cross them."""
        for order in tuple(self.queued.of(book.key)):
            best = book.best_ask() if side == "ask" else book.best_bid()
            if order.side == side or best is None or not order.crossed_by(best[0]):
                continue
            for price, size in tuple(self._consumed.remaining(book, side)):
                if not order.remaining or not order.crossed_by(price):
                    break
                first = self.impact.met_first(order, size, book.ts_recv)
                taken = min(size - first, int(order.remaining))
                self._consumed.consume(book, side, price, first + taken)
                if taken and not order.doubtful:
                    self.queued.fill(order, taken, book)
                    yield MakerFill(order, Size(taken))
