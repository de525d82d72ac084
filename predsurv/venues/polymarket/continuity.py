"""Whether our books are the venue's: after every burst ours must reproduce the hash that the venue states.

Kept apart, pure, because the channel has no sequence numbers: this is the only proof on the stream
itself that nothing was lost, and a proof has to be tested without one.

A mismatch is evidence, not a verdict. The hash covers the last trade price, which changes before
it is announced, and the recipe is not documented: so only a book whose hash was reproduced before
can be found wrong, only when it stays wrong, and less and less often when that keeps happening.
"""

from collections.abc import Iterable
from hashlib import sha1
from itertools import product
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.venues.polymarket import wire

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS

DOUBT_MAX: Final = 2 * _S
"""A book that has not reproduced a hash for this long (ns) is wrong."""

PATIENCE_MAX: Final = 320 * _S
RECHECK_INTERVAL: Final = 200 * _MS
"""How long (ns) a doubtful book is left alone before every possible last trade price is tried on it."""

# What checking costs, in ns on a slow machine; the budget is spent by these and not by a clock.
CHECK_COST: Final = 8_000
LEVEL_COST: Final = 250
SEARCH_COST: Final = 2_000_000
BUDGET_SHARE: Final = 16
"""One part in this many of all time may go into checks, over all connections of a feed."""
BUDGET_MAX: Final = 100 * _MS

_ORDER_SIZES: Final = ("5", "15", "1", "10", "20", "50", "100")
_ENDS: Final = tuple(f'{price}"}}'.encode() for price in ("", *(f"0.{n:03}" for n in range(1_000)), "1.000"))
_NO_CHANGE: Final = wire.Change("", "", "", "BUY")


class Checks(Struct):
    """What the checks of one feed found, counted.

    ``matched`` hashes were reproduced, ``searched`` of them with a last trade price that nobody had
    announced yet. ``mismatched``: books that did not at the first attempt. ``unverifiable``: whole
    books whose own hash does not come out. ``postponed``: left for the next turn. ``alarms``:
    books declared wrong.
    """

    matched: int = 0
    searched: int = 0
    mismatched: int = 0
    unverifiable: int = 0
    postponed: int = 0
    alarms: int = 0


class Budget:
    """How much time checks may take, earned as time passes and shared by all connections of a feed."""

    def __init__(self) -> None:
        self._left = BUDGET_MAX
        self._at = 0

    def earn(self, now: int) -> None:
        """Let time (ns, monotonic) pass."""
        self._left = min(self._left + (now - self._at) // BUDGET_SHARE, BUDGET_MAX)
        self._at = now

    def spend(self, cost: int) -> bool:
        """Take ``cost`` ns when they are there; return whether they were."""
        if cost > self._left:
            return False
        self._left -= cost
        return True


class Inputs(NamedTuple):
    """What a hash covers besides the levels, as the venue writes it."""

    min_order_size: str = "5"
    tick_size: str = "0.01"
    neg_risk: bool = False
    last_trade: str = ""


class Wrong(NamedTuple):
    """A token whose book is not the venue's, ``since`` the first mismatch (ns UTC)."""

    token: str
    since: int


class Line:
    """One token's book in the venue's own words: size texts by price text, worst price first.

    ``stated`` is the last change, or nothing of one after a whole book; ``hash`` and ``stamp`` are
    of the last message. ``proven``: the recipe has held for this token; ``hopeless``: it does not
    hold for the present whole book. ``trail`` collects hashes while somebody compares.
    """

    __slots__ = (
        "asks",
        "best_proven",
        "bids",
        "doubted_at",
        "doubted_ts",
        "hash",
        "hopeless",
        "inputs",
        "loose",
        "market",
        "old_tick",
        "proven",
        "searched_at",
        "stamp",
        "stated",
        "token",
        "trail",
    )

    def __init__(self, token: str) -> None:
        self.token = token
        self.inputs = Inputs()
        self.market = ""
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.hash = ""
        self.stamp = 0
        self.stated = _NO_CHANGE
        self.loose = False  # a level was added: the sides are not in order
        self.proven = False
        self.hopeless = False
        self.best_proven = False
        self.old_tick = ""
        self.doubted_at: int | None = None
        self.doubted_ts = 0
        self.searched_at = 0
        self.trail: list[str] | None = None

    def replace(self, book: wire.WireBook) -> None:
        """Hold ``book`` and nothing else."""
        self.market = book.market
        self.bids = {step.price: step.size for step in book.bids if step.size not in wire.NOTHING}
        self.asks = {step.price: step.size for step in book.asks if step.size not in wire.NOTHING}
        self.hash, self.stamp, self.stated = book.hash, book.timestamp, _NO_CHANGE
        self.loose = self.hopeless = False
        self.doubted_at = None
        if book.tick_size:  # only opening books say these
            self.inputs = self.inputs._replace(tick_size=book.tick_size, last_trade=book.last_trade_price)
        if self.trail is not None:
            self.trail.append(book.hash)

    def change(self, change: wire.Change, stamp: int) -> None:
        """Set one level."""
        side = self.bids if change.side == "BUY" else self.asks
        price, size = change.price, change.size
        if size in wire.NOTHING:
            side.pop(price, None)
        else:
            if price not in side:
                self.loose = True
            side[price] = size
        self.hash, self.stamp, self.stated = change.hash, stamp, change
        if self.trail is not None:
            self.trail.append(change.hash)

    @property
    def whole(self) -> bool:
        """Whether the book is as it was sent, without a change since."""
        return self.stated is _NO_CHANGE

    @property
    def verifiable(self) -> bool:
        """Whether there is a hash that we can hope to reproduce."""
        return bool(self.hash) and not self.hopeless

    @property
    def cost(self) -> int:
        """What hashing this takes, in ns."""
        return CHECK_COST + LEVEL_COST * (len(self.bids) + len(self.asks))

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
                    self.inputs = Inputs(size, tick, risk, end[:-2].decode())
                    self.proven = True
                    return True
        return False

    def _head(self) -> bytes:
        """Return what is hashed first: all up to the levels."""
        if self.loose:
            # Texts of prices below 1 sort as their numbers do.
            self.bids = dict(sorted(self.bids.items()))
            self.asks = dict(sorted(self.asks.items(), reverse=True))
            self.loose = False
        start = f'{{"market":"{self.market}","asset_id":"{self.token}","timestamp":"{self.stamp}","hash":"","bids":['
        return f'{start}{_levels(self.bids)}],"asks":[{_levels(self.asks)}],"min_order_size":"'.encode()

    def _best_fits(self) -> bool | None:
        """Return whether the best prices are those of the last change; None while that was never so."""
        said = self.stated
        if not isinstance(said, wire.QuotedChange) or not said.best_bid or not said.best_ask:
            return None
        fits = _same(said.best_bid, max(self.bids, default="0")) and _same(said.best_ask, min(self.asks, default="1"))
        self.best_proven = self.best_proven or fits
        return fits if self.best_proven else None


class Witness:
    """The books of one connection as the venue writes them, and what they prove.

    ``noted`` takes messages about tokens with a book, in order and as they are decoded; everything
    else happens in ``settle``, outside of the path that every frame takes. ``blind``: some hashes
    prove nothing, so that best prices are wanted.
    """

    def __init__(self, budget: Budget | None = None, checks: Checks | None = None) -> None:
        self.noted: list[wire.Noted] = []
        self.lines: dict[str, Line] = {}
        self.blind = False
        self._budget = budget or Budget()
        self._checks = checks or Checks()
        self._dirty: dict[str, Line] = {}
        self._doubted: dict[str, Line] = {}
        self._patience: dict[str, int] = {}
        self._suspects: list[str] = []

    def forget(self, token: str, *, for_good: bool) -> None:
        """Hold no book of ``token``; unless ``for_good`` it is about to be sent whole again."""
        for kept in (self.lines, self._dirty, self._doubted):
            kept.pop(token, None)
        if for_good:
            self._patience.pop(token, None)

    def settle(self, ts: int, now: int) -> list[Wrong]:
        """Take in what was noted, check, and return what is wrong beyond doubt.

        ``ts`` is wall time (ns UTC), ``now`` monotonic; everything received by then has been noted.
        """
        self.absorb()
        self._budget.earn(now)
        if self._dirty:
            self._check(ts, now)
        wrong = self._decide(now) if self._doubted else []
        if self._suspects:
            # Levels off a new price grid may vanish without a word; only a hash would have shown it.
            wrong += [Wrong(token, ts) for token in self._suspects if token in self.lines]
            self._suspects.clear()
        self._checks.alarms += len(wrong)
        return wrong

    def absorb(self) -> None:
        """Take in what was noted."""
        for message in self.noted:
            self._take(message)
        self.noted.clear()

    def _take(self, message: wire.Noted) -> None:
        if isinstance(message, wire.PriceChange):
            self._change(message)
        elif isinstance(message, wire.WireBook):
            self._open(message)
        elif message.asset_id in self.lines:
            line = self.lines[message.asset_id]
            if isinstance(message, wire.LastTrade):
                line.inputs = line.inputs._replace(last_trade=_three_decimals(message.price))
                if line.doubted_at is not None:
                    self._dirty[line.token] = line
            elif message.new_tick_size != line.inputs.tick_size:
                line.old_tick = line.inputs.tick_size
                line.inputs = line.inputs._replace(tick_size=message.new_tick_size)
                if not line.verifiable:
                    self._suspects.append(line.token)

    def _change(self, message: wire.PriceChange) -> None:
        lines, dirty, stamp = self.lines, self._dirty, message.timestamp
        for change in message.price_changes:
            line = lines.get(change.asset_id)
            if line is not None:
                line.change(change, stamp)
                dirty[line.token] = line

    def _open(self, book: wire.WireBook) -> None:
        line = self.lines.get(book.asset_id)
        if line is None:
            line = self.lines[book.asset_id] = Line(book.asset_id)
        line.replace(book)
        self._doubted.pop(line.token, None)
        self._dirty[line.token] = line

    def _check(self, ts: int, now: int) -> None:
        """Hash what changed, as far as the budget goes; what is left stays first in line."""
        dirty = self._dirty
        for token, line in list(dirty.items()):
            if not self._budget.spend(line.cost):
                self._checks.postponed += len(dirty)
                return
            del dirty[token]
            self.blind = self.blind or not line.hash
            fits = line.fits()
            if fits:
                self._clear(line)
            elif fits is False and line.doubted_at is None:
                self._checks.mismatched += 1
                line.doubted_at = line.searched_at = now
                line.doubted_ts = ts
                self._doubted[token] = line

    def _clear(self, line: Line) -> None:
        self._checks.matched += line.verifiable
        line.doubted_at = None
        self._doubted.pop(line.token, None)
        if not line.whole:
            self._patience.pop(line.token, None)

    def _decide(self, now: int) -> list[Wrong]:
        """Look again at doubtful books; return those that stayed wrong for too long."""
        wrong = []
        for token, line in list(self._doubted.items()):
            if now - line.searched_at < RECHECK_INTERVAL or not self._budget.spend(SEARCH_COST):
                continue
            line.searched_at = now
            if line.fits_somehow():
                self._checks.searched += line.verifiable
                self._clear(line)
            elif line.verifiable and not line.proven:
                self._give_up(line)
            elif self._lasts(line, now):
                del self._doubted[token]
                wrong.append(Wrong(token, line.doubted_ts))
        return wrong

    def _lasts(self, line: Line, now: int) -> bool:
        """Return whether the doubt is old enough and about something that can be wrong."""
        patience = self._patience.get(line.token, DOUBT_MAX)
        if line.doubted_at is None or now - line.doubted_at < patience:
            return False
        if line.whole:
            # A book as it was sent cannot be wrong: our recipe is.
            self._give_up(line)
            return False
        self._patience[line.token] = min(2 * patience, PATIENCE_MAX)
        return True

    def _give_up(self, line: Line) -> None:
        self._checks.unverifiable += 1
        self.blind = True
        line.proven, line.hopeless, line.doubted_at = False, True, None
        self._doubted.pop(line.token, None)


def _tail(size: str, tick: str, *, neg_risk: bool) -> bytes:
    risk = "true" if neg_risk else "false"
    return f'{size}","tick_size":"{tick}","neg_risk":{risk},"last_trade_price":"'.encode()


def _end(price: str) -> bytes:
    return f'{price}"}}'.encode()


_between = '","size":"'.join


def _levels(side: dict[str, str]) -> str:
    return '{"price":"' + '"},{"price":"'.join(map(_between, side.items())) + '"}' if side else ""


def _three_decimals(price: str) -> str:
    """Return a price as hashes spell it; how one with more decimals is spelt is not known."""
    whole, _, fraction = price.partition(".")
    return f"{whole or '0'}.{fraction:0<3}" if len(fraction) <= 3 else price


def _same(one: str, other: str) -> bool:
    return one.strip("0").rstrip(".") == other.strip("0").rstrip(".")
