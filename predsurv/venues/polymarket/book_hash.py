"""One token's book as the texts that the venue sent, and the hash that the venue would state of it.

The recipe is not documented and has changed before. It is the SHA-1 of the book summary as compact
JSON with an empty ``hash``, every number as the text that the venue sent.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import sha1
from itertools import product
from typing import Final, NamedTuple

from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.hash_states import PROVEN, TRANSITIONS, UNVERIFIABLE, Evidence, VerificationState
from predsurv.venues.polymarket.last_trade_texts import end_of, fine_part

OTHER_TEXTS_MAX: Final = 8
"""Texts that the last trade price may have besides the likeliest one."""
RECENT_LEVELS_MAX: Final = 64
"""States whose levels are kept while a book that no hash proves is compared with REST."""

_ORDER_SIZES: Final = ("5", "15", "1", "10", "20", "50", "100")
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


class BookLevels(NamedTuple):
    """The levels of a book: size texts by price text."""

    bids: dict[str, str]
    asks: dict[str, str]

    def same(self, other: "BookLevels") -> bool:
        """Return whether these are the same prices and sizes, however they are written."""
        return self == other or _shortened(self) == _shortened(other)


class RecentStates:
    """The states of a book since a comparison with REST began, as the hashes that the venue stated of them.

    A hash says what REST's book is, not that ours is the same: of books that no hash proves, the levels are
    kept as well, those of the last ``RECENT_LEVELS_MAX`` states.
    """

    __slots__ = ("hashes", "levels")

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.levels: deque[tuple[str, BookLevels]] = deque(maxlen=RECENT_LEVELS_MAX)

    def add(self, book: "HashedBook") -> None:
        """Add the present state of ``book``."""
        self.hashes.append(book.hash)
        if book.state not in PROVEN:
            self.levels.append((book.hash, BookLevels(book.bids.levels.copy(), book.asks.levels.copy())))

    def contains(self, stated: str, levels: BookLevels) -> bool:
        """Return whether one of the states had this hash, and these levels where levels were kept."""
        kept = [ours for known, ours in self.levels if known == stated]
        return stated in self.hashes and (not kept or any(ours.same(levels) for ours in kept))


class HashedBook:
    """One token's book as the venue writes it, with the state of its verification.

    ``last_change``: the last change since the snapshot; ``timestamp``: that of the last message (ms);
    ``previous_tick``: the tick size before the last change of it, "" for none. ``other_texts``: what
    ``inputs.last_trade`` may be as well; ``fine_price``: the last trade price announced, if it is off the
    0.001 grid and no text known before could be its own, else "". ``verified_ts`` (ns UTC): when nothing
    contradicted the book last. ``quotes_proven``: best prices matched once. ``queued``: a check is due.
    ``recent``: the states since a comparison with REST began, None without one. ``notify``: ``VenueBooks``
    must hear of the next change, because the book is not queued or its states are recorded.
    """

    __slots__ = (
        "asks",
        "bids",
        "fine_price",
        "inputs",
        "last_change",
        "market",
        "notify",
        "other_texts",
        "previous_tick",
        "queued",
        "quotes_proven",
        "recent",
        "snapshot_hash",
        "state",
        "timestamp",
        "token",
        "verified_ts",
    )

    def __init__(self, token: str) -> None:
        self.token = token
        self.state = VerificationState.UNPROVEN
        self.inputs = HashInputs()
        self.other_texts: tuple[str, ...] = ()
        self.fine_price = ""
        self.market = ""
        self.bids = HashedSide(descending=False)
        self.asks = HashedSide(descending=True)
        self.snapshot_hash = ""
        self.last_change = _NO_CHANGE
        self.timestamp = 0
        self.previous_tick = ""
        self.quotes_proven = False
        self.verified_ts = 0
        self.queued = False
        self.recent: RecentStates | None = None
        self.notify = True

    def replace(self, book: wire.WireBook) -> None:
        """Hold the snapshot ``book`` and nothing else."""
        self.market = book.market
        self.bids.replace(book.bids)
        self.asks.replace(book.asks)
        self.snapshot_hash, self.timestamp, self.last_change = book.hash, book.timestamp, _NO_CHANGE
        self.apply(Evidence.SNAPSHOT)
        if book.tick_size:  # only the first snapshot of a subscription has these
            self.inputs, self.other_texts = self.inputs._replace(tick_size=book.tick_size, last_trade=""), ()

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

    def expect(self, price: str, texts: Sequence[str], *, mirrored: bool = False) -> None:
        """Take it that the last trade was at ``price``, which is one of ``texts`` in the hashes to come.

        ``mirrored``: it was told on the other token; whether the venue counts it as this one's is not known.
        """
        known, kept = self.inputs.last_trade, self.other_texts if mirrored else ()
        self.fine_price, self.other_texts = "" if known in texts else fine_part(price), ()
        self._set_texts((known, *texts, *kept) if mirrored or known in texts else (*texts, known))

    def accept(self, inputs: HashInputs) -> None:
        """Hold ``inputs``, which gave a stated hash; the last trade price may change back to what it was."""
        if inputs.tick_size != self.inputs.tick_size:
            self.previous_tick = self.inputs.tick_size
        former, self.inputs = self.inputs, inputs
        self._set_texts((inputs.last_trade, former.last_trade))

    def _set_texts(self, texts: Sequence[str]) -> None:
        first, *others = dict.fromkeys((*texts, *self.other_texts))
        self.inputs = self.inputs._replace(last_trade=first)
        self.other_texts = tuple(others[:OTHER_TEXTS_MAX])

    def check(self) -> Evidence | None:
        """Compare the book with what the venue stated last; None when nothing can be compared."""
        if not self.verifiable:
            return check_quotes(self)
        stated, levels = self.hash, sha1(self.head(), usedforsecurity=False)
        tried = levels.copy()
        tried.update(tail_of(self.inputs) + end_of(self.inputs.last_trade))
        if tried.hexdigest() == stated:
            return Evidence.HASH_MATCH
        for inputs in _alternatives(self):
            tried = levels.copy()
            tried.update(tail_of(inputs) + end_of(inputs.last_trade))
            if tried.hexdigest() == stated:
                self.accept(inputs)
                return Evidence.HASH_MATCH
        return Evidence.MISMATCH

    def head(self) -> bytes:
        """Return the first part of what is hashed, up to the levels."""
        ids = f'"market":"{self.market}","asset_id":"{self.token}","timestamp":"{self.timestamp}"'
        sides = f'"bids":[{self.bids.render()}],"asks":[{self.asks.render()}]'
        return f'{{{ids},"hash":"",{sides},"min_order_size":"'.encode()


def tick_sizes_of(book: HashedBook) -> Sequence[str]:
    """Return the tick size, and the previous one if it ever changed: a hash may have either."""
    return (book.inputs.tick_size, book.previous_tick) if book.previous_tick else (book.inputs.tick_size,)


def tail_of(inputs: HashInputs) -> bytes:
    """Return what is hashed after the levels, up to the last trade price."""
    risk = "true" if inputs.neg_risk else "false"
    return f'{inputs.min_order_size}","tick_size":"{inputs.tick_size}","neg_risk":{risk},"last_trade_price":"'.encode()


def check_quotes(book: HashedBook) -> Evidence | None:
    """Compare the best prices with those of the last change; None until they matched once."""
    stated = book.last_change
    if not isinstance(stated, wire.QuotedChange) or not stated.best_bid or not stated.best_ask:
        return None
    bid, ask = max(book.bids.levels, default="0"), min(book.asks.levels, default="1")
    if _same(stated.best_bid, bid) and _same(stated.best_ask, ask):
        book.quotes_proven = True
        return Evidence.QUOTES_MATCH
    return Evidence.MISMATCH if book.quotes_proven else None


def _alternatives(book: HashedBook) -> Iterator[HashInputs]:
    """Yield what the hash may cover instead of ``book.inputs``, as far as it is known."""
    known, texts = book.inputs, (book.inputs.last_trade, *book.other_texts)
    if book.state in PROVEN:
        yield from (known._replace(last_trade=text) for text in book.other_texts)
        return
    for size, risk, text in product(dict.fromkeys((known.min_order_size, *_ORDER_SIZES)), (False, True), texts):
        yield HashInputs(size, known.tick_size, risk, text)


_between = '","size":"'.join


def _json(side: dict[str, str]) -> str:
    return '{"price":"' + '"},{"price":"'.join(map(_between, side.items())) + '"}' if side else ""


def _same(one: str, other: str) -> bool:
    return one.strip("0").rstrip(".") == other.strip("0").rstrip(".")


def _shortened(levels: BookLevels) -> list[dict[str, str]]:
    return [{_shortest(price): _shortest(size) for price, size in side.items()} for side in levels]


def _shortest(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
