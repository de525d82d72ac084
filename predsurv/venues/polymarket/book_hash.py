"""One token's book in the venue's own words, and the hash that the venue would state of it.

Kept apart from ``continuity``, which judges, because the recipe has changed before and will again:
then this is the file to change. Recipe: SHA-1 of the book summary as compact JSON with an empty
``hash``, every number as the text that the venue sent.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from itertools import product
from typing import Final, NamedTuple

from predsurv.venues.polymarket import wire

_ORDER_SIZES: Final = ("5", "15", "1", "10", "20", "50", "100")
_ENDS: Final = tuple(f'{price}"}}'.encode() for price in ("", *(f"0.{n:03}" for n in range(1_000)), "1.000"))
_NO_CHANGE: Final = wire.WireChange("", "", "", "BUY")


class HashInputs(NamedTuple):
    """What a hash covers besides the levels, as the venue writes it."""

    min_order_size: str = "5"
    tick_size: str = "0.01"
    neg_risk: bool = False
    last_trade: str = ""


class HashedSide:
    """One side of a book: size texts by price text, worst price first, and that as JSON while it is known."""

    __slots__ = ("_descending", "levels", "loose", "text")

    def __init__(self, *, descending: bool) -> None:
        self.levels: dict[str, str] = {}
        self.loose = False  # a level was added: they are not in order
        self.text: str | None = None
        self._descending = descending

    def replace(self, steps: Sequence[wire.WireLevel]) -> None:
        """Hold ``steps`` and nothing else."""
        self.levels = {step.price: step.size for step in steps}
        if not wire.NOTHING.isdisjoint(self.levels.values()):
            self.levels = {price: size for price, size in self.levels.items() if size not in wire.NOTHING}
        self.loose, self.text = False, None

    def render(self) -> str:
        """Return the levels as the venue hashes them."""
        if self.text is None:
            if self.loose:
                # Texts of prices below 1 sort as their numbers do.
                self.levels = dict(sorted(self.levels.items(), reverse=self._descending))
                self.loose = False
            self.text = _json(self.levels)
        return self.text


class HashedBook:
    """One token's book in the venue's own words.

    ``stated`` is the last change, or nothing of one after a whole book; ``stamp`` is that of the
    last message. ``proven``: the recipe has held for this token; ``hopeless``: it does not hold for
    the present whole book. ``sure_ts`` (ns UTC): nothing spoke against it then. ``trail`` collects
    hashes while somebody compares. ``calm``: a change is to be told to whoever checks.
    """

    __slots__ = (
        "asks",
        "best_proven",
        "bids",
        "calm",
        "dirty",
        "doubted_at",
        "hopeless",
        "inputs",
        "market",
        "old_tick",
        "proven",
        "searched_at",
        "stamp",
        "stated",
        "sure_ts",
        "token",
        "trail",
        "whole_hash",
    )

    def __init__(self, token: str) -> None:
        self.token = token
        self.inputs = HashInputs()
        self.market = ""
        self.bids = HashedSide(descending=False)
        self.asks = HashedSide(descending=True)
        self.whole_hash = ""
        self.calm = True
        self.dirty = False
        self.stamp = 0
        self.stated = _NO_CHANGE
        self.proven = False
        self.hopeless = False
        self.best_proven = False
        self.old_tick = ""
        self.doubted_at: int | None = None
        self.searched_at = 0
        self.sure_ts = 0
        self.trail: list[str] | None = None

    def replace(self, book: wire.WireBook) -> None:
        """Hold ``book`` and nothing else."""
        self.market = book.market
        self.bids.replace(book.bids)
        self.asks.replace(book.asks)
        self.whole_hash, self.stamp, self.stated = book.hash, book.timestamp, _NO_CHANGE
        self.hopeless = False
        self.doubted_at = None
        if book.tick_size:  # only opening books say these
            self.inputs = self.inputs._replace(tick_size=book.tick_size, last_trade=book.last_trade_price)

    @property
    def hash(self) -> str:
        """What the venue says this book hashes to."""
        return self.whole_hash if self.stated is _NO_CHANGE else self.stated.hash

    @property
    def whole(self) -> bool:
        """Whether the book is as it was sent, without a change since."""
        return self.stated is _NO_CHANGE

    @property
    def verifiable(self) -> bool:
        """Whether there is a hash that we can hope to reproduce."""
        return bool(self.hash) and not self.hopeless

    @property
    def levels(self) -> int:
        """How many levels there are, which is what hashing costs."""
        return len(self.bids.levels) + len(self.asks.levels)

    def fits(self) -> bool | None:
        """Return whether the book reproduces what is stated of it; None when nothing can be said."""
        if not self.verifiable:
            return self._best_fits()
        sizes = dict.fromkeys((self.inputs.min_order_size, *(() if self.proven else _ORDER_SIZES)))
        risks = (self.inputs.neg_risk,) if self.proven else (False, True)
        return self._reproduces(product(sizes, (self.inputs.tick_size,), risks), (_end(self.inputs.last_trade),))

    def fits_somehow(self) -> bool | None:
        """Return the same, trying every last trade price there can be."""
        if not self.verifiable:
            return self._best_fits()
        ticks = dict.fromkeys((self.inputs.tick_size, self.old_tick or self.inputs.tick_size))
        risks = (self.inputs.neg_risk,) if self.proven else (False, True)
        return self._reproduces(product((self.inputs.min_order_size,), ticks, risks), _ENDS)

    def _reproduces(self, facts: Iterable[tuple[str, str, bool]], ends: Iterable[bytes]) -> bool:
        wanted, levels = self.hash, sha1(self._head(), usedforsecurity=False)
        for size, tick, risk in facts:
            start = levels.copy()
            start.update(_tail(size, tick, neg_risk=risk))
            for end in ends:
                tried = start.copy()
                tried.update(end)
                if tried.hexdigest() == wanted:
                    if tick != self.inputs.tick_size:
                        self.old_tick = self.inputs.tick_size
                    self.inputs = HashInputs(size, tick, risk, end[:-2].decode())
                    self.proven = True
                    return True
        return False

    def _head(self) -> bytes:
        """Return what is hashed first: all up to the levels."""
        start = f'{{"market":"{self.market}","asset_id":"{self.token}","timestamp":"{self.stamp}","hash":"","bids":['
        return f'{start}{self.bids.render()}],"asks":[{self.asks.render()}],"min_order_size":"'.encode()

    def _best_fits(self) -> bool | None:
        """Return whether the best prices are those of the last change; None while that was never so."""
        said = self.stated
        if not isinstance(said, wire.QuotedChange) or not said.best_bid or not said.best_ask:
            return None
        bid, ask = max(self.bids.levels, default="0"), min(self.asks.levels, default="1")
        fits = _same(said.best_bid, bid) and _same(said.best_ask, ask)
        self.best_proven = self.best_proven or fits
        return fits if self.best_proven else None


def _tail(size: str, tick: str, *, neg_risk: bool) -> bytes:
    risk = "true" if neg_risk else "false"
    return f'{size}","tick_size":"{tick}","neg_risk":{risk},"last_trade_price":"'.encode()


def _end(price: str) -> bytes:
    return f'{price}"}}'.encode()


_between = '","size":"'.join


def _json(side: dict[str, str]) -> str:
    return '{"price":"' + '"},{"price":"'.join(map(_between, side.items())) + '"}' if side else ""


def three_decimals(price: str) -> str:
    """Return a price as hashes spell it; how one with more decimals is spelt is not known."""
    whole, _, fraction = price.partition(".")
    return f"{whole or '0'}.{fraction:0<3}" if len(fraction) <= 3 else price


def _same(one: str, other: str) -> bool:
    return one.strip("0").rstrip(".") == other.strip("0").rstrip(".")
