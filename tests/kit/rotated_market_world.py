"""A venue of which the truth is known: markets with steady rates, some of which turn hot for hours, and a recorder that
sees only what its rotation chose.

Rates are log-normal (standard deviation 1 in logarithms), the listed volume agrees with them by a correlation of .35
and says nothing of what is hot; a fifth of the markets turn hot once, 50 times as busy, for 6 to 18 hours. Regret is
what is recorded, each market counted by its true percentile at the time, less than the best that has as many places.
"""

from collections.abc import Iterator, Mapping
from heapq import nlargest
from math import exp
from random import Random
from typing import Final, Literal, NamedTuple

from predsurv.collect.selection.activity import Activity, RecentActivity
from predsurv.collect.selection.interest import Knowledge, LiveWeights, interests
from predsurv.collect.selection.planner import Candidate, Plan, RotationHistory, SelectionRequest, plan
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from tests.kit.market_flow import Happened, MarketFlow
from tests.kit.random_counts import poisson

PERIOD_S: Final = 300
PERIODS_A_DAY: Final = 86_400 // PERIOD_S
SECOND: Final = 1_000_000_000
HOT: Final = 50
HOT_SHARE: Final = 0.2
HOT_PERIODS: Final = (6 * 12, 18 * 12)
AGREEMENT: Final = 0.35
MEDIAN_RATE: Final = 0.03
DELAY_S: Final = 15

Policy = Literal["learning", "listed", "uniform"]
"""``learning``: rotation as it is; ``listed``: by the listed volume alone; ``uniform``: every place by lot."""


class WorldSize(NamedTuple):
    """How many markets there are, how many places, and for how many periods of five minutes."""

    markets: int = 3_000
    places: int = 200
    periods: int = 4 * PERIODS_A_DAY


class Visit(NamedTuple):
    """An instrument as it was recorded in a period: covered seconds, and what happened in them."""

    seconds: float
    happened: Happened


class Seen(NamedTuple):
    """A period as it was recorded: the plan, and what was seen of each instrument in it."""

    number: int
    plan: Plan
    visits: Mapping[InstrumentKey, Visit]


class RotatedMarketWorld:
    """The markets of ``seed``; ``rates`` a second at a period, ``hot`` the periods (from, to) in which each was."""

    def __init__(self, seed: int, size: WorldSize) -> None:
        rng = Random(seed)
        self.seed, self.size = seed, size
        self.candidates: list[Candidate] = []
        self._steady: list[float] = []
        self.hot: dict[int, tuple[int, int]] = {}
        for number in range(size.markets):
            z = rng.gauss(0, 1)
            told = AGREEMENT * z + (1 - AGREEMENT**2) ** 0.5 * rng.gauss(0, 1)
            self._steady.append(MEDIAN_RATE * exp(z))
            key = InstrumentKey(VenueName("mock"), MarketId(f"m{number}"), InstrumentId(f"i{number:05d}"))
            self.candidates.append(Candidate(key, True, round(5_000 * exp(1.5 * told)) * MICROS))
        for number in rng.sample(range(size.markets), round(HOT_SHARE * size.markets)):
            length = min(rng.randint(*HOT_PERIODS), size.periods)
            begin = rng.randint(0, size.periods - length)
            self.hot[number] = (begin, begin + length)

    def is_hot(self, number: int, period: int) -> bool:
        """Return whether a market is hot in a period."""
        begin, end = self.hot.get(number, (0, 0))
        return begin <= period < end

    def rates(self, period: int) -> list[float]:
        """Return the changes a second of each market in a period."""
        rates = list(self._steady)
        for number in self.hot:
            if self.is_hot(number, period):
                rates[number] *= HOT
        return rates

    def flow(self) -> MarketFlow:
        """Return what happens in the markets, in all periods."""
        flow = MarketFlow(self.seed, self.size.markets)
        for period in range(self.size.periods):
            flow.happen([rate * PERIOD_S for rate in self.rates(period)])
        return flow

    def recorded(self, policy: Policy, seed: int, flow: MarketFlow | None = None) -> Iterator[Seen]:
        """Yield each period as a recorder of ``policy`` with the draws of ``seed`` sees it.

        Without a ``flow`` of the world, which two recorders share, changes alone happen, to each recorder its own.
        """
        rng, history, activity = Random(f"recorder {seed}"), RotationHistory(seed=seed), RecentActivity()
        number_of = {each.key: number for number, each in enumerate(self.candidates)}
        explore = MICROS if policy == "uniform" else 300_000
        weights = LiveWeights(1.0, 0.0) if flow is None else LiveWeights(0.4, 0.2)  # of the default scores
        before: frozenset[InstrumentKey] = frozenset()
        for period in range(self.size.periods):
            known = Knowledge(activity.known(), weights=weights) if policy == "learning" else Knowledge()
            scores = dict.fromkeys(number_of, 1) if policy == "uniform" else interests(self.candidates, known)
            request = SelectionRequest(
                candidates=self.candidates, capacity=self.size.places, explore_share=explore, scores=scores
            )
            made = plan(request, history)
            history, visits, rates = made.history, {}, self.rates(period)
            for key in sorted(made.want, key=number_of.__getitem__):  # whatever the hash seed
                seconds = PERIOD_S - (0 if key in before else rng.uniform(0, DELAY_S))
                number = number_of[key]
                if flow is None:
                    happened = Happened(poisson(rng, rates[number] * seconds), 0, 0, 0)
                else:
                    happened = flow.seen(rng, number, period, seconds / PERIOD_S)
                visits[key] = Visit(seconds, happened)
            activity.add(
                {
                    key: Activity(seconds, each.updates, each.trades, each.notional_usd)
                    for key, (seconds, each) in visits.items()
                },
                (period + 1) * PERIOD_S * SECOND,
            )
            before = frozenset(visits)
            yield Seen(period, made, visits)


class Regret(NamedTuple):
    """Of the best that could be recorded ``lost``; of hot markets ``missed``: those without a place for being
    interesting while they were; ``hot_recorded``: of their hot time; ``waited_h``: from the first sight of one while it
    was hot to that place, mean in hours; all but that shares.
    """

    lost: float
    missed: float
    hot_recorded: float
    waited_h: float


def regret(world: RotatedMarketWorld, policy: Policy, seed: int) -> Regret:
    """Return how far a policy falls short of one that knows the truth."""
    number_of = {each.key: number for number, each in enumerate(world.candidates)}
    best = got = hot_time = hot_recorded = 0.0
    placed: dict[int, int] = {}
    sighted: dict[int, int] = {}
    for seen in world.recorded(policy, seed):
        share = _shares(world.rates(seen.number))
        best += sum(nlargest(world.size.places, share))
        hot_time += sum(world.is_hot(number, seen.number) for number in world.hot)
        for key, reason in seen.plan.reasons.items():
            number = number_of[key]
            got += share[number]
            if world.is_hot(number, seen.number):
                hot_recorded += 1
                sighted.setdefault(number, seen.number)
                if reason == "exploited":
                    placed.setdefault(number, seen.number)
    waits = [(placed[number] - sighted[number]) * PERIOD_S / 3_600 for number in placed]
    return Regret(
        1 - got / best,
        1 - len(placed) / len(world.hot),
        hot_recorded / hot_time,
        sum(waits) / len(waits) if waits else 0.0,
    )


def _shares(values: list[float]) -> list[float]:
    shares = [0.0] * len(values)
    for place, number in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        shares[number] = (place + 0.5) / len(values)
    return shares
