"""A market's book as Polymarket serializes it: two mirrored tokens, JSON text and book hash.

The hot path of the simulator: the JSON of a level is made once for both tokens, and a book is a join of its levels.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Final, Literal

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price, format_micros

Outcome = Literal[0, 1]
"""Index of a token: the first (prices as on the exchange) or the second, its mirror."""

LastTradeForm = Literal["rounded", "cut", "four_decimals", "shortest"]
"""How the price of the last trade is written: with three decimals, rounded or cut off, with four, or as prices are.

On the 0.001 grid the venue writes three decimals; what it does with finer prices is not known.
"""

_TEXTS_MAX: Final = 1 << 16
_EMPTY_HASH: Final = b'"hash":"",'


@lru_cache(_TEXTS_MAX)
def decimal_text(micros: int) -> bytes:
    """Return a price or size (micros) as the venue writes it: ``0.1``, ``503.32``, ``3300``."""
    return format_micros(micros).encode()


@lru_cache(_TEXTS_MAX)
def _level_json(price: int, size: int) -> bytes:
    return b'{"price":"%s","size":"%s"}' % (decimal_text(price), decimal_text(size))


class BestPrices(Struct, frozen=True, gc=False):
    """Best bid and ask as text; ``0`` and ``1`` for an empty side."""

    bid: bytes
    ask: bytes


class SerializedBookSide:
    """One side with the JSON of its levels; ``keys`` ascend to the best price, an ask's key is minus its price."""

    __slots__ = ("_joined", "_levels", "keys", "sign", "sizes")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.sizes: dict[int, int] = {}
        self._levels: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})
        self._joined: list[bytes | None] = [b"", b""]

    def set(self, price: int, size: int) -> bool:
        """Set the size at a price of the first token, 0 to remove it; return whether that changed the book."""
        key = price * self.sign
        if self.sizes.get(key, 0) == size:
            return False
        first, second = self._levels
        if not size:
            del self.sizes[key], first[key], second[key]
            del self.keys[bisect_left(self.keys, key)]
        else:
            if key not in self.sizes:
                insort(self.keys, key)
            self.sizes[key] = size
            first[key] = _level_json(price, size)
            second[key] = _level_json(MICROS - price, size)
        self._joined = [None, None]
        return True

    def best(self) -> int | None:
        """Return the best price of the first token in micros, None for an empty side."""
        return self.keys[-1] * self.sign if self.keys else None

    def levels_json(self, outcome: Outcome) -> bytes:
        """Return one token's levels as JSON without the brackets, worst level first."""
        joined = self._joined[outcome]
        if joined is None:
            joined = self._joined[outcome] = b",".join(map(self._levels[outcome].__getitem__, self.keys))
        return joined


class TokenPairBook:
    """The books of both tokens of a market, kept as the first token's.

    ``stamp``: time of the last change, ms UTC. ``min_order_size`` and ``tick_size`` in micros.
    """

    __slots__ = (
        "_hashes",
        "_heads",
        "_last_trade_text",
        "_min_order_size",
        "_neg_risk",
        "asks",
        "bids",
        "last_prices",
        "stamp",
        "tick_size",
        "tokens",
    )

    def __init__(
        self,
        market: str,
        tokens: tuple[str, str],
        stamp: int,
        *,
        min_order_size: int,
        tick_size: int,
        neg_risk: bool,
        last_trade_form: LastTradeForm = "cut",
    ) -> None:
        self.tokens = tokens
        self.stamp = stamp
        self.tick_size = decimal_text(tick_size)
        self.last_prices: list[bytes] = [b"", b""]
        """Price of the last trade of each token, as ``last_trade_form`` says; empty before the first trade."""
        self._last_trade_text = _LAST_TRADE_TEXTS[last_trade_form]
        self.bids = SerializedBookSide(1)
        self.asks = SerializedBookSide(-1)
        self._heads = tuple(b'{"market":"%s","asset_id":"%s"' % (market.encode(), token.encode()) for token in tokens)
        self._min_order_size = decimal_text(min_order_size)
        self._neg_risk = b"true" if neg_risk else b"false"
        self._hashes: list[bytes | None] = [None, None]

    def load(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Add the levels of the first token to an empty book."""
        for price, size in bids:
            self.bids.set(price, size)
        for price, size in asks:
            self.asks.set(price, size)
        self._hashes = [None, None]

    def set(self, side: Side, price: Price, size: int) -> bool:
        """Set one level of the first token; return whether that changed the book."""
        return (self.bids if side == "bid" else self.asks).set(price, size)

    def set_last_price(self, price: int) -> None:
        """Set the price of the last trade, in micros of the first token."""
        self.last_prices = [self._last_trade_text(price), self._last_trade_text(MICROS - price)]

    def end_burst(self, stamp: int) -> None:
        """End a burst of changes at ``stamp`` (ms UTC): the hashes cover the present state."""
        self.stamp = stamp
        self._hashes = [None, None]

    def set_tick_size(self, tick_size: int) -> None:
        """Set the tick size (micros), which the hashes cover."""
        self.tick_size = decimal_text(tick_size)
        self._hashes = [None, None]

    def sides_json(self, outcome: Outcome) -> tuple[bytes, bytes]:
        """Return bids ascending and asks descending, the venue's order, as JSON without brackets."""
        bids, asks = (self.bids, self.asks) if not outcome else (self.asks, self.bids)
        return bids.levels_json(outcome), asks.levels_json(outcome)

    def summary(self, outcome: Outcome) -> bytes:
        """Return the JSON of ``GET /book``."""
        return self._summary(outcome, b'"hash":"%s",' % self.hash(outcome))

    def hash(self, outcome: Outcome) -> bytes:
        """Return the venue's book hash: SHA-1 of the summary with an empty ``hash``, hexadecimal."""
        cached = self._hashes[outcome]
        if cached is None:
            cached = sha1(self._summary(outcome, _EMPTY_HASH), usedforsecurity=False).hexdigest().encode()
            self._hashes[outcome] = cached
        return cached

    def best(self, outcome: Outcome) -> BestPrices:
        """Return the best bid and ask of one token."""
        bid, ask = self.bids.best(), self.asks.best()
        if outcome:
            bid, ask = (None if ask is None else MICROS - ask), (None if bid is None else MICROS - bid)
        return BestPrices(decimal_text(bid or 0), decimal_text(MICROS if ask is None else ask))

    def head(self, outcome: Outcome) -> bytes:
        """Return the start of every message about one token: ``{"market":"0x…","asset_id":"…"``."""
        return self._heads[outcome]

    def _summary(self, outcome: Outcome, hash_field: bytes) -> bytes:
        return (
            b'%s,"timestamp":"%d",%s"bids":[%s],"asks":[%s],"min_order_size":"%s","tick_size":"%s",'
            b'"neg_risk":%s,"last_trade_price":"%s"}'
        ) % (
            self._heads[outcome],
            self.stamp,
            hash_field,
            *self.sides_json(outcome),
            self._min_order_size,
            self.tick_size,
            self._neg_risk,
            self.last_prices[outcome],
        )


def levels(side: SerializedBookSide) -> Sequence[tuple[int, int]]:
    """Return (price, size) of the first token in micros, worst level first."""
    return [(key * side.sign, side.sizes[key]) for key in side.keys]


def _with_decimals(value: int, decimals: int) -> bytes:
    """Return ``value`` units of the last of ``decimals`` decimals as text."""
    return b"%d.%0*d" % (value // 10**decimals, decimals, value % 10**decimals)


_LAST_TRADE_TEXTS: Final[Mapping[LastTradeForm, Callable[[int], bytes]]] = {
    "rounded": lambda price: _with_decimals((price + 500) // 1_000, 3),
    "cut": lambda price: _with_decimals(price // 1_000, 3),
    "four_decimals": lambda price: _with_decimals(price // 100, 4),
    "shortest": decimal_text,
}
