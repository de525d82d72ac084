"""Sets of numbers as exact intervals: what a threshold or a bucket of a ladder covers.

An interval is two cuts of the number line. The cut before a value v (micros) is ``2 v``, the cut behind it ``2 v +
1``, so that open and closed ends, and "above 30" against "31 or more" on whole numbers, compare as integers.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

Relation = Literal["equal", "subset", "superset", "complement", "overlap", "disjoint"]

LOWEST: Final = -(1 << 80)
HIGHEST: Final = 1 << 80
"""The cuts before and behind every number."""


class Interval(Struct, frozen=True, order=True, gc=False):
    """The numbers between the cuts ``low`` and ``high``; empty where they meet."""

    low: int
    high: int

    @property
    def empty(self) -> bool:
        """Return whether no number is in it."""
        return self.low >= self.high

    def holds(self, value: int) -> bool:
        """Return whether ``value`` (micros) is in it."""
        return self.low <= 2 * value < self.high


EVERYTHING: Final = Interval(LOWEST, HIGHEST)


def at_least(value: int) -> Interval:
    """Return the numbers ≥ ``value`` (micros)."""
    return Interval(2 * value, HIGHEST)


def above(value: int) -> Interval:
    """Return the numbers > ``value`` (micros)."""
    return Interval(2 * value + 1, HIGHEST)


def at_most(value: int) -> Interval:
    """Return the numbers ≤ ``value`` (micros)."""
    return Interval(LOWEST, 2 * value + 1)


def below(value: int) -> Interval:
    """Return the numbers < ``value`` (micros)."""
    return Interval(LOWEST, 2 * value)


def between(low: int, high: int) -> Interval:
    """Return the numbers from ``low`` to ``high`` (micros), both included."""
    return Interval(2 * min(low, high), 2 * max(low, high) + 1)


def on_grid(interval: Interval, step: int) -> Interval:
    """Return ``interval`` for a quantity that only takes multiples of ``step`` (micros): its cuts lie before multiples.

    On whole numbers "above 30", "31 or more" and "30.5 or more" become one and the same.
    """
    return Interval(_snap(interval.low, step), _snap(interval.high, step))


def _snap(cut: int, step: int) -> int:
    return cut if cut in (LOWEST, HIGHEST) else -(-cut // (2 * step)) * 2 * step


def complement(interval: Interval) -> tuple[Interval, ...]:
    """Return what ``interval`` leaves of the number line: none, one or two intervals."""
    parts = (Interval(LOWEST, interval.low), Interval(interval.high, HIGHEST))
    return (EVERYTHING,) if interval.empty else tuple(part for part in parts if not part.empty)


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the union as disjoint intervals in order, with touching ones joined."""
    joined: list[Interval] = []
    for each in sorted(each for each in intervals if not each.empty):
        if joined and each.low <= joined[-1].high:
            joined[-1] = Interval(joined[-1].low, max(joined[-1].high, each.high))
        else:
            joined.append(each)
    return tuple(joined)


def intersection(one: Interval, other: Interval) -> Interval:
    """Return what is in both, an empty interval where nothing is."""
    return Interval(max(one.low, other.low), min(one.high, other.high))


def relate(one: Interval, other: Interval) -> Relation:
    """Return how ``one`` relates to ``other``; neither may be empty."""
    if one == other:
        return "equal"
    if complement(one) == (other,):
        return "complement"
    shared = intersection(one, other)
    if shared.empty:
        return "disjoint"
    if shared == one:
        return "subset"
    return "superset" if shared == other else "overlap"


def tiling(target: Interval, tiles: Sequence[Interval]) -> tuple[int, ...]:
    """Return the positions of the ``tiles`` that together are exactly ``target``, () where they are not.

    Tiles that reach beyond the target are left out; those inside must be disjoint and leave no hole.
    """
    inside = [index for index, tile in enumerate(tiles) if not tile.empty and intersection(tile, target) == tile]
    inside.sort(key=lambda index: tiles[index])
    reached = target.low
    for index in inside:
        if tiles[index].low != reached:
            return ()
        reached = tiles[index].high
    return tuple(inside) if inside and reached == target.high else ()
