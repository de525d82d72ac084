"""Choose which instruments to record in the coming period: a pure function, so its fairness can be proved.

Pinned instruments come first. Of the places that they leave, ``explore_share`` explores; the rest
goes to the most interesting instruments, and an instrument with such a place keeps it until another
is better by a margin, because each change costs a gap in two recordings. Exploring has three parts:

- new: markets listed since the first period that were never recorded, the newest first, so that
  their first hours are not spent at the end of a long queue;
- swept: those not recorded for longest, so that each is recorded within ``revisit`` periods;
- drawn: a random sample of all others, more likely the more interesting they seem (``draw``).

The inclusion probability of an instrument is the probability, given everything known before the
draw, that it is recorded in this period: 1 for all but the drawn. Summing ``value / inclusion`` over
what was recorded in a period is therefore an unbiased estimate of the sum over every open market of
that period (Horvitz and Thompson), whatever earlier periods chose and learnt. In a round robin the
probability would be places over queue length only on average over a whole cycle, and wrong as soon
as what was recorded decides what stays in the queue.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nlargest, nsmallest
from typing import Final, Literal

from msgspec import Struct

from predsurv.collect.selection.draw import chances, drawn
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS

Reason = Literal["pinned", "everything", "exploited", "new", "swept", "drawn"]
EXPLORING: Final[tuple[Reason, ...]] = ("new", "swept", "drawn")
PINNED: Final[Reason] = "pinned"
EVERYTHING: Final[Reason] = "everything"

INCUMBENT_BONUS: Final = 50_000
"""An instrument must be more interesting than a recorded one by this share (micros) to replace it.

A greater one keeps markets out that turn hot: with 250_000 a third of them never got a place, in a world of 3,000
markets and 200 places over four days whose truth was known.
"""

DRAWN_SHARE: Final = 500_000
"""Share (micros) of the exploring places that is drawn at random."""

NEW_SHARE: Final = 250_000
"""Share (micros) of the exploring places that new markets may take; the rest is for the sweep."""

NEVER: Final = -(1 << 40)
"""Stands for the period in which an instrument was last recorded when that is unknown."""

_VOLUME_HALF: Final = 10_000 * MICROS
_LIQUIDITY_HALF: Final = 5_000 * MICROS


class Candidate(Struct, frozen=True, array_like=True, gc=False):
    """An instrument that could be recorded; money in micros, ``close_time`` in ns UTC. There are up to 200,000.

    ``mirror``: the other outcome of its market, whose trades are recorded with it; None where there is none.
    """

    key: InstrumentKey
    tradable: bool
    volume_24h: int = 0
    liquidity: int = 0
    close_time: int | None = None
    mirror: InstrumentKey | None = None


class RotationHistory(Struct, frozen=True):
    """State carried from one plan to the next.

    ``since``: the period in which an instrument was last recorded, or first listed when it never
    was: the order of the sweep; what happened before this run is negative. ``fresh``: instruments listed
    since the first period, or during an earlier run, and not recorded yet. ``exploited``: those with a place for being
    interesting. ``seed`` makes the draws of one run different from another's.
    """

    period: int = 0
    since: Mapping[InstrumentKey, int] = {}
    fresh: frozenset[InstrumentKey] = frozenset()
    exploited: frozenset[InstrumentKey] = frozenset()
    seed: int = 0


class SelectionRequest(Struct, frozen=True, kw_only=True):
    """The input of a plan.

    ``scores``: interestingness in micros, 0 … 1_000_000, where measured. ``explore_share`` in
    micros of the places that pinned instruments leave.
    """

    candidates: Sequence[Candidate]
    capacity: int
    explore_share: int
    pinned: Collection[InstrumentKey] = ()
    scores: Mapping[InstrumentKey, int] = {}


class Plan(Struct, frozen=True):
    """What to record now: each instrument with its inclusion probability in micros, and the reason.

    ``pool`` is how many instruments share the exploring places, ``unseen`` how many of them were
    not recorded by this run nor, as far as is known, before it. Each of them is recorded within
    ``revisit`` periods (0: none waits). ``left_out`` is how many pinned ones found no place.
    """

    want: Mapping[InstrumentKey, int]
    reasons: Mapping[InstrumentKey, Reason]
    history: RotationHistory
    pool: int = 0
    unseen: int = 0
    revisit: int = 0
    left_out: int = 0

    def count(self, *reasons: Reason) -> int:
        """Return how many instruments were chosen for one of ``reasons``."""
        return sum(1 for given in self.reasons.values() if given in reasons)

    def unseen_periods(self) -> int:
        """Return after about how many periods every instrument will have been recorded once."""
        return _turns(self.unseen, self.count(*EXPLORING))


class _Shares(Struct, frozen=True):
    """The exploring places by purpose."""

    new: int
    swept: int
    drawn: int


def plan(request: SelectionRequest, history: RotationHistory) -> Plan:
    """Return the choice for the period after ``history``; the same input gives the same choice."""
    open_now = [candidate for candidate in request.candidates if candidate.tradable]
    pinned, left_out = _pinned(open_now, request)
    others = [candidate for candidate in open_now if candidate.key not in pinned]
    first_seen = history.period or NEVER
    since = {each.key: history.since.get(each.key, first_seen) for each in request.candidates}
    places = request.capacity - len(pinned)
    if len(others) <= places:
        return _everything(pinned, others, since, history, left_out)
    explore = _explore_places(places, request.explore_share)
    worth = {candidate.key: interest(candidate, request.scores) for candidate in others}
    exploited = _most_interesting(worth, history.exploited, places - explore)
    order = _Order(worth, since, _fresh(worth, history))
    pool = [key for key in worth if key not in exploited]
    explored = _explored(pool, order, explore, history)
    chosen: dict[InstrumentKey, Reason] = {key: "exploited" for key in sorted(exploited)}  # noqa: C420
    chosen |= explored.reasons
    period = history.period + 1
    after = RotationHistory(
        period, since | dict.fromkeys(chosen, period), order.fresh - chosen.keys(), exploited, history.seed
    )
    return Plan(
        want=dict.fromkeys(pinned, MICROS) | dict.fromkeys(exploited, MICROS) | explored.chances,
        reasons={**dict.fromkeys(pinned, PINNED), **chosen},
        history=after,
        pool=len(pool),
        unseen=sum(1 for key in pool if key not in explored.reasons and (key in order.fresh or since[key] <= NEVER)),
        revisit=_turns(len(pool), _share_out(explore, explore).swept),
        left_out=left_out,
    )


def interest(candidate: Candidate, scores: Mapping[InstrumentKey, int]) -> int:
    """Return how interesting a candidate is, in micros: as measured, else estimated from its size.

    The estimate grows with volume and liquidity and saturates: half at 10,000 and 5,000 dollars.
    """
    measured = scores.get(candidate.key)
    if measured is not None:
        return measured
    volume = candidate.volume_24h * MICROS // (candidate.volume_24h + _VOLUME_HALF)
    liquidity = candidate.liquidity * MICROS // (candidate.liquidity + _LIQUIDITY_HALF)
    return (volume + liquidity) // 2


def allot(capacity: int, sizes: Mapping[VenueName, int]) -> dict[VenueName, int]:
    """Divide ``capacity`` places among venues with ``sizes`` candidates each.

    Equal parts; what a small venue does not need goes to the others. Never more in sum than
    ``capacity``; every venue with candidates gets a place while there are enough.
    """
    result: dict[VenueName, int] = {}
    left = capacity
    waiting = sorted(sizes, key=lambda name: (sizes[name], name))
    for served, name in enumerate(waiting):
        part = -(-left // (len(waiting) - served))
        result[name] = min(sizes[name], part)
        left -= result[name]
    return result


def _everything(
    pinned: Mapping[InstrumentKey, None],
    others: Iterable[Candidate],
    since: Mapping[InstrumentKey, int],
    history: RotationHistory,
    left_out: int,
) -> Plan:
    reasons: dict[InstrumentKey, Reason] = {**dict.fromkeys(pinned, PINNED)}
    chosen = [candidate.key for candidate in others]
    reasons |= dict.fromkeys(chosen, EVERYTHING)
    period = history.period + 1
    exploited = history.exploited.intersection(chosen)
    after = RotationHistory(period, {**since, **dict.fromkeys(chosen, period)}, frozenset(), exploited, history.seed)
    return Plan(dict.fromkeys(reasons, MICROS), reasons, after, left_out=left_out)


def _pinned(open_now: Iterable[Candidate], request: SelectionRequest) -> tuple[dict[InstrumentKey, None], int]:
    wanted = frozenset(request.pinned)
    keys = sorted(candidate.key for candidate in open_now if candidate.key in wanted)
    return dict.fromkeys(keys[: request.capacity]), max(0, len(keys) - request.capacity)


def _explore_places(places: int, share: int) -> int:
    """Return the number of exploring places: the share rounded up, so that a small one still explores."""
    return min(places, -(-places * share // MICROS))


def _most_interesting(
    worth: Mapping[InstrumentKey, int], incumbents: frozenset[InstrumentKey], places: int
) -> frozenset[InstrumentKey]:
    ranked = (
        (value * (MICROS + INCUMBENT_BONUS), True, key) if key in incumbents else (value * MICROS, False, key)
        for key, value in worth.items()
    )
    return frozenset(key for _, _, key in nlargest(places, ranked))


def _fresh(worth: Mapping[InstrumentKey, int], history: RotationHistory) -> frozenset[InstrumentKey]:
    """Return the instruments listed since the first period, or waiting since an earlier run, and never recorded."""
    if not history.period:
        return history.fresh.intersection(worth)
    return frozenset(key for key in worth if key in history.fresh or key not in history.since)


class _Order(Struct, frozen=True):
    """What decides the order: interest in micros, period of the last recording, never recorded."""

    worth: Mapping[InstrumentKey, int]
    since: Mapping[InstrumentKey, int]
    fresh: frozenset[InstrumentKey]


class _Explored(Struct, frozen=True):
    """Who explores, why, and with which probability (micros) it was chosen."""

    reasons: dict[InstrumentKey, Reason]
    chances: dict[InstrumentKey, int]


def _explored(pool: Collection[InstrumentKey], order: _Order, places: int, history: RotationHistory) -> _Explored:
    worth, since, fresh = order.worth, order.since, order.fresh
    shares = _share_out(places, sum(1 for key in pool if key in fresh))
    waiting = ((-since[key], -worth[key], key) for key in pool if key in fresh)
    certain: dict[InstrumentKey, Reason] = {key: "new" for _, _, key in nsmallest(shares.new, waiting)}
    queue = ((since[key], -worth[key], key) for key in pool if key not in certain)
    certain |= {key: "swept" for _, _, key in nsmallest(shares.swept, queue)}
    chance = chances({key: worth[key] for key in pool if key not in certain}, shares.drawn)
    found: dict[InstrumentKey, Reason] = {}
    if shares.drawn:
        found = {key: "drawn" for key in drawn(chance, f"{history.seed}/{history.period}".encode())}  # noqa: C420
    return _Explored(certain | found, dict.fromkeys(certain, MICROS) | {key: chance[key] for key in found})


def _share_out(places: int, fresh: int) -> _Shares:
    by_lot = places * DRAWN_SHARE // MICROS
    new = min(fresh, places * NEW_SHARE // MICROS)
    return _Shares(new, places - by_lot - new, by_lot)


def _turns(waiting: int, places: int) -> int:
    return -(-waiting // places) if places else 0
