"""Choose which instruments to record in the coming period.

Kept apart and pure because fairness, capacity and stability are promises about the choice alone:
they are proved on this module without a feed.

The places are shared out in three steps. Pinned instruments come first. Of what is left,
``explore_share`` goes to a queue in which every other instrument waits its turn, so that each is
seen within ``ceil(pool / explored places)`` periods; the rest goes to the most interesting ones.
An instrument that holds one of those places keeps it until a challenger is better by a margin:
each change costs a gap in two recordings.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nlargest, nsmallest
from typing import Final, Literal

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS

Reason = Literal["pinned", "everything", "exploited", "explored"]

INCUMBENT_BONUS: Final = 250_000
"""A challenger must be more interesting than a recorded instrument by this share (micros)."""

_VOLUME_HALF: Final = 10_000 * MICROS
_LIQUIDITY_HALF: Final = 5_000 * MICROS


class Candidate(Struct, frozen=True, array_like=True):
    """An instrument that could be recorded; money in micros, light enough for 200,000 of them."""

    key: InstrumentKey
    tradable: bool
    volume_24h: int = 0
    liquidity: int = 0
    close_time: int | None = None


class History(Struct, frozen=True):
    """What the next choice has to know of the earlier ones.

    ``since``: the period in which an instrument was last recorded, or first seen when it never
    was: the queue's order. ``exploited``: who holds a place for being interesting.
    """

    period: int = 0
    since: Mapping[InstrumentKey, int] = {}
    exploited: frozenset[InstrumentKey] = frozenset()


class Demand(Struct, frozen=True, kw_only=True):
    """What there is and what is asked for.

    ``scores``: interestingness in micros, 0 … 1_000_000, where measured. ``explore_share`` in
    micros of the places that pinned instruments leave.
    """

    universe: Sequence[Candidate]
    capacity: int
    explore_share: int
    pinned: Collection[InstrumentKey] = ()
    scores: Mapping[InstrumentKey, int] = {}


class Plan(Struct, frozen=True):
    """What to record now: each instrument with its inclusion probability in micros, and why.

    ``pool`` is how many instruments share the explored places, ``left_out`` how many pinned ones
    found no place.
    """

    want: Mapping[InstrumentKey, int]
    reasons: Mapping[InstrumentKey, Reason]
    history: History
    pool: int = 0
    left_out: int = 0

    def count(self, reason: Reason) -> int:
        """Return how many instruments were chosen for ``reason``."""
        return sum(1 for given in self.reasons.values() if given == reason)

    def revisit_periods(self) -> int:
        """Return after how many periods each waiting instrument has had its turn, 0 when none waits."""
        explored = self.count("explored")
        return -(-self.pool // explored) if explored else 0


def plan(demand: Demand, history: History) -> Plan:
    """Return the choice for the period after ``history``; the same input gives the same choice."""
    period = history.period + 1
    open_now = [candidate for candidate in demand.universe if candidate.tradable]
    pinned, left_out = _pinned(open_now, demand)
    others = [candidate for candidate in open_now if candidate.key not in pinned]
    places = demand.capacity - len(pinned)
    if len(others) <= places:
        chosen: dict[InstrumentKey, Reason] = {candidate.key: "everything" for candidate in others}
        exploited = history.exploited.intersection(chosen)
        return _plan(pinned, chosen, History(period, dict.fromkeys(chosen, period), exploited), left_out=left_out)
    explore = _explore_places(places, demand.explore_share)
    worth = {candidate.key: interest(candidate, demand.scores) for candidate in others}
    exploited = _most_interesting(worth, history.exploited, places - explore)
    pool = [key for key in worth if key not in exploited]
    turn = _next_in_line(pool, worth, history, explore)
    chosen = {key: "exploited" for key in sorted(exploited)}  # noqa: C420 - fromkeys widens the type
    chosen |= {key: "explored" for key in turn}  # noqa: C420
    since = {key: history.since.get(key, history.period) for key in pool}
    since |= dict.fromkeys(chosen, period)
    return _plan(pinned, chosen, History(period, since, exploited), pool=len(pool), left_out=left_out)


def interest(candidate: Candidate, scores: Mapping[InstrumentKey, int]) -> int:
    """Return how interesting a candidate is, in micros: as measured, else guessed from its size.

    The guess grows with volume and liquidity and saturates: half at 10,000 and 5,000 dollars.
    """
    measured = scores.get(candidate.key)
    if measured is not None:
        return measured
    volume = candidate.volume_24h * MICROS // (candidate.volume_24h + _VOLUME_HALF)
    liquidity = candidate.liquidity * MICROS // (candidate.liquidity + _LIQUIDITY_HALF)
    return (volume + liquidity) // 2


def allot(capacity: int, sizes: Mapping[VenueName, int]) -> dict[VenueName, int]:
    """Share ``capacity`` places out over venues with ``sizes`` candidates each.

    Equal parts; what a small venue does not need goes to the others. Never more in sum than
    ``capacity``; every venue that has candidates gets a place while there are enough.
    """
    result: dict[VenueName, int] = {}
    left = capacity
    waiting = sorted(sizes, key=lambda name: (sizes[name], name))
    for served, name in enumerate(waiting):
        part = -(-left // (len(waiting) - served))
        result[name] = min(sizes[name], part)
        left -= result[name]
    return result


def _pinned(open_now: Iterable[Candidate], demand: Demand) -> tuple[dict[InstrumentKey, None], int]:
    wanted = frozenset(demand.pinned)
    keys = sorted(candidate.key for candidate in open_now if candidate.key in wanted)
    return dict.fromkeys(keys[: demand.capacity]), max(0, len(keys) - demand.capacity)


def _explore_places(places: int, share: int) -> int:
    """Return how many places to explore with: the share rounded up, so that a small one still explores."""
    return min(places, -(-places * share // MICROS))


def _most_interesting(
    worth: Mapping[InstrumentKey, int], incumbents: frozenset[InstrumentKey], places: int
) -> frozenset[InstrumentKey]:
    ranked = (
        (value * (MICROS + INCUMBENT_BONUS), True, key) if key in incumbents else (value * MICROS, False, key)
        for key, value in worth.items()
    )
    return frozenset(key for _, _, key in nlargest(places, ranked))


def _next_in_line(
    pool: Iterable[InstrumentKey], worth: Mapping[InstrumentKey, int], history: History, places: int
) -> list[InstrumentKey]:
    """Return who waited longest; of those who waited equally long, the more interesting."""
    since, first_seen = history.since, history.period
    ranked = ((since.get(key, first_seen), -worth[key], key) for key in pool)
    return [key for _, _, key in nsmallest(places, ranked)]


def _plan(
    pinned: Mapping[InstrumentKey, None],
    chosen: Mapping[InstrumentKey, Reason],
    history: History,
    *,
    pool: int = 0,
    left_out: int = 0,
) -> Plan:
    explored = sum(1 for reason in chosen.values() if reason == "explored")
    # Everyone in the queue is recorded equally often: places over pool is each one's share of periods.
    chance = max(1, explored * MICROS // pool) if pool else MICROS
    want = dict.fromkeys(pinned, MICROS)
    want |= {key: chance if reason == "explored" else MICROS for key, reason in chosen.items()}
    reasons: dict[InstrumentKey, Reason] = dict.fromkeys(pinned, "pinned")
    return Plan(want, reasons | dict(chosen), history, pool, left_out)
