"""What the connections of a feed remember in common.

Kept apart from ``decode`` because a codec lives as long as its connection, and this longer.
"""

from collections import deque
from typing import Final, Protocol
from weakref import WeakSet

from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS, ONE, Price, Size, parse_micros
from predsurv.venues.polymarket.hash_verifier import HashBudget, HashCheckCounts, HashVerifier

PRICES_MAX: Final = 1 << 14
SIZES_MAX: Final = 1 << 17
"""Every level of some 1,600 books of forty levels a side; 20 MB when full."""
PARTS_MAX: Final = 1 << 15
SEEN_MAX: Final = 1 << 13
"""Trades and announcements remembered to tell a repeated message from a new one."""


class PriceCache(dict[str, Price]):
    """Price texts already parsed; holds prices strictly between 0 and 1 only."""

    def __missing__(self, text: str) -> Price:
        price = Price(parse_micros(text))
        if not 0 < price < ONE:
            raise ValueError(f"price outside 0 … 1: {text[:32]!r}")
        if len(self) >= PRICES_MAX:
            self.clear()
        self[text] = price
        return price


class SizeCache(dict[str, Size]):
    """Size texts already parsed: most levels of a book that is sent again have not changed.

    A new one is mostly made of a whole and a fraction that were seen before; and two parts that
    both passed the gate make a number that would, at half the cost.
    """

    def __init__(self) -> None:
        self._wholes: dict[str, int] = {}
        self._fractions: dict[str, int] = {}

    def __missing__(self, text: str) -> Size:
        whole, _, fraction = text.partition(".")
        try:
            # Naming the type would be a call, at a place that is passed for every second size.
            size: Size = self._wholes[whole] + self._fractions[fraction]  # type: ignore[assignment]
        except KeyError:
            size = self._parse(text, whole, fraction)
        if len(self) >= SIZES_MAX:
            self.clear()
        self[text] = size
        return size

    def _parse(self, text: str, whole: str, fraction: str) -> Size:
        size = Size(parse_micros(text))
        # ".5" is a number, its parts are not.
        if whole:
            if len(self._wholes) + len(self._fractions) >= PARTS_MAX:
                self._wholes.clear()
                self._fractions.clear()
            self._wholes[whole] = size // MICROS * MICROS
            self._fractions[fraction] = size % MICROS
        return size


class SeenIds:
    """The last ``SEEN_MAX`` ids."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def add(self, name: str) -> bool:
        """Remember ``name``; return whether it is new."""
        if name in self._known:
            return False
        if len(self._order) >= SEEN_MAX:
            self._known.discard(self._order.popleft())
        self._known.add(name)
        self._order.append(name)
        return True


def announcement(event: MarketChange | MarketResolved) -> str:
    """Return what an announcement is remembered by; a market is created once and settles once."""
    return f"{'resolved' if isinstance(event, MarketResolved) else 'created'} {event.market_id}"


class TokenCarrier(Protocol):
    """What can be known of a connection from outside: what it carries by token, and its books."""

    carried: dict[str, InstrumentKey]
    witness: HashVerifier


class PolymarketSharedState:
    """What all connections of a feed may share: parsed texts, what was told already, and the checks.

    Two connections carry the same instruments while one takes over, so what was told spans them.
    """

    def __init__(self, checks: HashCheckCounts | None = None) -> None:
        self.prices = PriceCache()
        self.sizes = SizeCache()
        self.trades = SeenIds()
        self.announced = SeenIds()
        self.budget = HashBudget()
        self.checks = checks or HashCheckCounts()
        self.codecs: WeakSet[TokenCarrier] = WeakSet()

    def for_herald(self) -> "PolymarketSharedState":
        """Return a memory that shares the announcements only: trades that a herald hears are not told."""
        other = PolymarketSharedState()
        other.announced = self.announced
        return other
