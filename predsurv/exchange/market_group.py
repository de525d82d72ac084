"""Markets whose prices move together, and the agents that trade them: makers, informed takers and noise takers.

A group draws from random streams of its own and never looks at another group, so that an order in one group changes
nothing in the others.
"""

import random
from collections.abc import Callable
from typing import Final

from predsurv.core.ids import Side
from predsurv.core.num import MICROS
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.makers import MakerParameters, MarketMaker
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import GroupSpec, random_stream

FINE_TICK: Final = 1_000
_GAPS: Final = (5, 10, 25, 45, 80, 125, 190, 320)
"""Time between actions in hundredths of the mean: bursts and pauses that average 1."""
_FAIR_VALUE_MIN: Final = 4_000
_COARSE_TICK_MIN: Final = 40_000
"""Nearer to 0 or 1 dollar than this (micros) a price needs the fine tick."""
_STEP: Final = 14_000
"""Largest move of a fair value in one step, at even odds, micros."""
_JUMP_ODDS: Final = 400
_TAKER_LEVELS: Final = 2

ExtremePriceHandler = Callable[["MarketGroup", int], None]
"""Called with a group and the index of its book when that needs the fine tick."""


class MarketGroup:
    """The books, fair values and agents of a binary market, an exclusive event or a market of many outcomes.

    ``interval``: mean ns between level changes, 0 for a group without activity. ``on_extreme_price`` is called once,
    when the price of a binary market comes so near 0 or 1 that its tick has to become ``FINE_TICK``.
    """

    __slots__ = (
        "_bits",
        "_gaps",
        "_needs_fine_tick",
        "_on_extreme_price",
        "_rng",
        "books",
        "fair_values",
        "fast_makers",
        "interval",
        "is_calm",
        "is_closed",
        "is_mispriced",
        "slow_makers",
        "spec",
    )

    def __init__(
        self, spec: GroupSpec, tape: Tape, first_book: int, interval: int, on_extreme_price: ExtremePriceHandler
    ) -> None:
        self.spec = spec
        self.interval = interval
        self.is_calm = spec.mispricing is not None
        """Fair values move little until the mispricing that the spec plans."""
        self.is_closed = False
        self.is_mispriced = False
        """While set, only outside orders take liquidity."""
        self._gaps = tuple(interval * gap // 100 for gap in _GAPS)
        self._needs_fine_tick = spec.kind == "binary" and spec.tick > FINE_TICK
        self._on_extreme_price = on_extreme_price
        self.fair_values = list(spec.fair_values)
        self._rng: random.Random = random_stream(spec.seed, "agents", spec.index)
        self._bits = self._rng.getrandbits
        count = len(spec.fair_values)
        self.books = tuple(MatchingBook(first_book + i, spec.tick, tape) for i in range(count))
        fast = MakerParameters(spec.half_spread, 1, spec.levels, spec.shares, learning_rate=6)
        slow = MakerParameters(spec.half_spread * 2, 2, max(spec.levels // 2, 1), spec.shares, learning_rate=3)
        pairs = tuple(zip(self.books, self.fair_values, strict=True))
        self.fast_makers = tuple(MarketMaker(book, fast, fair_value) for book, fair_value in pairs)
        self.slow_makers = tuple(MarketMaker(book, slow, fair_value) for book, fair_value in pairs)

    def place_opening_quotes(self) -> None:
        """Quote in every book; without activity some books get one side only, or nothing."""
        inactive = not self.interval
        for index, fair_value in enumerate(self.fair_values):
            draw = self._bits(30)
            if inactive and draw % 3 == 0:
                continue
            self.fast_makers[index].quote(fair_value, draw)
            if not inactive:
                self.slow_makers[index].quote(fair_value, draw >> 3)
            elif draw % 3 == 1:
                for order in self.fast_makers[index].asks:
                    self.books[index].cancel(order)

    def act(self, now: int) -> int | None:
        """Let one agent act in one book at ``now`` (ns UTC); return the time of the next action, None once closed."""
        if self.is_closed:
            return None
        tape = self.books[0].tape
        before = tape.level_changes
        draw = self._bits(40)
        index = draw % len(self.books)
        choice = (draw >> 3) & 127
        if self.is_mispriced or choice < 84:
            maker = self.slow_makers[index] if draw & 3_072 == 3_072 else self.fast_makers[index]
            if not maker.resize_level(draw >> 12):
                maker.quote(maker.estimate, draw)
        elif choice < 96:
            self._take(index, draw >> 10)
        else:
            self._move_fair_value(index, draw >> 10)
            self._quote(index, draw >> 10)
        return now + 1 + (tape.level_changes - before or 1) * self._gaps[draw >> 37]

    def requote_all(self) -> None:
        """Let every maker that is not paused quote the exact fair value."""
        for maker in (*self.slow_makers, *self.fast_makers, *self.slow_makers):
            maker.requote(self.fair_values[maker.book.index - self.books[0].index], self._bits(30))

    def close(self) -> None:
        """Stop trading for good: every order is removed and no agent acts any more."""
        self.is_closed = True
        for book in self.books:
            book.clear("market closed")

    def draw_winner(self) -> int:
        """Draw the winning book with the fair values as probabilities (a binary market: 0 yes, 1 no)."""
        point = self._rng.randrange(MICROS)
        for index, fair_value in enumerate(self.fair_values):
            point -= fair_value
            if point < 0:
                return index
        return len(self.fair_values) if len(self.fair_values) == 1 else len(self.fair_values) - 1

    def draw(self, below: int) -> int:
        """Return a number from this group's stream, 0 … below − 1."""
        return self._rng.randrange(below)

    def _take(self, index: int, draw: int) -> None:
        """Trade as an informed taker when the book is off the fair value, else as a noise taker."""
        book, fair_value = self.books[index], self.fair_values[index]
        bid, ask = book.best("bid"), book.best("ask")
        buys = bool(draw & 1)
        if ask is not None and ask + book.tick < fair_value:
            buys = True
        elif bid is not None and bid - book.tick > fair_value:
            buys = False
        side: Side = "bid" if buys else "ask"
        best = ask if buys else bid
        if best is None:
            self._quote(index, draw)
            return
        reach = book.tick * ((draw >> 1) % (_TAKER_LEVELS + 1))
        limit = min(best + reach, MICROS - 1) if buys else max(best - reach, 1)
        book.take(side, limit, (5 << (draw >> 3) % 6) * MICROS + (draw >> 6) % 3 * 500_000)

    def _quote(self, index: int, draw: int) -> None:
        self.fast_makers[index].quote(self.fair_values[index], draw)
        if draw & 3 == 1:
            self.slow_makers[index].quote(self.fair_values[index], draw >> 2)

    def _move_fair_value(self, index: int, draw: int) -> None:
        """Move one fair value; in an exclusive group another one moves by the same amount the other way.

        Steps shrink towards 0 and 1 as p(1 − p) does and are as likely up as down: a martingale, except for the
        clipping at ``_FAIR_VALUE_MIN`` from either end, which is no absorbing state.
        """
        fair_values = self.fair_values
        fair_value = fair_values[index]
        step = (draw & 1_023) * _STEP * fair_value * (MICROS - fair_value) // (256 * MICROS * MICROS)
        if self.is_calm:
            step >>= 3
        elif draw % _JUMP_ODDS == 0:
            step *= 12
        if len(fair_values) == 1:
            moved = fair_value + step if draw >> 11 & 1 else fair_value - step
            fair_values[index] = min(max(moved, _FAIR_VALUE_MIN), MICROS - _FAIR_VALUE_MIN)
            if self._needs_fine_tick and not _COARSE_TICK_MIN <= fair_values[index] <= MICROS - _COARSE_TICK_MIN:
                self._needs_fine_tick = False
                self._on_extreme_price(self, index)
            return
        other = (index + 1 + (draw >> 12) % (len(fair_values) - 1)) % len(fair_values)
        giver, taker = (index, other) if draw >> 11 & 1 else (other, index)
        step = min(step, fair_values[giver] // 3, fair_values[giver] - _FAIR_VALUE_MIN)
        if step > 0:
            fair_values[giver] -= step
            fair_values[taker] += step
