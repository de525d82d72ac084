"""How many sets of a group of claims to hold, exactly, in integers, and the orders that lead there.

Let d be the net shares of each claim (yes less no) and n the shares of no. Whatever comes true, the group pays at
least n + min(d), or n + min(d, 0) where it may be that nothing does. With the level t = min(d), the best that each
claim can do is to buy up to t and to sell what is above it: n + money = t − what that costs. The books make each of
these costs convex, so the whole is concave in t and its maximum is where one more set stops paying: at a step of some
book. That is the linear program of the group, binary markets (no claim beside), baskets of yes (t rises) and baskets of
no (t falls) alike, and a walk over the steps solves it without a solver and without its tolerances.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.num import MICROS, Price, Size
from predsurv.strategies.claim_tiers import LOT, ClaimTiers, Tier

_NEVER: Final = MICROS * MICROS
"""Micros a share that nothing costs: where the books end."""


class SetSearch(Struct, frozen=True):
    """What to search in.

    ``hurdle``: what each further set has to earn, ``pair_hurdle``: each pair of yes and no (micros).
    """

    claims: tuple[ClaimTiers, ...]
    exhaustive: bool
    hurdle: int = 0
    pair_hurdle: int = MICROS

    @property
    def level(self) -> int:
        """The level held now (micros of a set): of yes where positive, of no where negative."""
        lowest = min(claim.net for claim in self.claims)
        return lowest if self.exhaustive else min(lowest, 0)

    @property
    def highest(self) -> int:
        """The level to which completing what is held leads at most."""
        highest = max(claim.net for claim in self.claims)
        return highest if self.exhaustive else min(highest, 0)


class PlannedOrder(Struct, frozen=True):
    """An order that only takes, with the levels that it is meant to take, best first; the last is its limit."""

    key: InstrumentKey
    side: OrderSide
    takes: tuple[tuple[Price, Size], ...]

    @property
    def size(self) -> Size:
        """The size of the order."""
        return Size(sum(size for _, size in self.takes))

    @property
    def limit(self) -> Price:
        """The worst price that it takes."""
        return self.takes[-1][0]


def capped(search: SetSearch, shares: int) -> SetSearch:
    """Return the search with no more than ``shares`` (micros) on either side of any claim."""
    claims = tuple(
        ClaimTiers(each.net, tuple(_first(each.buys, shares)), tuple(_first(each.sells, shares)))
        for each in search.claims
    )
    return replace(search, claims=claims)


def without(search: SetSearch, keys: AbstractSet[InstrumentKey]) -> SetSearch:
    """Return the search with nothing offered in the instruments of ``keys``."""
    claims = tuple(
        ClaimTiers(
            each.net,
            tuple(tier for tier in each.buys if tier.key not in keys),
            tuple(tier for tier in each.sells if tier.key not in keys),
        )
        for each in search.claims
    )
    return replace(search, claims=claims)


def best_level(search: SetSearch) -> int:
    """Return the level of the greatest sure payout less its cost; the present one unless another earns more."""
    start, hurdle = search.level, search.hurdle
    up = down = None
    slope = MICROS  # what one more set pays, less what it costs
    for position, change in _steps(search):
        slope -= change
        if up is None and slope <= hurdle:
            up = position
        if slope < -hurdle:
            down = position
            break
    if up is not None and up > start:
        return start + (up - start) // LOT * LOT
    if down is not None and down < start:
        return start - (start - down) // LOT * LOT
    return start


def orders_at(search: SetSearch, level: int) -> tuple[PlannedOrder, ...] | None:
    """Return the orders that lead to ``level``, none when the books do not reach it (None)."""
    taken: dict[tuple[InstrumentKey, OrderSide], list[tuple[Price, Size]]] = {}
    for claim in search.claims:
        tiers = _orders_of(claim, level, search.pair_hurdle)
        if tiers is None:
            return None
        for tier in tiers:
            taken.setdefault((tier.key, tier.side), []).append((tier.price, tier.size))
    return tuple(PlannedOrder(key, side, tuple(takes)) for (key, side), takes in taken.items())


def _steps(search: SetSearch) -> list[tuple[int, int]]:
    """Return (level, by how much a set costs more from there on) of every step of every book, in order."""
    steps = [] if search.exhaustive else [(0, MICROS)]  # no claim may come true: sets of yes pay nothing for sure
    for claim in search.claims:
        # From everything sold upwards the next net share is the cheapest of what can be bought or be left unsold.
        offers = sorted([(max(tier.value, 0), tier.size) for tier in claim.sells] + _worths(claim.buys))
        value, reach = 0, claim.net - sum(tier.size for tier in claim.sells)
        for worth, size in offers:
            steps.append((reach, worth - value))
            reach, value = reach + size, worth
        steps.append((reach, _NEVER))
    steps.sort()
    return steps


def _worths(tiers: Sequence[Tier]) -> list[tuple[int, Size]]:
    return [(tier.value, tier.size) for tier in tiers]


def _orders_of(claim: ClaimTiers, level: int, hurdle: int) -> list[Tier] | None:
    """Return what to take of a claim's books at ``level``, with pairs that cost less than the dollar that they pay."""
    missing = level - claim.net
    bought = _take(claim.buys, -(-max(missing, 0) // LOT) * LOT)
    if bought is None:
        return None
    useful = tuple(tier for tier in claim.sells if tier.value > 0)
    excess = min(max(-missing, 0) // LOT * LOT, sum(tier.size for tier in useful))
    sold = _take(useful, excess) or []
    return _merged([*bought, *sold, *_pairs(_rest(claim.buys, bought), _rest(useful, sold), hurdle)])


def _first(tiers: Sequence[Tier], size: int) -> Iterator[Tier]:
    for tier in tiers:
        part = min(tier.size, size)
        if part > 0:
            yield _part(tier, Size(part))
        size -= part


def _take(tiers: Sequence[Tier], size: int) -> list[Tier] | None:
    taken: list[Tier] = []
    for tier in tiers:
        if size <= 0:
            break
        part = min(tier.size, size)
        taken.append(_part(tier, Size(part)))
        size -= part
    return None if size > 0 else taken


def _rest(tiers: Sequence[Tier], taken: Sequence[Tier]) -> list[Tier]:
    used: int = sum(tier.size for tier in taken)
    rest: list[Tier] = []
    for tier in tiers:
        part = min(tier.size, used)
        used -= part
        if part < tier.size:
            rest.append(_part(tier, Size(tier.size - part)))
    return rest


def _pairs(buys: Sequence[Tier], sells: Sequence[Tier], hurdle: int) -> list[Tier]:
    """Return what buys a net share for less than it is sold for: a share of yes and one of no below a dollar."""
    pairs: list[Tier] = []
    left_buys, left_sells = list(reversed(buys)), list(reversed(sells))
    while left_buys and left_sells:
        buy, sell = left_buys.pop(), left_sells.pop()
        if sell.value - buy.value <= hurdle:
            break
        size = Size(min(buy.size, sell.size))
        pairs += (_part(buy, size), _part(sell, size))
        if buy.size > size:
            left_buys.append(_part(buy, Size(buy.size - size)))
        if sell.size > size:
            left_sells.append(_part(sell, Size(sell.size - size)))
    return pairs


def _part(tier: Tier, size: Size) -> Tier:
    return tier if size == tier.size else Tier(tier.value, tier.key, tier.side, tier.price, size)


def _merged(tiers: Sequence[Tier]) -> list[Tier]:
    """Return the tiers with parts of one level put together, in their order."""
    merged: dict[tuple[InstrumentKey, OrderSide, Price], Tier] = {}
    for tier in tiers:
        name = (tier.key, tier.side, tier.price)
        known = merged.get(name)
        merged[name] = tier if known is None else _part(tier, Size(known.size + tier.size))
    return list(merged.values())
