"""How the venue writes the price of the last trade where a book hash covers it.

On the 0.001 grid it has three decimals, as recorded books show. How finer prices are written is not documented:
rounded or cut to three decimals, with those of their grid, or as short as possible. So every such text is tried, and
hashes of books with a finer tick size are no evidence before one of them showed how the venue writes such a price.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from predsurv.core.num import DECIMALS, MICROS, format_micros, parse_micros

THREE: Final = 3
"""Decimals that every price on the 0.001 grid has."""
GRID_MAX: Final = 10_000
"""Prices of a grid whose texts are all tried; of a finer one only those with up to three decimals are."""
NEAR: Final = 10_000
"""Texts of prices this near (micros) to the best prices are tried first: that is where trades happen."""
WIDE: Final = 100_000
"""With best prices this far apart (micros) no text is nearer than another."""
CLASSES_MAX: Final = 64
"""Tick sizes of which anything is remembered."""
DECIMALS_MAX: Final = 12
"""Decimals of a text that can prove its form."""
CACHED_MAX: Final = 16
"""Kinds of texts that are kept; those of the finest tick size take half a megabyte."""

_THOUSANDTH: Final = MICROS // 10**THREE
_KNOWN: Final = ("0.1", "0.01", "0.005", "0.001")


class PriceTexts(NamedTuple):
    """Texts with the same number of decimals, as they end what is hashed, by price (micros, ascending)."""

    prices: Sequence[int]
    ends: Sequence[bytes]

    def between(self, low: int, high: int) -> Sequence[bytes]:
        """Return the texts of the prices from ``low`` to ``high``."""
        return self.ends[bisect_left(self.prices, low) : bisect_right(self.prices, high)]


class LastTradeTexts:
    """What is known of the form, by tick size; the connections of a feed share it.

    ``settled``: tick sizes, as the venue writes them, with which every hash is evidence.
    """

    def __init__(self) -> None:
        self.settled = set(_KNOWN)
        self._proved: dict[int, int] = {}

    def is_evidence(self, tick_sizes: Iterable[str], fine_price: str) -> bool:
        """Return whether a hash that no text gives shows a wrong book, which had these tick sizes.

        ``fine_price``: that of the last trade if it is known and off the 0.001 grid, else "".
        """
        return all(self._is_settled(tick_micros(tick_size), fine_price) for tick_size in tick_sizes)

    def learn(self, tick_size: str, text: str, fine_price: str) -> bool:
        """Take what a hash reproduced with ``text`` shows; return whether hashes are evidence from now on.

        ``fine_price``: that of the trade behind ``text``, if it is known and off the 0.001 grid, else "".
        """
        tick = tick_micros(tick_size)
        shows_form = _has_fine_form(tick, text) or (fine_price and text in self.renderings(fine_price, tick_size))
        if shows_form and _decimals(text) <= DECIMALS_MAX and len(self._proved) < CLASSES_MAX:
            self._proved.setdefault(tick, _decimals(text))
        if not self._is_settled(tick, ""):
            return False
        if len(self.settled) < CLASSES_MAX:
            self.settled.add(tick_size)
        return True

    def renderings(self, price: str, tick_size: str) -> tuple[str, ...]:
        """Return the texts that a price may have, the likeliest first; a text that is no price stays as it is."""
        try:
            value = parse_micros(price)
        except ValueError:
            return (price,)
        found: dict[str, None] = {}
        for decimals in self._likely_decimals(tick_micros(tick_size)):
            unit = 10 ** max(DECIMALS - decimals, 0)
            if not value % unit:
                found[_fixed(value, decimals)] = None
            elif decimals >= THREE:
                found[_fixed(value + unit // 2, decimals)] = None
                found[_fixed(value, decimals)] = found[_fixed(value + unit, decimals)] = None
        return (*found, price) if price not in found else tuple(found)

    def search_order(self, tick_sizes: Iterable[str], best_prices: tuple[int, int]) -> list[Sequence[bytes]]:
        """Return all texts that a last trade price may have, those near the ``best_prices`` (micros) first."""
        kinds = dict.fromkeys(
            (decimals, tick if decimals > THREE else _THOUSANDTH)
            for tick in map(tick_micros, tick_sizes)
            for decimals in self._likely_decimals(tick)
            if decimals <= THREE or _is_searchable(tick)
        )
        every = [price_texts(*kind) for kind in kinds]
        low, high = best_prices
        near = [texts.between(low - NEAR, high + NEAR) for texts in every] if high - low < WIDE else []
        return [(end_of(""),), *near, *(texts.ends for texts in every)]

    def _is_settled(self, tick: int, fine_price: str) -> bool:
        if not tick % _THOUSANDTH:
            return not fine_price or tick in self._proved
        return tick in self._proved and _is_searchable(tick)

    def _likely_decimals(self, tick: int) -> Iterable[int]:
        """Return the numbers of decimals that a price may have: the proved one, three, the grid's, the fewest."""
        own = max(_decimals(format_micros(tick)), THREE + 1)
        return dict.fromkeys((self._proved.get(tick, THREE), THREE, own, 2, 1, 0))


@lru_cache(maxsize=CACHED_MAX)
def price_texts(decimals: int, tick: int) -> PriceTexts:
    """Return the texts of all prices with so many decimals, beyond three of those that are multiples of ``tick``."""
    prices = range(0, MICROS + 1, 10 ** (DECIMALS - decimals) if decimals <= THREE else tick)
    return PriceTexts(prices, tuple([end_of(_fixed(price, decimals)) for price in prices]))


@lru_cache(maxsize=4 * CLASSES_MAX)
def tick_micros(tick_size: str) -> int:
    """Return a tick size in micros, 0 for what is none."""
    try:
        return parse_micros(tick_size)
    except ValueError:
        return 0


def fine_part(price: str) -> str:
    """Return ``price`` if it is off the 0.001 grid, else ""."""
    return price if price.partition(".")[2][THREE:].strip("0") else ""


def end_of(text: str) -> bytes:
    """Return the last part of what is hashed: the last trade price and what closes it."""
    return f'{text}"}}'.encode()


def _has_fine_form(tick: int, text: str) -> bool:
    """Return whether ``text`` can only have come from a price off the 0.001 grid, or has more decimals anyway."""
    if _decimals(text) != THREE:
        return _decimals(text) > THREE
    try:
        value = parse_micros(text)
    except ValueError:
        return False
    return bool(tick % _THOUSANDTH and value % tick)


def _is_searchable(tick: int) -> bool:
    """Return whether all prices on a grid can be tried."""
    return MICROS // GRID_MAX <= tick <= MICROS


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _fixed(value: int, decimals: int) -> str:
    """Return ``value`` micros with so many decimals, cut off or filled with zeros."""
    whole, fraction = divmod(value, MICROS)
    return f"{whole}.{f'{fraction:06}'[:decimals]:0<{decimals}}" if decimals else str(whole)
