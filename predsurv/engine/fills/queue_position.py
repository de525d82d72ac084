"""A resting order's position in the queue of its level, estimated from public data.

The one place that says what a change of our level and a trade at our price do to an order. Public data leaves two
things open: a level that shrinks may have been cancelled or traded (its trade is told before, after, in pieces), and
a cancel may have been ahead of us or behind. A queue model is an answer to the second.
"""

from typing import Final, Literal

from msgspec import Struct, field

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.engine.books.consumed import TOLD_AFTER_MAX, HeededBook, HeededPlace

QueueModel = Literal["pessimistic", "proportional", "optimistic"]
"""Who is ahead of us: all that was there, whatever was cancelled; what is left of it when cancels come from everywhere
in proportion; nobody."""


VENUE_TIMES_APART_MAX: Final = 100_000_000
"""How much (ns) the venue's times of a trade and of the level change that it caused may differ."""


class _Shrinkage(Struct):
    """A level lost ``size``, told at ``ts``; ``advance`` of it was taken for cancels ahead of us.

    ``by``: when it was lost at the latest, in the venue's time (ns UTC), None when that is unknown.
    """

    ts: int
    size: int
    advance: int
    by: int | None

    def may_be_of(self, ts_venue: int | None) -> bool:
        """Return whether a trade of a venue time (ns UTC) may have been its cause."""
        return self.by is None or ts_venue is None or self.by + VENUE_TIMES_APART_MAX >= ts_venue


class QueuePosition(Struct, kw_only=True, eq=False):
    """Our order in the book of ``key`` (its primary instrument), at ``price`` on ``side``; sizes in micros.

    ``ahead``: volume of others ahead of us. ``own_ahead``: our own orders ahead at this price, by the pessimistic
    model; the others take what those leave. ``level_size``: the level's latest size. ``arrival`` orders our own orders
    at one price, ``since`` is when it came to rest and ``joined`` when it took its last place in the queue (ns UTC).
    ``left``: when it was cancelled or filled, 0 while it rests. ``doubtful``: the venue may have refused it, so it
    fills nothing, and takes from others what it would.
    ``told``: volume of trades told before the level lost it, the last at ``told_at``, of the venue time ``told_of``
    (None when unknown). ``displaceable``: what of the
    order may have been filled at most, and was not yet counted as displacing others. ``heeded``: what ``heeded_by``
    returned of it.
    """

    command: PlaceOrder
    key: InstrumentKey
    side: Side
    price: Price
    remaining: Size
    arrival: int
    model: QueueModel = "proportional"
    ahead: int = 0
    own_ahead: int = 0
    level_size: int = 0
    since: int = 0
    joined: int = 0
    left: int = 0
    doubtful: bool = False
    told: int = 0
    told_at: int = 0
    told_of: int | None = None
    displaceable: int = 0
    shrinkages: list[_Shrinkage] = field(default_factory=list)
    fills: list[tuple[int, int]] = field(default_factory=list)  # (venue time, size) of those of late
    heeded: HeededBook | None = None

    def join(self, level_size: int, *, displaced: int = 0, own_ahead: int = 0, ts: int = 0) -> None:
        """Take the last place of a level at ``ts`` (ns UTC): on arrival, and again after a gap.

        ``displaced``: volume that would still be in the level had our fills been real.
        """
        self.level_size = level_size
        self.ahead = 0 if self.model == "optimistic" else level_size + displaced
        self.own_ahead = own_ahead if self.model == "pessimistic" else 0
        self.joined, self.told = ts, 0
        self.shrinkages.clear()

    def on_level_size(self, level_size: int, ts: int, by: int | None = None, *, exact: bool = False) -> None:
        """Follow a change of our level's size, received at ``ts`` (ns UTC).

        ``by``: when it happened at the latest in the venue's time, None when unknown; ``exact``: right then.
        """
        lost = self.level_size - level_size
        if lost > 0:
            self._forget(ts)
            if exact and by is not None and self.told_of is not None and self.told_of + VENUE_TIMES_APART_MAX < by:
                self.told = 0
            told = min(lost, self.told)
            self.told -= told
            advance = self._advance(lost - told)
            self.ahead -= advance
            self.shrinkages.append(_Shrinkage(ts, lost - told, advance, by))
        self.level_size = level_size

    def on_trade(self, volume: int, reaching: int, ts: int, ts_venue: int | None = None, *, displaced: int = 0) -> int:
        """Let ``volume`` trade at our price; return how much of it fills us, at most ``remaining``.

        ``reaching``: what of it gets as far as us. ``ts``: when it was told, ``ts_venue``: when it happened (ns UTC),
        None when unknown. ``displaced``: volume that is in the level besides its size.
        """
        self._forget(ts)
        if self.model == "pessimistic":
            # What the level lost lately may be what this trade, or one still to be told, took from it.
            lately = sum(each.size for each in self.shrinkages)
            self.ahead = min(self.ahead, self.level_size + lately + displaced)
        else:
            self._explain(volume, ts, ts_venue)
        passing = max(reaching - self.own_ahead, 0)
        self.own_ahead = max(self.own_ahead - reaching, 0)
        size = min(max(passing - self.ahead, 0), self.remaining)
        self.ahead = max(self.ahead - passing, 0)
        return size

    def was_there(self, ts_venue: int | None) -> bool:
        """Return whether the order may have rested at a venue time (ns UTC); True when that is unknown."""
        return ts_venue is None or (ts_venue > self.since and not 0 < self.left < ts_venue)

    def may_fill(self, ts_venue: int | None) -> bool:
        """Return whether a trade of a venue time (ns UTC) can fill the order: it rests, and had its place by then."""
        return not (self.left or self.doubtful) and (ts_venue is None or ts_venue > self.joined)

    def filled(self, size: int, ts_venue: int) -> None:
        """Book a fill that happened at a venue time (ns UTC)."""
        self.remaining = Size(self.remaining - size)
        self.fills = [each for each in self.fills if each[0] >= ts_venue - TOLD_AFTER_MAX]
        self.fills.append((ts_venue, size))

    def filled_after(self, ts_venue: int | None) -> int:
        """Return what was filled after a venue time: an earlier trade that is told late may have met that instead."""
        return 0 if ts_venue is None else sum(size for ts, size in self.fills if ts > ts_venue)

    def better_than(self, price: Price) -> bool:
        """Return whether our price is strictly better than ``price``: a trade there went through us."""
        return self.price > price if self.side == "bid" else self.price < price

    def crossed_by(self, price: Price) -> bool:
        """Return whether an opposite level at ``price`` would have traded with us."""
        return price <= self.price if self.side == "bid" else price >= self.price

    def _advance(self, cancelled: int) -> int:
        """Return how much of what was cancelled in our level was ahead of us."""
        if self.model == "pessimistic":
            return 0
        return min(self.ahead, self.level_size) * cancelled // self.level_size

    def _explain(self, volume: int, ts: int, ts_venue: int | None) -> None:
        """Take back what shrinkages advanced us where this trade was their cause: the volume ahead was still there.

        Of several that may be its effect the latest is the likeliest.
        """
        for each in reversed(self.shrinkages):
            if not each.may_be_of(ts_venue):
                break
            part = min(volume, each.size)
            back = each.advance * part // each.size if each.size else 0
            self.ahead += back
            each.advance -= back
            each.size -= part
            volume -= part
        if volume:
            self.told, self.told_at, self.told_of = self.told + volume, ts, ts_venue

    def _forget(self, ts: int) -> None:
        """Take for cancels what no trade has explained in time."""
        oldest = ts - TOLD_AFTER_MAX
        if self.shrinkages and self.shrinkages[0].ts < oldest:
            self.shrinkages = [each for each in self.shrinkages if each.ts >= oldest]
        if self.told_at < oldest:
            self.told = 0


def heeded_by(order: QueuePosition) -> HeededBook:
    """Return what matters to an order while it rests: its level, the other side at its price and beyond, trades."""
    if order.heeded is None:
        opposite: Side = "ask" if order.side == "bid" else "bid"
        places = HeededPlace(order.side, order.price), HeededPlace(opposite, order.price, through=True)
        order.heeded = HeededBook(order.key, places, trades=True)
    return order.heeded
