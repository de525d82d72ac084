"""Shares of one strategy in one instrument and the money they moved: the account's whole arithmetic.

Average costs without fees; buying rounds a fraction of a micro-dollar up, selling and payouts round it down.
"""

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill
from predsurv.core.num import Price, Size, notional, notional_up


class InstrumentHolding(Struct):
    """``size`` shares that cost ``cost``, and those that were paid out at ``paid_price``: micros.

    ``realised``, ``fees``, ``cash`` and ``paid`` (by payouts) are sums of what fills and payouts changed.
    """

    size: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    cash: int = 0
    paid: int = 0
    paid_size: int = 0
    paid_cost: int = 0
    paid_price: Price | None = None

    def fill(self, fill: Fill) -> None:
        """Book a fill; a sale of shares that were paid out takes that back, as if they never had been.

        Raises BrokenInvariant, changing nothing, for a sale of more than was held or paid out.
        """
        if fill.side == "buy":
            cost = notional_up(fill.price, fill.size)
            self.size += fill.size
            self.cost += cost
            self.cash -= cost + fill.fee
        else:
            self.check(fill)
            self._take_back(fill.size - self.size)
            proceeds = notional(fill.price, fill.size)
            self.realised += proceeds - self._remove(fill.size)
            self.cash += proceeds - fill.fee
        self.fees += fill.fee

    def covers(self, fill: Fill) -> bool:
        """Return whether it is a purchase, or a sale of no more than is held, or was paid out."""
        return fill.side == "buy" or fill.size <= self.size + self.paid_size

    def check(self, fill: Fill) -> None:
        """Raise BrokenInvariant for a sale that is not covered."""
        if not self.covers(fill):
            raise BrokenInvariant(
                f"fill {fill.trade_id} sells {fill.size} of {fill.key}, more than is held; "
                "reconcile the account with the venue"
            )

    def pay(self, price: Price) -> None:
        """Pay out what is held; later payouts of the same market are at the price of the first."""
        paid = notional(price, Size(self.size))
        if self.paid_price is None:
            self.paid_price = price
        self.paid_size += self.size
        self.paid_cost += self.cost
        self.realised += paid - self.cost
        self.cash += paid
        self.paid += paid
        self.size = self.cost = 0

    def copy(self) -> "InstrumentHolding":
        """Return the same holding as an object of its own."""
        return replace(self)

    def _remove(self, size: int) -> int:
        """Remove shares and return their part of the cost: the last share takes the whole rest."""
        cost = self.cost * size // self.size
        self.size -= size
        self.cost -= cost
        return cost

    def _take_back(self, size: int) -> None:
        if size <= 0 or self.paid_price is None:
            return
        cost, amount = self.paid_cost * size // self.paid_size, notional(self.paid_price, Size(size))
        self.paid_size -= size
        self.paid_cost -= cost
        self.size += size
        self.cost += cost
        self.realised += cost - amount
        self.cash -= amount
        self.paid -= amount
