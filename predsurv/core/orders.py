"""What a strategy wants, what risk lets through, and how an order lives.

Kept apart because the difference between an intent and a command is the whole point of risk: a
broker accepts ``Approved`` only, and only the risk check makes one.
"""

from typing import Final, Literal

from msgspec import Struct

from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, OrderSide, StrategyName
from predsurv.core.num import Money, Price, Size

TimeInForce = Literal["gtc", "ioc", "fok"]

OrderState = Literal[
    "pending",  # journalled, not yet known to have left
    "open",
    "filled",
    "cancelled",
    "rejected",
    "unknown",
]


class Intent(Struct, frozen=True, array_like=True, tag="intent"):
    """A strategy's wish: trade ``size`` at ``price`` or better.

    Intents of one ``group`` are legs of one basket: risk lets all of them through or none.
    ``signal`` names the reason from the strategy's closed set; ``note`` is for people.
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


class CancelIntent(Struct, frozen=True, array_like=True, tag="cancel_intent"):
    """A strategy's wish to take a resting order back."""

    strategy: StrategyName
    client_order_id: ClientOrderId
    signal: str


class PlaceOrder(Struct, frozen=True, array_like=True, tag="place"):
    """Send this order. ``client_order_id`` is a stable function of the run and its count."""

    client_order_id: ClientOrderId
    strategy: StrategyName
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size
    tif: TimeInForce
    post_only: bool = False
    group: str | None = None


class CancelOrder(Struct, frozen=True, array_like=True, tag="cancel"):
    """Take back what is left of this order."""

    client_order_id: ClientOrderId
    key: InstrumentKey


Command = PlaceOrder | CancelOrder


class Approved(Struct, frozen=True, array_like=True, tag="approved"):
    """A command that passed every risk check at ``ts``; what brokers accept."""

    ts: int
    command: Command


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """An intent that a risk check stopped; ``reason`` is from a closed set, ``detail`` for people."""

    ts: int
    intent: Intent | CancelIntent
    reason: str
    detail: str


class Order(Struct, frozen=True, array_like=True):
    """One of our orders as far as it is known; ``filled`` never exceeds ``size``."""

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

    @property
    def remaining(self) -> Size:
        """Size that may still trade."""
        return Size(self.size - self.filled)


class Position(Struct, frozen=True, array_like=True):
    """Shares held in one instrument with what they cost, fees excluded; never negative."""

    key: InstrumentKey
    size: Size
    cost: Money


class AccountSnapshot(Struct, frozen=True, array_like=True):
    """An account as its broker knows it at ``ts``; cash in micros of a dollar."""

    ts: int
    cash: Money
    positions: tuple[Position, ...] = ()
    open_orders: tuple[Order, ...] = ()


# From each state, the states an order may go to. A fill after `cancelled` or `rejected` is legal:
# venues announce late fills of orders thought lost (reliability.md 2, D4).
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
