"""Intents of strategies, commands for brokers, and the life cycle of an order.

A broker accepts ``Approved`` commands only, and only the risk gate makes them.
"""

from typing import Final, Literal

from msgspec import Struct

from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, OrderSide, StrategyName
from predsurv.core.num import ZERO_MONEY, ZERO_SIZE, Money, Price, Size

TimeInForce = Literal["gtc", "gtd", "ioc", "fok"]
"""Rests until cancelled, rests until a time, takes what is there, takes all or nothing."""

RESTING: Final = frozenset[TimeInForce]({"gtc", "gtd"})
"""Orders that may rest; the others only take."""

OrderState = Literal[
    "pending",  # journalled, not yet known to have left
    "open",
    "filled",
    "cancelled",
    "rejected",
    "unknown",
]


class Intent(Struct, frozen=True, array_like=True, tag="intent"):
    """What a strategy wants to trade: ``size`` at ``price`` or better.

    Intents of one ``group`` are legs of one basket: risk approves all of them or none.
    ``signal`` is the reason, from the strategy's closed set; ``note`` is for people. ``expires`` (ns UTC) belongs to
    ``gtd``: from then on what rests is cancelled.
    """

    strategy: StrategyName
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size
    tif: TimeInForce
    signal: str
    post_only: bool = False
    group: str | None = None
    note: str = ""
    expires: int | None = None


class CancelIntent(Struct, frozen=True, array_like=True, tag="cancel_intent"):
    """A resting order that a strategy wants to cancel."""

    strategy: StrategyName
    client_order_id: ClientOrderId
    signal: str


class Quotes(Struct, frozen=True, array_like=True, tag="quotes"):
    """What a strategy wants to have resting in an instrument: (price, size) to buy and to sell, None for nothing.

    The engine compares it with the strategy's live ``gtc`` orders there and sends only what changes. What rests at the
    wanted price keeps its place in the queue, and is topped up or reduced by whole orders; everything else of that
    side is cancelled. A new order waits until what it replaces is gone, so that a side never rests twice; it is
    post-only, holds back while it would cross an order of this account, and sells no more than the strategy holds.
    What was decided in the same step, by any strategy, counts as sent. Where two resting orders of the account would
    trade with each other, the one whose quotes are stated first is cancelled. What may not rest now (while only
    reducing, in a pause of the venue) is not sent; what risk refused is not sent again for a second.
    A side that wants less than the market's minimum rests as it is. Of several for one instrument in one answer the
    last holds.
    Raises ValueError where bid and ask would trade with each other, or a price or size is not above 0.
    """

    strategy: StrategyName
    key: InstrumentKey
    bid: tuple[Price, Size] | None = None
    ask: tuple[Price, Size] | None = None
    signal: str = "quote"

    def __post_init__(self) -> None:
        for level in (self.bid, self.ask):
            if level is not None and (level[0] <= 0 or level[1] <= 0):
                raise ValueError(f"{self.key}: a quote needs a price and a size above 0, or None for no quote")
        if self.bid is not None and self.ask is not None and self.bid[0] >= self.ask[0]:
            raise ValueError(f"{self.key}: the bid of {self.bid[0]} is not below the ask of {self.ask[0]} (micros)")


Decision = Intent | CancelIntent | Quotes
"""What a strategy may return: an order, a cancel, or the quotes that it wants to have."""


class PlaceOrder(Struct, frozen=True, array_like=True, tag="place"):
    """Place an order. ``client_order_id`` is a function of the run and the number of its order."""

    client_order_id: ClientOrderId
    strategy: StrategyName
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size
    tif: TimeInForce
    post_only: bool = False
    group: str | None = None
    expires: int | None = None


class CancelOrder(Struct, frozen=True, array_like=True, tag="cancel"):
    """Cancel the rest of an order."""

    client_order_id: ClientOrderId
    key: InstrumentKey


Command = PlaceOrder | CancelOrder


class Approved(Struct, frozen=True, array_like=True, tag="approved"):
    """A command that passed every risk check at ``ts`` (ns UTC)."""

    ts: int
    command: Command


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """An intent that was refused at ``ts`` (ns UTC); ``reason`` is from a closed set, ``detail`` for people."""

    ts: int
    intent: Intent | CancelIntent
    reason: str
    detail: str


class Order(Struct, frozen=True, array_like=True):
    """The known state of one of our orders, placed at ``submitted`` (ns UTC); ``filled`` never exceeds ``size``.

    ``failed``: the part of ``filled`` that was matched and never came about. ``spent``: what the fills of a buy cost
    that spends what it is worth at its limit (``spends_on_taking``); its size grows with what that brings, micros.
    """

    client_order_id: ClientOrderId
    strategy: StrategyName
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size
    tif: TimeInForce
    state: OrderState
    filled: Size
    submitted: int
    order_id: OrderId | None = None
    group: str | None = None
    post_only: bool = False
    expires: int | None = None
    failed: Size = ZERO_SIZE
    spent: Money = ZERO_MONEY

    @property
    def remaining(self) -> Size:
        """The size that may still trade."""
        return Size(self.size - self.filled)


def order_of(command: PlaceOrder, state: OrderState, *, filled: Size = ZERO_SIZE, submitted: int = 0) -> Order:
    """Return the order that ``command`` places, in ``state``; ``submitted`` in ns UTC, 0 when that does not matter."""
    return Order(
        command.client_order_id,
        command.strategy,
        command.key,
        command.side,
        command.price,
        command.size,
        command.tif,
        state,
        filled,
        submitted,
        None,
        command.group,
        command.post_only,
        command.expires,
    )


class Position(Struct, frozen=True, array_like=True):
    """Shares held of one instrument with their cost, fees excluded; never negative."""

    key: InstrumentKey
    size: Size
    cost: Money


class AccountSnapshot(Struct, frozen=True, array_like=True):
    """An account at its broker at ``ts`` (ns UTC); cash in micros of a dollar."""

    ts: int
    cash: Money
    positions: tuple[Position, ...] = ()
    open_orders: tuple[Order, ...] = ()


# The states that an order may enter from each state. A fill after `cancelled` or `rejected` is legal:
# venues report late fills of orders believed dead.
TRANSITIONS: Final[dict[OrderState, frozenset[OrderState]]] = {
    "pending": frozenset({"open", "filled", "cancelled", "rejected", "unknown"}),
    "open": frozenset({"open", "filled", "cancelled", "unknown"}),
    "unknown": frozenset({"open", "filled", "cancelled", "rejected", "unknown"}),
    "filled": frozenset(),
    "cancelled": frozenset({"filled", "cancelled"}),
    "rejected": frozenset({"filled", "open"}),
}

LIVE_STATES: Final = frozenset[OrderState]({"pending", "open", "unknown"})
"""States in which an order may still trade and therefore counts as exposure."""
