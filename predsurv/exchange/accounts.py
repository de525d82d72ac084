"""Accounts of outside traders: cash, shares, orders and the account events about them; money is conserved here."""

from collections import deque
from typing import Final

from predsurv.core.events import AccountEvent, CancelRejected, Fill, OrderAccepted, OrderCancelled, OrderRejected
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, OrderId, Side, TradeId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Money, Price, Size, complement, notional, notional_up
from predsurv.core.orders import AccountSnapshot, Order, OrderState, PlaceOrder, Position
from predsurv.exchange.book import BookMatch, BookOrder
from predsurv.exchange.tape import Tape

QUEUED_EVENTS_MAX: Final = 100_000
ORDERS_KEPT_MAX: Final = 100_000
_ROUNDING: Final = 1_000
"""Micros reserved in addition for each buy order, because the cost of every fill is rounded up."""
_NO_FEE: Final = FeeSchedule()


class Holding:
    """Shares of one instrument and their cost without fees, micros."""

    __slots__ = ("cost", "size")

    def __init__(self) -> None:
        self.size = 0
        self.cost = 0


class WorkingOrder:
    """An order of an account, in any state; ``resting`` is its remainder in a book, if it ever rested."""

    __slots__ = ("fee", "filled", "mirrored", "order_id", "request", "resting", "state", "submitted")

    def __init__(
        self,
        request: PlaceOrder,
        order_id: OrderId,
        submitted: int,
        fee: FeeSchedule = _NO_FEE,
        *,
        mirrored: bool = False,
    ) -> None:
        self.request = request
        self.order_id = order_id
        self.submitted = submitted
        self.state: OrderState = "pending"
        self.filled = 0
        self.mirrored = mirrored
        self.fee = fee
        self.resting: BookOrder | None = None

    @property
    def open_size(self) -> int:
        """The size that may still trade; 0 for a finished order."""
        return self.request.size - self.filled if self.state in ("pending", "open") else 0

    @property
    def book_side(self) -> Side:
        """The order's side in the book, which is the first outcome's."""
        return "bid" if (self.request.side == "buy") != self.mirrored else "ask"

    @property
    def book_price(self) -> Price:
        """The order's price in the book, which is the first outcome's."""
        return complement(self.request.price) if self.mirrored else self.request.price

    def reserved_cash(self) -> int:
        """Return the most that the remaining size may cost, fees included, micros."""
        size = Size(self.open_size)
        if self.request.side == "sell" or not size:
            return 0
        price = self.request.price
        return notional_up(price, size) + taker_fee(self.fee, price, size) + _ROUNDING


class AccountEventQueue:
    """Account events that one subscriber has not read yet; ``overflowed`` once there were too many."""

    __slots__ = ("events", "overflowed")

    def __init__(self) -> None:
        self.events: deque[AccountEvent] = deque()
        self.overflowed = False

    def put(self, event: AccountEvent) -> None:
        """Append an event; drop it and set ``overflowed`` at ``QUEUED_EVENTS_MAX``."""
        if len(self.events) >= QUEUED_EVENTS_MAX:
            self.overflowed = True
        else:
            self.events.append(event)


class AccountEventPublisher:
    """Publishes account events to every subscriber of an account, at exchange time."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._queues: list[AccountEventQueue] = []

    def subscribe(self) -> AccountEventQueue:
        """Return a new queue that gets every event from now on."""
        queue = AccountEventQueue()
        self._queues.append(queue)
        return queue

    def unsubscribe(self, queue: AccountEventQueue) -> None:
        """Stop filling ``queue``; safe to call twice."""
        if queue in self._queues:
            self._queues.remove(queue)

    def publish(self, event: AccountEvent) -> None:
        """Put ``event`` into every queue."""
        for queue in self._queues:
            queue.put(event)

    def order_accepted(self, working: WorkingOrder) -> None:
        """Publish that an order was accepted."""
        request = working.request
        self.publish(OrderAccepted(request.key, self._tape.now, request.client_order_id, working.order_id))

    def order_rejected(self, key: InstrumentKey, client_order_id: ClientOrderId, reason: str) -> None:
        """Publish that an order was rejected."""
        self.publish(OrderRejected(key, self._tape.now, client_order_id, reason))

    def cancel_rejected(self, key: InstrumentKey, client_order_id: ClientOrderId, reason: str) -> None:
        """Publish that a cancel was rejected."""
        self.publish(CancelRejected(key, self._tape.now, client_order_id, reason))

    def order_cancelled(self, request: PlaceOrder, reason: str) -> None:
        """Publish that the remainder of an order was cancelled."""
        self.publish(OrderCancelled(request.key, self._tape.now, request.client_order_id, reason))


class ExchangeAccount:
    """The account of one outside trader. Amounts in micros."""

    def __init__(self, cash: int, tape: Tape) -> None:
        self.cash = cash
        self.fees = 0
        self.publisher = AccountEventPublisher(tape)
        self.holdings: dict[InstrumentKey, Holding] = {}
        self.orders: dict[ClientOrderId, WorkingOrder] = {}
        self._tape = tape
        self._working: dict[int, WorkingOrder] = {}
        """Orders in books, by the identity of their ``BookOrder``."""

    def free_cash(self) -> int:
        """Return the cash that open buy orders do not reserve."""
        return self.cash - sum(working.reserved_cash() for working in self._working.values())

    def free_shares(self, key: InstrumentKey) -> int:
        """Return the shares that open sell orders do not reserve."""
        holding = self.holdings.get(key)
        if holding is None:
            return 0
        return holding.size - sum(
            w.open_size for w in self._working.values() if w.request.side == "sell" and w.request.key == key
        )

    def add_order(self, working: WorkingOrder) -> None:
        """Register an order under its client id; beyond ``ORDERS_KEPT_MAX`` the oldest finished one is dropped."""
        self.orders[working.request.client_order_id] = working
        if len(self.orders) > ORDERS_KEPT_MAX:
            oldest = next(key for key, known in self.orders.items() if not known.open_size)
            del self.orders[oldest]

    def add_resting(self, working: WorkingOrder, resting: BookOrder) -> None:
        """Register ``resting``, placed with this account as its owner, as the remainder of ``working``."""
        working.resting = resting
        self._working[id(resting)] = working

    def add_taker_fills(self, working: WorkingOrder, matches: list[BookMatch]) -> None:
        """Book the matches of ``working`` as taker fills."""
        for match in matches:
            self._add_fill(working, match, maker=False)

    def on_trade(self, order: BookOrder, match: BookMatch) -> None:
        """Book a match of a resting order as a maker fill."""
        working = self._working[id(order)]
        self._add_fill(working, match, maker=True)
        if not order.remaining:
            del self._working[id(order)]

    def on_removed(self, order: BookOrder, reason: str) -> None:
        """Cancel an order whose remainder the exchange took out of the book."""
        self.cancel_remainder(self._working[id(order)], reason)

    def cancel_remainder(self, working: WorkingOrder, reason: str) -> None:
        """Mark an order as cancelled, whose remainder is in no book, and publish that."""
        self._working.pop(id(working.resting), None)
        working.state = "cancelled"
        self.publisher.order_cancelled(working.request, reason)

    def settle(self, payouts: tuple[tuple[InstrumentId, Price], ...]) -> None:
        """Convert the shares of a settled market into cash."""
        price_of = dict(payouts)
        for key in [key for key in self.holdings if key.instrument_id in price_of]:
            self.cash += notional(price_of[key.instrument_id], Size(self.holdings.pop(key).size))

    def snapshot(self, now: int) -> AccountSnapshot:
        """Return the account's current state, stamped ``now`` (ns UTC)."""
        held = sorted(self.holdings.items())
        return AccountSnapshot(
            ts=now,
            cash=Money(self.cash),
            positions=tuple(Position(key, Size(h.size), Money(h.cost)) for key, h in held if h.size),
            open_orders=tuple(_order(working) for working in self.orders.values() if working.open_size),
        )

    def _add_fill(self, working: WorkingOrder, match: BookMatch, *, maker: bool) -> None:
        request, size = working.request, Size(match.size)
        price = Price(MICROS - match.price if working.mirrored else match.price)
        fee = (maker_fee if maker else taker_fee)(working.fee, price, size, request.side)
        holding = self.holdings.setdefault(request.key, Holding())
        if request.side == "buy":
            cost = notional_up(price, size)
            self.cash -= cost + fee
            holding.cost += cost
            holding.size += size
        else:
            self.cash += notional(price, size) - fee
            holding.cost -= holding.cost * size // holding.size
            holding.size -= size
            if not holding.size:
                del self.holdings[request.key]
        self.fees += fee
        working.filled += size
        working.state = "filled" if working.filled == request.size else "open"
        now = self._tape.now
        self.publisher.publish(
            Fill(
                key=request.key, ts_recv=now, ts_venue=now, client_order_id=request.client_order_id,
                trade_id=TradeId(f"t{match.trade}"), side=request.side, price=price, size=size, fee=fee, maker=maker,
            )
        )  # fmt: skip


def _order(working: WorkingOrder) -> Order:
    request = working.request
    return Order(
        client_order_id=request.client_order_id, strategy=request.strategy, key=request.key, side=request.side,
        price=request.price, size=request.size, tif=request.tif, state="open", filled=Size(working.filled),
        submitted=working.submitted, order_id=working.order_id, group=request.group, post_only=request.post_only,
    )  # fmt: skip
