"""A resting order's position in the queue of its level, estimated from public data.

Wherever the data is ambiguous the estimate is the one that fills us less: a trade and the level change it caused may
arrive in either order, and a cancel may have been ahead of us or behind.
"""

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder


class QueuePosition(Struct, kw_only=True):
    """Our order in the book of ``key`` (its primary instrument), at ``price`` on ``side``; sizes in micros.

    ``ahead``: volume that was ahead of us less what traded since. ``floor``: the smallest size of the
    level since we joined, which the volume ahead cannot exceed. ``level_size``: the level's latest
    size. ``unexplained``: shrinkage of the level that no trade has explained yet. ``arrival``
    orders our own orders at one price, ``since`` is when it came to rest (ns UTC).
    """

    command: PlaceOrder
    key: InstrumentKey
    side: Side
    price: Price
    remaining: Size
    arrival: int
    ahead: int = 0
    floor: int = 0
    level_size: int = 0
    unexplained: int = 0
    since: int = 0

    def join(self, level_size: Size) -> None:
        """Take the last place of a level that holds ``level_size``: on arrival, and again after a gap."""
        self.ahead = self.floor = self.level_size = level_size
        self.unexplained = 0

    def on_level_size(self, level_size: Size) -> None:
        """Follow a change of our level's size."""
        self.unexplained += max(self.level_size - level_size, 0)
        self.floor = min(self.floor, level_size)
        self.level_size = level_size

    def on_trade(self, volume: int) -> int:
        """Let ``volume`` trade at our price; return how much of it fills us, at most ``remaining``.

        Shrinkage that this trade explains is added back first: the level's size already reflected it.
        """
        explained = min(volume, self.unexplained)
        self.unexplained -= explained
        ahead = min(self.ahead, self.floor + explained)
        self.ahead = max(ahead - volume, 0)
        return min(max(volume - ahead, 0), self.remaining)

    def better_than(self, price: Price) -> bool:
        """Return whether our price is strictly better than ``price``: a trade there went through us."""
        return self.price > price if self.side == "bid" else self.price < price

    def crossed_by(self, price: Price) -> bool:
        """Return whether an opposite level at ``price`` would have traded with us."""
        return price <= self.price if self.side == "bid" else price >= self.price
