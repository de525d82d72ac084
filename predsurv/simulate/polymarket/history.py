"""The prices of the last hours, one a minute and token, and which side took last.

Kept apart because it is the only thing the simulator remembers of the past.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from predsurv.core.ids import OrderSide

POINTS_MAX: Final = 1_440
_SECONDS_PER_POINT: Final = 60
_NS_PER_S: Final = 1_000_000_000


class PriceHistory:
    """Trades by first token, prices in micros on its scale."""

    def __init__(self) -> None:
        self._points: dict[str, deque[tuple[int, int]]] = {}
        self._sides: dict[str, OrderSide] = {}

    def add(self, token: str, ts: int, price: int, side: OrderSide) -> None:
        """Note a trade at ``ts`` (ns UTC); the last one of a minute stands for it."""
        second = ts // _NS_PER_S
        points = self._points.setdefault(token, deque(maxlen=POINTS_MAX))
        if points and points[-1][0] // _SECONDS_PER_POINT == second // _SECONDS_PER_POINT:
            points.pop()
        points.append((second, price))
        self._sides[token] = side

    def points(self, token: str) -> Sequence[tuple[int, int]]:
        """Return (second, price) pairs, oldest first."""
        return tuple(self._points.get(token, ()))

    def last_side(self, token: str) -> str:
        """Return ``BUY`` or ``SELL``, "" before the first trade."""
        side = self._sides.get(token)
        return side.upper() if side else ""
