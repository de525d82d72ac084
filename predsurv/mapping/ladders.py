"""One market against a ladder: "above 30" is the same as all buckets from 31 up, taken together."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.mapping.fields import grid_of, snapped
from predsurv.mapping.findings import FieldName
from predsurv.mapping.intervals import Interval, intersection, on_grid, tiling
from predsurv.mapping.relation import Comparison
from predsurv.mapping.scoring import PART_OF_UNION, WHOLE_UNION, RawPair
from predsurv.mapping.terms import Terms

UNION_MAX: Final = 64
"""Most markets of one union: a longer ladder is left to its single rungs."""

_LIKE: Final[tuple[FieldName, ...]] = (
    "subject",
    "action",
    "bet",
    "window",
    "cutoff",
    "game",
    "source",
    "payoff",
    "void",
    "outcome",
    "precedent",
)
_BESIDE: Final = frozenset({"narrower", "wider", "overlap", "conflict"})


class _Rung(Struct, frozen=True):
    """A market of the second venue with what it covers, on the grid of the first market's quantity."""

    pair: RawPair
    covers: Interval


def with_unions(pairs: Sequence[RawPair], first: Mapping[str, Terms], second: Mapping[str, Terms]) -> list[RawPair]:
    """Return the pairs with ``union-equal`` where disjoint rungs of the second venue tile the first market.

    ``pairs`` are all those of one market of the first venue; a rung differs from it in the threshold only. Rungs inside
    it of which others are missing among the candidates stay what they are and gain in the queue.
    """
    ladders: dict[tuple[str, tuple[str, ...]], list[_Rung]] = {}
    for each in pairs:
        rung = _rung(each, first[each.first], second[each.second])
        if rung is not None:
            terms = second[each.second]
            ladders.setdefault((terms.event_id, tuple(sorted({*terms.words, *terms.subject}))), []).append(rung)
    changed = {
        pair.second: pair
        for ladder in ladders.values()
        for pair in _joined(ladder, first[ladder[0].pair.first], second)
    }
    return [changed.get(each.second, each) for each in pairs]


def _rung(pair: RawPair, one: Terms, other: Terms) -> _Rung | None:
    compared = pair.comparison
    if one.quantity is None or other.quantity is None or compared.status("threshold") not in _BESIDE:
        return None
    if any(compared.status(name) == "conflict" for name in _LIKE) or compared.shared.subject < 0.5:
        return None
    covers = snapped(other.quantity, grid_of(one, other))
    return None if covers.empty else _Rung(pair, covers)


def _joined(ladder: Sequence[_Rung], one: Terms, second: Mapping[str, Terms]) -> list[RawPair]:
    """Return the changed pairs of one ladder: those of a whole union, or of a part of one."""
    if not 2 <= len(ladder) <= UNION_MAX or one.quantity is None or not _disjoint(ladder):
        return []
    grid = grid_of(one, second[ladder[0].pair.second]) or _step(ladder)
    target, tiles = snapped(one.quantity, grid), [_on(each.covers, grid) for each in ladder]
    whole = tiling(target, tiles)
    if len(whole) > 1:
        names = tuple(ladder[index].pair.second for index in whole)
        return [_in_union(ladder[index].pair, names) for index in whole]
    shared = [intersection(tile, target) for tile in tiles]
    if any(not part.empty and part != tile for part, tile in zip(shared, tiles, strict=True)):
        return []  # a rung that reaches beyond the target shows that no union equals it
    inside = [each for each, part in zip(ladder, shared, strict=True) if not part.empty and part != target]
    parts = tuple(each.pair.second for each in inside)
    return [replace(each.pair, odds=each.pair.odds + PART_OF_UNION, rivals=parts) for each in inside]


def _step(ladder: Sequence[_Rung]) -> int | None:
    """Return the step of the quantity that a ladder itself shows: "31-40" followed by "41-50" counts in ones."""
    ordered = sorted(each.covers for each in ladder)
    gaps = {other.low - one.high for one, other in pairwise(ordered)} - {0}
    return (gaps.pop() + 1) // 2 if len(gaps) == 1 else None


def _on(interval: Interval, grid: int | None) -> Interval:
    return interval if grid is None else on_grid(interval, grid)


def _disjoint(ladder: Sequence[_Rung]) -> bool:
    """Return whether no two rungs share a number: buckets, not the nested rungs of "above 10", "above 20"."""
    ordered = sorted(each.covers for each in ladder)
    return all(one.high <= other.low for one, other in pairwise(ordered))


def _in_union(pair: RawPair, names: tuple[str, ...]) -> RawPair:
    compared: Comparison = replace(pair.comparison, relation="union-equal", union=names, veto="")
    return replace(pair, comparison=compared, odds=pair.odds + WHOLE_UNION, rivals=names)
