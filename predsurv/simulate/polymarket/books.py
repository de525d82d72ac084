"""A market's book as the venue writes it: two mirrored tokens, texts ready to send, the hash.

Kept apart because it is the hot part of the simulator: every level's text is made once, a whole
book is a join of them, and both tokens are written from the same two lists.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Final, Literal

from predsurv.core.events import Level
from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price, format_micros

Outcome = Literal[0, 1]
"""The first token (the exchange's own scale) or the second, its mirror."""

_TEXTS_MAX: Final = 1 << 16
_HASH_HOLE: Final = b'"hash":"",'


@lru_cache(_TEXTS_MAX)
def text(micros: int) -> bytes:
    """Return a price or size as the venue writes it: ``0.1``, ``503.32``, ``3300``."""
    return format_micros(micros).encode()


@lru_cache(_TEXTS_MAX)
def _level(price: int, size: int) -> bytes:
    return b'{"price":"%s","size":"%s"}' % (text(price), text(size))


class TokenBookSide:
    """One side, worst level first; ``keys`` ascend, an ask's is minus its price."""

    __slots__ = ("_joined", "_written", "keys", "sign", "sizes")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.sizes: dict[int, int] = {}
        self._written: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})
        self._joined: list[bytes | None] = [b"", b""]

    def set(self, price: int, size: int) -> bool:
        """Set what rests at a price; returns whether that changed anything."""
        key = price * self.sign
        if self.sizes.get(key, 0) == size:
            return False
        first, second = self._written
        if not size:
            del self.sizes[key], first[key], second[key]
            del self.keys[bisect_left(self.keys, key)]
        else:
            if key not in self.sizes:
                insort(self.keys, key)
            self.sizes[key] = size
            first[key] = _level(price, size)
            second[key] = _level(MICROS - price, size)
        self._joined = [None, None]
        return True

    def best(self) -> int | None:
        """Return the best price on the first token's scale."""
        return self.keys[-1] * self.sign if self.keys else None

    def written(self, outcome: Outcome) -> bytes:
        """Return the levels as JSON, without the brackets, as one token sees them."""
        joined = self._joined[outcome]
        if joined is None:
            joined = self._joined[outcome] = b",".join(map(self._written[outcome].__getitem__, self.keys))
        return joined


class TokenPairBook:
    """Both books of one market. ``stamp`` is the last change in ms; ``tick`` and sizes are texts."""

    __slots__ = ("_hashes", "_heads", "_least", "_neg_risk", "asks", "bids", "last", "stamp", "tick", "tokens")

    def __init__(self, market: str, tokens: tuple[str, str], stamp: int, facts: tuple[int, int, bool]) -> None:
        """``facts``: minimum order size and tick size in micros, and whether it is a neg-risk market."""
        least, tick, neg_risk = facts
        self.tokens = tokens
        self.stamp = stamp
        self.tick = text(tick)
        self.last: list[bytes] = [b"", b""]
        """Price of the last trade of each token, three decimals; empty before the first."""
        self.bids = TokenBookSide(1)
        self.asks = TokenBookSide(-1)
        self._heads = tuple(b'{"market":"%s","asset_id":"%s"' % (market.encode(), token.encode()) for token in tokens)
        self._least = text(least)
        self._neg_risk = b"true" if neg_risk else b"false"
        self._hashes: list[bytes | None] = [None, None]

    def load(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Take whole sides, as the first token sees them."""
        for price, size in bids:
            self.bids.set(price, size)
        for price, size in asks:
            self.asks.set(price, size)
        self._hashes = [None, None]

    def set(self, side: Side, price: Price, size: int) -> bool:
        """Set one level; returns whether that changed anything."""
        return (self.bids if side == "bid" else self.asks).set(price, size)

    def traded(self, price: int) -> None:
        """Note the price of a trade, on the first token's scale."""
        self.last = [_three_decimals(price), _three_decimals(MICROS - price)]

    def settle(self, stamp: int) -> None:
        """End a burst of changes at ``stamp``: hashes are of this state from now on."""
        self.stamp = stamp
        self._hashes = [None, None]

    def retick(self, tick: int) -> None:
        """Change the price grid; the hash covers it."""
        self.tick = text(tick)
        self._hashes = [None, None]

    def sides(self, outcome: Outcome) -> tuple[bytes, bytes]:
        """Return bids ascending and asks descending, the venue's order, as JSON without brackets."""
        halves = (self.bids, self.asks) if not outcome else (self.asks, self.bids)
        return halves[0].written(outcome), halves[1].written(outcome)

    def summary(self, outcome: Outcome) -> bytes:
        """Return the book as ``GET /book`` does."""
        return self._summary(outcome, b'"hash":"%s",' % self.hash(outcome))

    def hash(self, outcome: Outcome) -> bytes:
        """Return the venue's own digest: sha1 of the summary with an empty hash."""
        known = self._hashes[outcome]
        if known is None:
            known = sha1(self._summary(outcome, _HASH_HOLE), usedforsecurity=False).hexdigest().encode()
            self._hashes[outcome] = known
        return known

    def best(self, outcome: Outcome) -> tuple[bytes, bytes]:
        """Return best bid and ask; ``0`` and ``1`` stand for an empty side."""
        bid, ask = self.bids.best(), self.asks.best()
        if outcome:
            bid, ask = (None if ask is None else MICROS - ask), (None if bid is None else MICROS - bid)
        return text(bid or 0), text(MICROS if ask is None else ask)

    def head(self, outcome: Outcome) -> bytes:
        """Return the opening of every message about one token: ``{"market":"0x…","asset_id":"…"``."""
        return self._heads[outcome]

    def _summary(self, outcome: Outcome, digest: bytes) -> bytes:
        return (
            b'%s,"timestamp":"%d",%s"bids":[%s],"asks":[%s],"min_order_size":"%s","tick_size":"%s",'
            b'"neg_risk":%s,"last_trade_price":"%s"}'
        ) % (
            self._heads[outcome],
            self.stamp,
            digest,
            *self.sides(outcome),
            self._least,
            self.tick,
            self._neg_risk,
            self.last[outcome],
        )


def levels(half: TokenBookSide) -> Sequence[tuple[int, int]]:
    """Return (price, size) in micros, worst first, on the first token's scale."""
    return [(key * half.sign, half.sizes[key]) for key in half.keys]


def _three_decimals(price: int) -> bytes:
    whole, fraction = divmod(price // 1_000, 1_000)
    return b"%d.%03d" % (whole, fraction)
