"""Price history of each market: one point a minute, and the taker side of the last trade."""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from predsurv.core.ids import OrderSide

POINTS_MAX: Final = 1_440
_SECONDS_PER_POINT: Final = 60
_NS_PER_S: Final = 1_000_000_000


class PricePoint(NamedTuple):
    """``price`` in micros at ``second`` (s UTC)."""

    second: int
    price: int


class PriceHistory:
    """The trades by first token, prices of that token in micros."""

    def __init__(self) -> None:
        self._points: dict[str, deque[PricePoint]] = {}
        self._taker_sides: dict[str, OrderSide] = {}

    def add(self, token: str, ts: int, price: int, taker_side: OrderSide) -> None:
        """Add a trade at ``ts`` (ns UTC); the last trade of a minute replaces the earlier ones."""
        second = ts // _NS_PER_S
        points = self._points.setdefault(token, deque(maxlen=POINTS_MAX))
        if points and points[-1].second // _SECONDS_PER_POINT == second // _SECONDS_PER_POINT:
            points.pop()
        points.append(PricePoint(second, price))
        self._taker_sides[token] = taker_side

    def points(self, token: str) -> Sequence[PricePoint]:
        """Return at most ``POINTS_MAX`` points, oldest first."""
        return tuple(self._points.get(token, ()))

    def last_side(self, token: str) -> str:
        """Return the taker side of the last trade, ``BUY`` or ``SELL``; "" before the first trade."""
        side = self._taker_sides.get(token)
        return side.upper() if side else ""
