"""Our orders and the state each is in, by the transition table of ``core.orders``.

Account events may arrive in any order and more than once; every fill counts once, and none that failed, whichever of
both is told first.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, Literal, TypeVar

from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import (
    AccountEvent,
    CancelRejected,
    Fill,
    FillConfirmed,
    FillFailed,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName, TradeId
from predsurv.core.market import spends_on_taking
from predsurv.core.num import ZERO_MONEY, Money, Size, notional, notional_up
from predsurv.core.orders import LIVE_STATES, RESTING, TRANSITIONS, Order, OrderState, PlaceOrder, order_of

_K = TypeVar("_K")
_V = TypeVar("_V")

ApplyResult = Literal["applied", "duplicate", "stale", "foreign"]
"""What an account event did: changed an order, or told of a live one that its cancel was rejected; was applied before;
came too late; is of an order that is not ours."""

TradeState = Literal["matched", "confirmed", "failed", "confirmed_early"]
"""What was told of a trade: matched and open, final, never came about; final, its fill not told yet."""

FINISHED_KEPT_MAX: Final = 10_000
"""Finished orders kept for late fills; beyond it the oldest is dropped."""
TRADES_KEPT_MAX: Final = 100_000
"""Trade ids kept to recognise duplicates; beyond it the oldest is dropped."""
CHANGES_KEPT_MAX: Final = 1_000
"""Changed buys remembered by ``ChangedBuys``; beyond it whoever asks has to look at all."""

_STATE_AFTER: Final[dict[type, OrderState]] = {
    OrderAccepted: "open",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderUnknown: "unknown",
}


_NONE: Final[dict[ClientOrderId, Order]] = {}


class ChangedBuys:
    """Which live buys have changed, for somebody who keeps sums over them."""

    def __init__(self) -> None:
        self._names: dict[ClientOrderId, None] | None = None

    def note(self, client_order_id: ClientOrderId) -> None:
        """Take note that a buy was put or removed."""
        if self._names is not None:
            self._names[client_order_id] = None
            if len(self._names) > CHANGES_KEPT_MAX:
                self._names = None

    def take(self) -> Iterable[ClientOrderId] | None:
        """Return what has changed since the last call; None the first time, and where that is too much to tell."""
        names, self._names = self._names, {}
        return names


class LiveOrders:
    """Orders that may still trade, oldest first, by id and by instrument.

    ``buying``: what the rests of all buys cost at their limits, micros; kept as they change, since risk asks for it at
    every intent.
    """

    def __init__(self) -> None:
        self.all: dict[ClientOrderId, Order] = {}
        self.buying = ZERO_MONEY
        self._watching: list[ChangedBuys] = []
        self._by_key: dict[InstrumentKey, dict[ClientOrderId, Order]] = {}

    def put(self, order: Order) -> None:
        """Add an order, or put it in the place of what it was."""
        before = self.all.get(order.client_order_id)
        if order.side == "buy":
            self.buying = Money(self.buying + _buying(order) - (0 if before is None else _buying(before)))
            for each in self._watching:
                each.note(order.client_order_id)
        self.all[order.client_order_id] = order
        self._by_key.setdefault(order.key, {})[order.client_order_id] = order

    def remove(self, client_order_id: ClientOrderId) -> None:
        """Remove an order; does nothing when it is not there."""
        order = self.all.pop(client_order_id, None)
        if order is None:
            return
        if order.side == "buy":
            self.buying = Money(self.buying - _buying(order))
            for each in self._watching:
                each.note(client_order_id)
        of_key = self._by_key[order.key]
        del of_key[client_order_id]
        if not of_key:
            del self._by_key[order.key]

    def of(self, key: InstrumentKey) -> Collection[Order]:
        """Return the orders in one instrument."""
        return self._by_key.get(key, _NONE).values()

    def watch_buys(self) -> ChangedBuys:
        """Return what tells from now on which buys were put or removed."""
        changes = ChangedBuys()
        self._watching.append(changes)
        return changes


def _buying(order: Order) -> Money:
    return notional_up(order.price, order.remaining)


class Orders:
    """Orders by client order id; the result depends only on the set of events, not on their order.

    ``working``: those that may still trade; ``finished``: the others that are kept, for reading.
    """

    def __init__(self) -> None:
        self.working = LiveOrders()
        self.finished: dict[ClientOrderId, Order] = {}
        self._trades: dict[tuple[InstrumentKey, TradeId], TradeState] = {}

    def place(self, command: PlaceOrder, ts: int) -> Order:
        """Add an order that is about to be sent; raises BrokenInvariant for an id used before."""
        if self.get(command.client_order_id) is not None:
            raise BrokenInvariant(f"client order id {command.client_order_id} used twice")
        order = order_of(command, "pending", submitted=ts)
        self.working.put(order)
        return order

    def apply(self, event: AccountEvent) -> ApplyResult:
        """Fold one account event in; raises BrokenInvariant when a fill does not fit its order."""
        if isinstance(event, FillConfirmed | FillFailed):
            return self._outcome(event)
        order = self.get(event.client_order_id)
        if order is None:
            return "foreign"
        if isinstance(event, Fill):
            return self._fill(order, event)
        if isinstance(event, CancelRejected):  # says nothing of the order: it may just be on its way to the venue
            return "applied" if order.state in LIVE_STATES else "stale"
        changed = order
        if isinstance(event, OrderAccepted) and order.order_id is None:  # often told after the first fill
            changed = replace(order, order_id=event.order_id)
        state = _STATE_AFTER[type(event)]
        if state in TRANSITIONS[order.state]:
            changed = replace(changed, state=state)
        if changed is order:
            return "stale"
        self._store(changed)
        return "applied"

    def get(self, client_order_id: ClientOrderId) -> Order | None:
        """Return the order, live or finished, None when it is not known or no longer kept."""
        return self.working.all.get(client_order_id) or self.finished.get(client_order_id)

    def told(self, key: InstrumentKey, trade_id: TradeId) -> TradeState | None:
        """Return what was told of a trade, None for nothing."""
        return self._trades.get((key, trade_id))

    def live(self) -> tuple[Order, ...]:
        """Return every order that may still trade, oldest first, unknown ones included."""
        return tuple(self.working.all.values())

    def live_of(self, strategy: StrategyName) -> tuple[Order, ...]:
        """Return a strategy's orders that may still trade, oldest first."""
        return tuple(order for order in self.working.all.values() if order.strategy == strategy)

    def live_count(self) -> int:
        """Return the number of orders that may still trade."""
        return len(self.working.all)

    def _fill(self, order: Order, fill: Fill) -> ApplyResult:
        trade = (fill.key, fill.trade_id)
        told = self._trades.get(trade)
        if told not in (None, "confirmed_early"):
            return "duplicate"
        spent, grown = order.spent, Size(order.filled + fill.size)
        if _spends(order):
            spent = Money(spent + notional(fill.price, fill.size))
            fits = spent <= notional_up(order.price, order.size) or grown <= order.size
        else:
            fits = grown <= order.size
        if not fits or fill.size <= 0 or (fill.key, fill.side) != (order.key, order.side):
            raise BrokenInvariant(
                f"fill {fill.trade_id} of {fill.size} does not fit order {order.client_order_id} "
                f"with {order.remaining} left; reconcile the account with the venue"
            )
        self._trades[trade] = "matched" if fill.unconfirmed and told is None else "confirmed"
        _drop_oldest(self._trades, TRADES_KEPT_MAX)
        order = replace(order, size=max(order.size, grown), spent=spent)
        self._store(replace(order, filled=grown, state=_state_after_fill(order, grown)))
        return "applied"

    def _outcome(self, event: FillConfirmed | FillFailed) -> ApplyResult:
        trade = (event.key, event.trade_id)
        told, fails = self._trades.get(trade), isinstance(event, FillFailed)
        if told in ("confirmed", "confirmed_early") and fails:
            raise BrokenInvariant(f"trade {event.trade_id} failed after it was confirmed; reconcile the account")
        if told not in (None, "matched"):
            return "duplicate" if (told == "failed") == fails else "stale"
        early: TradeState = "confirmed_early" if told is None else "confirmed"
        self._trades[trade] = "failed" if fails else early
        _drop_oldest(self._trades, TRADES_KEPT_MAX)
        return "applied"

    def amend(self, client_order_id: ClientOrderId, change: Callable[[Order], Order]) -> None:
        """Change what is known of an order besides its state, as long as it is kept."""
        order = self.get(client_order_id)
        if order is not None:
            self._store(change(order))

    def _store(self, order: Order) -> None:
        if order.state in LIVE_STATES:
            self.finished.pop(order.client_order_id, None)
            self.working.put(order)
            return
        self.working.remove(order.client_order_id)
        self.finished[order.client_order_id] = order
        _drop_oldest(self.finished, FINISHED_KEPT_MAX)


def _spends(order: Order) -> bool:
    return order.side == "buy" and order.tif not in RESTING and spends_on_taking(order.key.venue)


def _state_after_fill(order: Order, filled: Size) -> OrderState:
    if filled == order.size:
        return "filled"
    # A fill proves that a rejected or unknown order exists; a cancelled one stays cancelled.
    return "cancelled" if order.state == "cancelled" else "open"


def _drop_oldest(kept: dict[_K, _V], limit: int) -> None:
    if len(kept) > limit:
        del kept[next(iter(kept))]
