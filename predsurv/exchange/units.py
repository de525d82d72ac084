"""One thing whose prices move together, and everybody who trades it.

Kept apart from the exchange because a unit is a closed little world: its books, fair values and
agents draw from its own stream and never look at another unit.
"""

import random
from collections.abc import Callable
from typing import Final

from predsurv.core.ids import Side
from predsurv.core.num import MICROS
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.makers import MakerTraits, MarketMaker
from predsurv.exchange.rng import stream
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import UnitSpec

FINE_TICK: Final = 1_000
_GAPS: Final = (5, 10, 25, 45, 80, 125, 190, 320)
"""Time between actions in hundredths of the mean: bursts and pauses that average 1."""
_FAIR_MIN: Final = 4_000
_COARSE_MIN: Final = 40_000
_STEP: Final = 14_000
"""Largest move of a fair value in one step, at even odds, micros."""
_JUMP_ODDS: Final = 400
_TAKER_LEVELS: Final = 2


class CorrelatedUnit:
    """A market (or an exclusive event) in motion. Activity is counted in level changes."""

    __slots__ = (
        "_bits",
        "_gaps",
        "_rng",
        "books",
        "calm",
        "closed",
        "fairs",
        "fast",
        "interval",
        "on_fine",
        "quiet",
        "slow",
        "spec",
    )

    def __init__(self, spec: UnitSpec, tape: Tape, first_book: int, interval: int) -> None:
        self.spec = spec
        self.interval = interval
        """Mean ns a level change; 0 for a dead unit."""
        self.calm = spec.basket is not None
        """Before the news that its spec announces little happens."""
        self._gaps = tuple(interval * gap // 100 for gap in _GAPS)
        self.closed = False
        self.on_fine: Callable[[int], None] | None = None
        """Called with the book whose price came so near 0 or 1 that its tick ought to be finer."""
        self.quiet = False
        """While a mispricing lasts nobody trades against it except outsiders."""
        self.fairs = list(spec.fairs)
        self._rng: random.Random = stream(spec.seed, "agents", spec.index)
        self._bits = self._rng.getrandbits
        count = len(spec.fairs)
        self.books = tuple(MatchingBook(first_book + i, spec.tick, tape) for i in range(count))
        fast = MakerTraits(spec.half_spread, 1, spec.levels, spec.shares, learns=6)
        slow = MakerTraits(spec.half_spread * 2, 2, max(spec.levels // 2, 1), spec.shares, learns=3)
        pairs = tuple(zip(self.books, self.fairs, strict=True))
        self.fast = tuple(MarketMaker(book, fast, fair) for book, fair in pairs)
        self.slow = tuple(MarketMaker(book, slow, fair) for book, fair in pairs)

    def open(self) -> None:
        """Put the first quotes into the books; some dead ones get one side only, or nothing."""
        dead = not self.interval
        for index, fair in enumerate(self.fairs):
            draw = self._bits(30)
            if dead and draw % 3 == 0:
                continue
            self.fast[index].quote(fair, draw)
            if not dead:
                self.slow[index].quote(fair, draw >> 3)
            elif draw % 3 == 1:
                for order in self.fast[index].asks:
                    self.books[index].cancel(order)

    def wake(self, now: int) -> int | None:
        """Let one agent act in one book; returns when the next one does."""
        if self.closed:
            return None
        tape = self.books[0].tape
        before = tape.changes
        draw = self._bits(40)
        index = draw % len(self.books)
        choice = (draw >> 3) & 127
        if self.quiet or choice < 84:
            maker = self.slow[index] if draw & 3_072 == 3_072 else self.fast[index]
            if not maker.fidget(draw >> 12):
                maker.quote(maker.estimate, draw)
        elif choice < 96:
            self._trade(index, draw >> 10)
        else:
            self._move(index, draw >> 10)
            self._requote(index, draw >> 10)
        return now + 1 + (tape.changes - before or 1) * self._gaps[draw >> 37]

    def settle_prices(self) -> None:
        """Let every maker who is awake quote the fair value exactly."""
        for maker in (*self.slow, *self.fast, *self.slow):
            maker.believe(self.fairs[maker.book.index - self.books[0].index], self._bits(30))

    def close(self) -> None:
        """Stop trading: every order goes, the agents sleep for good."""
        self.closed = True
        for book in self.books:
            book.clear("market closed")

    def winner(self) -> int:
        """Draw the book that pays, as likely as its fair value says (a lone market: 0 yes, 1 no)."""
        point = self._rng.randrange(MICROS)
        for index, fair in enumerate(self.fairs):
            point -= fair
            if point < 0:
                return index
        return len(self.fairs) if len(self.fairs) == 1 else len(self.fairs) - 1

    def draw(self, below: int) -> int:
        """Return a number from this unit's stream, 0 … below − 1."""
        return self._rng.randrange(below)

    def _trade(self, index: int, draw: int) -> None:
        """A taker: an informed one when the book invites it, else one with an opinion."""
        book, fair = self.books[index], self.fairs[index]
        bid, ask = book.best("bid"), book.best("ask")
        buys = bool(draw & 1)
        if ask is not None and ask + book.tick < fair:
            buys = True
        elif bid is not None and bid - book.tick > fair:
            buys = False
        side: Side = "bid" if buys else "ask"
        best = ask if buys else bid
        if best is None:
            self._requote(index, draw)
            return
        reach = book.tick * ((draw >> 1) % (_TAKER_LEVELS + 1))
        limit = min(best + reach, MICROS - 1) if buys else max(best - reach, 1)
        book.take(side, limit, (5 << (draw >> 3) % 6) * MICROS + (draw >> 6) % 3 * 500_000)

    def _requote(self, index: int, draw: int) -> None:
        self.fast[index].quote(self.fairs[index], draw)
        if draw & 3 == 1:
            self.slow[index].quote(self.fairs[index], draw >> 2)

    def _move(self, index: int, draw: int) -> None:
        """Move a fair value; in an exclusive unit another one gives what this one gets.

        Steps shrink towards 0 and 1 as p(1 − p) does and are as likely up as down: a martingale, but
        for the last step before the least and most that a price is let go to, which it leaves again.
        """
        fairs = self.fairs
        fair = fairs[index]
        step = (draw & 1_023) * _STEP * fair * (MICROS - fair) // (256 * MICROS * MICROS)
        if self.calm:
            step >>= 3
        elif draw % _JUMP_ODDS == 0:
            step *= 12
        if len(fairs) == 1:
            moved = fair + step if draw >> 11 & 1 else fair - step
            fairs[index] = min(max(moved, _FAIR_MIN), MICROS - _FAIR_MIN)
            if self.on_fine is not None and not _COARSE_MIN <= fairs[index] <= MICROS - _COARSE_MIN:
                self.on_fine(index)
            return
        other = (index + 1 + (draw >> 12) % (len(fairs) - 1)) % len(fairs)
        giver, taker = (index, other) if draw >> 11 & 1 else (other, index)
        step = min(step, fairs[giver] // 3, fairs[giver] - _FAIR_MIN)
        if step > 0:
            fairs[giver] -= step
            fairs[taker] += step
