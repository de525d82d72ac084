"""A resting order's place in the queue, as far as public data can tell.

Kept apart because it is a model, not a fact: wherever messages leave room for doubt (a trade and
the level change it caused may arrive in either order, a cancel may have been before or behind
us) it takes the answer that fills us less.
"""

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder


class QueuePosition(Struct, kw_only=True):
    """An order of ours in the book of ``key`` (where it really trades), at ``price`` on ``side``.

    All sizes in micros. ``ahead``: volume that was before us less what traded since; ``floor``: the
    smallest size the level has shown since we joined, which nothing ahead can exceed; ``shown``:
    the level's last size; ``dropped``: shrinkage of the level not yet explained by a trade.
    """

    command: PlaceOrder
    key: InstrumentKey
    side: Side
    price: Price
    remaining: Size
    arrival: int
    ahead: int = 0
    floor: int = 0
    shown: int = 0
    dropped: int = 0

    def join(self, level: Size) -> None:
        """Stand at the end of a level that shows ``level``: on arrival, and again after a gap."""
        self.ahead = self.floor = self.shown = level
        self.dropped = 0

    def resized(self, level: Size) -> None:
        """Take note that our level now shows ``level``."""
        self.dropped += max(self.shown - level, 0)
        self.floor = min(self.floor, level)
        self.shown = level

    def traded(self, volume: int) -> int:
        """Let ``volume`` trade at our price; return what of it reaches us (we take it at most whole).

        Shrinkage that this trade explains is given back first: the level's size already counted it.
        """
        explained = min(volume, self.dropped)
        self.dropped -= explained
        before_us = min(self.ahead, self.floor + explained)
        self.ahead = max(before_us - volume, 0)
        return min(max(volume - before_us, 0), self.remaining)

    def beats(self, price: Price) -> bool:
        """Return whether we stand at a strictly better price than ``price``: it traded through us."""
        return self.price > price if self.side == "bid" else self.price < price

    def crossed_by(self, price: Price) -> bool:
        """Return whether an opposite level at ``price`` would have traded with us."""
        return price <= self.price if self.side == "bid" else price >= self.price
