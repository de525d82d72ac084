"""One token's book as the texts that the venue sent, and the hash that the venue would state of it.

The recipe is not documented and has changed before. It is the SHA-1 of the book summary as compact
JSON with an empty ``hash``, every number as the text that the venue sent.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from itertools import product
from typing import Final, NamedTuple

from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.hash_states import PROVEN, TRANSITIONS, UNVERIFIABLE, Evidence, VerificationState

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
    """One side of a book: size texts by price text, worst price first.

    ``unsorted``: a level was added out of order. ``json``: the levels as they are hashed, None when
    they changed since.
    """

    __slots__ = ("_descending", "json", "levels", "unsorted")

    def __init__(self, *, descending: bool) -> None:
        self.levels: dict[str, str] = {}
        self.unsorted = False
        self.json: str | None = None
        self._descending = descending

    def replace(self, levels: Sequence[wire.WireLevel]) -> None:
        """Hold ``levels`` and nothing else."""
        self.levels = {level.price: level.size for level in levels}
        if not wire.ZERO_SIZES.isdisjoint(self.levels.values()):
            self.levels = {price: size for price, size in self.levels.items() if size not in wire.ZERO_SIZES}
        self.unsorted, self.json = False, None

    def render(self) -> str:
        """Return the levels as the venue hashes them."""
        if self.json is None:
            if self.unsorted:
                # Texts of prices below 1 sort as their numbers do.
                self.levels = dict(sorted(self.levels.items(), reverse=self._descending))
                self.unsorted = False
            self.json = _json(self.levels)
        return self.json


class HashedBook:
    """One token's book as the venue writes it, with the state of its verification.

    ``mirror_trade``: the price of the last trade told on the other token, as this one's; "" for none.
    Whether the venue counts it as this token's last trade is not known. ``last_change``: the last
    change since the snapshot; ``timestamp``: that of the last message (ms); ``previous_tick``: the tick
    size before the last change of it, "" for none. ``suspect_since`` and ``searched_at`` (ns,
    monotonic): when a suspect failed its first check and was last searched. ``verified_ts`` (ns UTC):
    when nothing contradicted the book last. ``quotes_proven``: best prices matched once. ``queued``: a
    check is due. ``recent_hashes``: the stated hashes since a comparison with REST began, None without
    one. ``notify``: ``VenueBooks`` must hear of the next change, because the book is not queued or its
    hashes are recorded.
    """

    __slots__ = (
        "asks",
        "bids",
        "inputs",
        "last_change",
        "market",
        "mirror_trade",
        "notify",
        "previous_tick",
        "queued",
        "quotes_proven",
        "recent_hashes",
        "searched_at",
        "snapshot_hash",
        "state",
        "suspect_since",
        "timestamp",
        "token",
        "verified_ts",
    )

    def __init__(self, token: str) -> None:
        self.token = token
        self.state = VerificationState.UNPROVEN
        self.inputs = HashInputs()
        self.market = ""
        self.mirror_trade = ""
        self.bids = HashedSide(descending=False)
        self.asks = HashedSide(descending=True)
        self.snapshot_hash = ""
        self.last_change = _NO_CHANGE
        self.timestamp = 0
        self.previous_tick = ""
        self.quotes_proven = False
        self.suspect_since = 0
        self.searched_at = 0
        self.verified_ts = 0
        self.queued = False
        self.recent_hashes: list[str] | None = None
        self.notify = True

    def replace(self, book: wire.WireBook) -> None:
        """Hold the snapshot ``book`` and nothing else."""
        self.market = book.market
        self.bids.replace(book.bids)
        self.asks.replace(book.asks)
        self.snapshot_hash, self.timestamp, self.last_change = book.hash, book.timestamp, _NO_CHANGE
        self.apply(Evidence.SNAPSHOT)
        if book.tick_size:  # only the first snapshot of a subscription has these
            self.inputs = self.inputs._replace(tick_size=book.tick_size, last_trade=book.last_trade_price)

    def apply(self, evidence: Evidence) -> None:
        """Change the state according to ``TRANSITIONS``."""
        self.state = TRANSITIONS[self.state].get(evidence, self.state)

    @property
    def hash(self) -> str:
        """The hash that the venue stated of this book last, "" for none."""
        return self.snapshot_hash if self.last_change is _NO_CHANGE else self.last_change.hash

    @property
    def is_snapshot(self) -> bool:
        """Whether the book is as it was sent, without a change since."""
        return self.last_change is _NO_CHANGE

    @property
    def verifiable(self) -> bool:
        """Whether there is a hash, and the recipe may give it."""
        return bool(self.hash) and self.state not in UNVERIFIABLE

    @property
    def level_count(self) -> int:
        """How many levels there are, which is what hashing costs."""
        return len(self.bids.levels) + len(self.asks.levels)

    def check(self) -> Evidence | None:
        """Compare the book with what the venue stated last; None when nothing can be compared."""
        if not self.verifiable:
            return self._check_quotes()
        known = self.state in PROVEN
        sizes = dict.fromkeys((self.inputs.min_order_size, *(() if known else _ORDER_SIZES)))
        risks = (self.inputs.neg_risk,) if known else (False, True)
        prices = dict.fromkeys((self.inputs.last_trade, self.mirror_trade or self.inputs.last_trade))
        return self._check_hash(product(sizes, (self.inputs.tick_size,), risks), [_end(price) for price in prices])

    def search(self) -> Evidence | None:
        """Compare as ``check`` does, with every possible last trade price and the previous tick size."""
        if not self.verifiable:
            return self._check_quotes()
        ticks = dict.fromkeys((self.inputs.tick_size, self.previous_tick or self.inputs.tick_size))
        risks = (self.inputs.neg_risk,) if self.state in PROVEN else (False, True)
        return self._check_hash(product((self.inputs.min_order_size,), ticks, risks), _ENDS)

    def _check_hash(self, inputs: Iterable[tuple[str, str, bool]], ends: Iterable[bytes]) -> Evidence:
        """Hash with each of ``inputs`` and ``ends``, and keep those that give the stated hash."""
        stated, levels = self.hash, sha1(self._head(), usedforsecurity=False)
        for size, tick, risk in inputs:
            start = levels.copy()
            start.update(_tail(size, tick, neg_risk=risk))
            for end in ends:
                tried = start.copy()
                tried.update(end)
                if tried.hexdigest() == stated:
                    if tick != self.inputs.tick_size:
                        self.previous_tick = self.inputs.tick_size
                    self.inputs = HashInputs(size, tick, risk, end[:-2].decode())
                    return Evidence.HASH_MATCH
        return Evidence.MISMATCH

    def _head(self) -> bytes:
        """Return the first part of what is hashed, up to the levels."""
        ids = f'"market":"{self.market}","asset_id":"{self.token}","timestamp":"{self.timestamp}"'
        sides = f'"bids":[{self.bids.render()}],"asks":[{self.asks.render()}]'
        return f'{{{ids},"hash":"",{sides},"min_order_size":"'.encode()

    def _check_quotes(self) -> Evidence | None:
        """Compare the best prices with those of the last change; None until they matched once."""
        stated = self.last_change
        if not isinstance(stated, wire.QuotedChange) or not stated.best_bid or not stated.best_ask:
            return None
        bid, ask = max(self.bids.levels, default="0"), min(self.asks.levels, default="1")
        if _same(stated.best_bid, bid) and _same(stated.best_ask, ask):
            self.quotes_proven = True
            return Evidence.QUOTES_MATCH
        return Evidence.MISMATCH if self.quotes_proven else None


def _tail(size: str, tick: str, *, neg_risk: bool) -> bytes:
    risk = "true" if neg_risk else "false"
    return f'{size}","tick_size":"{tick}","neg_risk":{risk},"last_trade_price":"'.encode()


def _end(price: str) -> bytes:
    return f'{price}"}}'.encode()


_between = '","size":"'.join


def _json(side: dict[str, str]) -> str:
    return '{"price":"' + '"},{"price":"'.join(map(_between, side.items())) + '"}' if side else ""


def three_decimals(price: str) -> str:
    """Return a price with three decimals, as the hash input spells it; one with more is returned as it is, a guess."""
    whole, _, fraction = price.partition(".")
    return f"{whole or '0'}.{fraction:0<3}" if len(fraction) <= 3 else price


def _same(one: str, other: str) -> bool:
    return one.strip("0").rstrip(".") == other.strip("0").rstrip(".")
