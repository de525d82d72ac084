"""What an outsider owns and has ordered: cash, shares, orders, and the answers to them.

Kept apart from matching because money is conserved here and nowhere else.
"""

from collections import deque
from typing import Final

from predsurv.core.events import AccountEvent, Fill, OrderAccepted, OrderCancelled, OrderRejected
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, OrderId, Side, TradeId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Money, Price, Size, complement, notional, notional_up
from predsurv.core.orders import AccountSnapshot, Order, OrderState, PlaceOrder, Position
from predsurv.exchange.book import BookMatch, BookOrder
from predsurv.exchange.tape import Tape

OUTBOX_EVENTS_MAX: Final = 100_000
ORDERS_KEPT_MAX: Final = 100_000
_ROUNDING: Final = 1_000
"""Micros held back a buy order, as each of its fills is rounded up."""


class Holding:
    """Shares of one instrument and what they cost without fees."""

    __slots__ = ("cost", "size")

    def __init__(self) -> None:
        self.size = 0
        self.cost = 0


class WorkingOrder:
    """An order that an account placed, in whatever state. ``resting`` while it is in a book."""

    __slots__ = ("fee", "filled", "mirrored", "order_id", "place", "resting", "state", "submitted")

    def __init__(self, place: PlaceOrder, order_id: OrderId, submitted: int) -> None:
        self.place = place
        self.order_id = order_id
        self.submitted = submitted
        self.state: OrderState = "pending"
        self.filled = 0
        self.mirrored = False
        self.fee = FeeSchedule()
        self.resting: BookOrder | None = None

    @property
    def open_size(self) -> int:
        """What may still trade; 0 when it is over."""
        return self.place.size - self.filled if self.state in ("pending", "open") else 0

    @property
    def book_side(self) -> Side:
        """Its side in the frame of the book, which is the first outcome's."""
        return "bid" if (self.place.side == "buy") != self.mirrored else "ask"

    @property
    def book_price(self) -> Price:
        """Its price in the frame of the book."""
        return complement(self.place.price) if self.mirrored else self.place.price

    def reserved_cash(self) -> int:
        """Return the money that its remaining size may cost, micros."""
        size = Size(self.open_size)
        if self.place.side == "sell" or not size:
            return 0
        price = self.place.price
        return notional_up(price, size) + taker_fee(self.fee, price, size) + _ROUNDING


class Outbox:
    """Answers that one listener has not fetched yet; ``lost`` when it let too many pile up."""

    __slots__ = ("events", "lost")

    def __init__(self) -> None:
        self.events: deque[AccountEvent] = deque()
        self.lost = False

    def put(self, event: AccountEvent) -> None:
        """Append an answer, or give the listener up for lost."""
        if len(self.events) >= OUTBOX_EVENTS_MAX:
            self.lost = True
        else:
            self.events.append(event)


class AccountAnswers:
    """Tells every listener of an account what became of its orders. Times are exchange times."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._outboxes: list[Outbox] = []

    def listen(self) -> Outbox:
        """Return a new outbox that gets every answer from now on."""
        outbox = Outbox()
        self._outboxes.append(outbox)
        return outbox

    def leave(self, outbox: Outbox) -> None:
        """Stop filling ``outbox``."""
        if outbox in self._outboxes:
            self._outboxes.remove(outbox)

    def tell(self, event: AccountEvent) -> None:
        """Put ``event`` into every outbox."""
        for outbox in self._outboxes:
            outbox.put(event)

    def accepted(self, working: WorkingOrder) -> None:
        """The order exists."""
        place = working.place
        self.tell(OrderAccepted(place.key, self._tape.now, place.client_order_id, working.order_id))

    def rejected(self, key: InstrumentKey, client_order_id: ClientOrderId, reason: str) -> None:
        """The order does not exist."""
        self.tell(OrderRejected(key, self._tape.now, client_order_id, reason))

    def cancelled(self, place: PlaceOrder, reason: str) -> None:
        """What was left of the order is gone."""
        self.tell(OrderCancelled(place.key, self._tape.now, place.client_order_id, reason))


class ExchangeAccount:
    """One outsider at the exchange. Amounts in micros."""

    def __init__(self, cash: int, tape: Tape) -> None:
        self.cash = cash
        self.fees = 0
        self.answers = AccountAnswers(tape)
        self.holdings: dict[InstrumentKey, Holding] = {}
        self.orders: dict[ClientOrderId, WorkingOrder] = {}
        self._tape = tape
        self._by_resting: dict[int, WorkingOrder] = {}
        """Orders in books, by the identity of what rests there."""

    def free_cash(self) -> int:
        """Return what open buy orders have not spoken for."""
        return self.cash - sum(working.reserved_cash() for working in self._by_resting.values())

    def free_shares(self, key: InstrumentKey) -> int:
        """Return the shares that open sell orders have not spoken for."""
        holding = self.holdings.get(key)
        if holding is None:
            return 0
        return holding.size - sum(
            w.open_size for w in self._by_resting.values() if w.place.side == "sell" and w.place.key == key
        )

    def remember(self, working: WorkingOrder) -> None:
        """Know an order by its client id from now on; the oldest finished ones are forgotten."""
        self.orders[working.place.client_order_id] = working
        if len(self.orders) > ORDERS_KEPT_MAX:
            oldest = next(key for key, known in self.orders.items() if not known.open_size)
            del self.orders[oldest]

    def rest(self, working: WorkingOrder, resting: BookOrder) -> None:
        """Note that what is left of ``working`` now waits in a book."""
        resting.owner = self
        working.resting = resting
        self._by_resting[id(resting)] = working

    def taken(self, working: WorkingOrder, matches: list[BookMatch]) -> None:
        """Book what ``working`` traded as a taker."""
        for match in matches:
            self._book(working, match, maker=False)

    def traded(self, order: BookOrder, price: int, size: int, trade: int) -> None:
        """Book what a resting order traded as a maker."""
        working = self._by_resting[id(order)]
        self._book(working, BookMatch(price, size, trade), maker=True)
        if not order.remaining:
            del self._by_resting[id(order)]

    def removed(self, order: BookOrder, reason: str) -> None:
        """Note that the exchange took a resting order out."""
        self.finish(self._by_resting[id(order)], reason)

    def finish(self, working: WorkingOrder, reason: str) -> None:
        """End what is left of an order, which is in no book any more."""
        self._by_resting.pop(id(working.resting), None)
        working.state = "cancelled"
        self.answers.cancelled(working.place, reason)

    def settle(self, payouts: tuple[tuple[InstrumentId, Price], ...]) -> None:
        """Turn shares of a market that paid out into cash."""
        paid = dict(payouts)
        for key in [key for key in self.holdings if key.instrument_id in paid]:
            self.cash += notional(paid[key.instrument_id], Size(self.holdings.pop(key).size))

    def snapshot(self, now: int) -> AccountSnapshot:
        """Return the account as it is at ``now``."""
        held = sorted(self.holdings.items())
        return AccountSnapshot(
            ts=now,
            cash=Money(self.cash),
            positions=tuple(Position(key, Size(h.size), Money(h.cost)) for key, h in held if h.size),
            open_orders=tuple(_order(working) for working in self.orders.values() if working.open_size),
        )

    def _book(self, working: WorkingOrder, match: BookMatch, *, maker: bool) -> None:
        place, size = working.place, Size(match.size)
        price = Price(MICROS - match.price if working.mirrored else match.price)
        fee = (maker_fee if maker else taker_fee)(working.fee, price, size)
        holding = self.holdings.setdefault(place.key, Holding())
        if place.side == "buy":
            cost = notional_up(price, size)
            self.cash -= cost + fee
            holding.cost += cost
            holding.size += size
        else:
            self.cash += notional(price, size) - fee
            holding.cost -= holding.cost * size // holding.size
            holding.size -= size
            if not holding.size:
                del self.holdings[place.key]
        self.fees += fee
        working.filled += size
        working.state = "filled" if working.filled == place.size else "open"
        now = self._tape.now
        self.answers.tell(
            Fill(
                key=place.key, ts_recv=now, ts_venue=now, client_order_id=place.client_order_id,
                trade_id=TradeId(f"t{match.trade}"), side=place.side, price=price, size=size, fee=fee, maker=maker,
            )
        )  # fmt: skip


def _order(working: WorkingOrder) -> Order:
    place = working.place
    return Order(
        client_order_id=place.client_order_id, strategy=place.strategy, key=place.key, side=place.side,
        price=place.price, size=place.size, tif=place.tif, state="open", filled=Size(working.filled),
        submitted=working.submitted, order_id=working.order_id, group=place.group, post_only=place.post_only,
    )  # fmt: skip
