"""What rotation promises of the instruments it chooses, against made-up venues of which the truth is known.

``python -m tests.proofs.selection calibration``: each is drawn as often as its probability says.
``python -m tests.proofs.selection totals --worlds 8 --replications 50``: the totals of a day estimated from what was
recorded are those of the whole venue, on average within half a percent, and their intervals hold the truth 92 times of
a hundred or more: of changes, trades, shares and dollars, each with the error of so many replications. ``python -m
tests.proofs.selection regret --worlds 3``: what the recorder misses of the best it could record in four days, beside
recorders that learn nothing: at most 17 %; 8 % of the hot markets get no place, 70 % of their time is recorded.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from multiprocessing import get_context
from random import Random
from statistics import mean, stdev
from typing import Final, NamedTuple

import polars as pl

from predsurv.collect.selection.draw import chances, drawn
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.mine.venue_totals import COUNTED, period_totals, summed
from tests.kit.market_flow import Happened, MarketFlow
from tests.kit.rotated_market_world import PERIOD_S, PERIODS_A_DAY, Policy, RotatedMarketWorld, WorldSize, regret

REGRET_MAX, MISSED_MAX, HOT_RECORDED_LEAST = 0.17, 0.08, 0.70
BIAS_MAX: Final = 0.005
COVER_LEAST: Final = 0.92
_POLICIES: Final[Sequence[Policy]] = ("uniform", "listed", "learning")
_UNLIKELY: Final = 3.5  # standard deviations


class _Replication(NamedTuple):
    world: int
    size: WorldSize
    seed: int
    policy: Policy = "learning"


class Estimate(NamedTuple):
    """Of one total of one replication: the estimate, its error and its interval, all over the truth."""

    world: int
    ratio: float
    error: float
    low: float
    high: float

    @property
    def held(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= 1 <= self.high


def main(words: Sequence[str]) -> int:
    """Run one of the three; 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.selection")
    parser.add_argument("what", choices=["calibration", "totals", "regret"])
    parser.add_argument("--worlds", type=int, default=3, help="how many are made up")
    parser.add_argument("--replications", type=int, default=50, help="recorders of each world, for totals")
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--markets", type=int, default=WorldSize().markets)
    parser.add_argument("--places", type=int, default=WorldSize().places)
    parser.add_argument("--days", type=float, default=None, help="1 for totals, 4 for regret")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(words)
    if given.what == "calibration":
        return _calibration(given.markets, given.draws)
    days = given.days or (1 if given.what == "totals" else 4)
    size = WorldSize(given.markets, given.places, round(days * PERIODS_A_DAY))
    if given.what == "totals":
        return _totals(size, given.worlds, given.replications, given.processes)
    return _regret(size, given.worlds, given.processes)


def _calibration(markets: int, draws: int) -> int:
    rng, count = Random(5), Counter[InstrumentKey]()
    keys = [InstrumentKey(VenueName("mock"), MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(markets)]
    chance = chances({key: round(rng.expovariate(8) * MICROS) for key in keys}, max(1, markets // 100))
    for number in range(draws):
        count.update(drawn(chance, f"calibration/{number}".encode()))
    squares = sum(
        (count[key] - draws * each / MICROS) ** 2 / (draws * each / MICROS * (1 - each / MICROS))
        for key, each in chance.items()
    )
    off = (squares - markets) / sqrt(2 * markets)
    print(f"{markets} instruments, {draws} draws of {max(1, markets // 100)}: chi-square {squares:.0f}, {off:+.2f} sd")
    return int(off > _UNLIKELY)


def _totals(size: WorldSize, worlds: int, draws: int, processes: int) -> int:
    work = [_Replication(world, size, seed) for world in range(worlds) for seed in range(draws)]
    with get_context("spawn").Pool(processes) as pool:
        found = list(pool.imap(estimated, work, chunksize=draws))
    print(
        f"{size.markets} markets, {size.places} places, {size.periods} periods; {worlds} worlds, {draws} recorders each"
    )
    print("total          estimate / truth     error, as estimated  95 % intervals hold it   below, above   width")
    failed = False
    for name in COUNTED:
        every = [each[name] for each in found]
        bias, off, cover, doubt = _summary(every)
        failed |= abs(bias) > BIAS_MAX + 2 * off or cover < COVER_LEAST
        known, width = sqrt(mean(each.error**2 for each in every)), mean(each.high - each.low for each in every)
        below, above = (mean(side) for side in zip(*((e.low > 1, e.high < 1) for e in every), strict=True))
        sides = f"{below:11.1%} {above:10.1%} {width:7.1%}"
        spread = off * sqrt(len(every))
        print(f"{name:13} {1 + bias:.4f} ± {off:.4f} {spread:10.2%} {known:8.2%} {cover:15.1%} ± {doubt:.1%} {sides}")
    return int(failed)


def _summary(every: Sequence[Estimate]) -> tuple[float, float, float, float]:
    """Return mean error and coverage of the replications, each with its standard error.

    The error of a mean is that between recorders of one world: worlds are given. The one of coverage is binomial.
    """
    worlds = {each.world for each in every}
    within = [[each.ratio for each in every if each.world == world] for world in worlds]
    spread = sqrt(mean(stdev(ratios) ** 2 for ratios in within))
    cover = mean(each.held for each in every)
    doubt = sqrt(max(cover * (1 - cover), 1 / len(every)) / len(every))
    return mean(each.ratio for each in every) - 1, spread / sqrt(len(every)), cover, doubt


@lru_cache(maxsize=1)
def _world(number: int, size: WorldSize) -> tuple[RotatedMarketWorld, MarketFlow]:
    world = RotatedMarketWorld(number, size)
    return world, world.flow()


def estimated(replication: _Replication) -> dict[str, Estimate]:
    """Estimate what happened in all markets in all periods from what a recorder saw."""
    world, flow = _world(replication.world, replication.size)
    rows = [
        (seen.number, seen.plan.want[key] / MICROS, seconds, float(PERIOD_S), *map(float, happened))
        for seen in world.recorded(replication.policy, replication.seed, flow)
        for key, (seconds, happened) in seen.visits.items()
    ]
    schema = ["period", "inclusion", "seconds", "planned_s", *Happened._fields]
    totals = summed(period_totals(pl.LazyFrame(rows, schema=schema, orient="row"), COUNTED))
    truth = flow.truth()._asdict()
    return {
        name: Estimate(replication.world, *(value / truth[name] for value in values))
        for name, *values in totals.iter_rows()
    }


def _regret(size: WorldSize, worlds: int, processes: int) -> int:
    work = [_Replication(world, size, world, policy) for policy in _POLICIES for world in range(worlds)]
    with get_context("spawn").Pool(processes) as pool:
        found = list(pool.imap(_regretted, work, chunksize=1))
    print(f"{size.markets} markets, {size.places} places, {size.periods} periods, {worlds} worlds")
    print("policy             regret   hot without a place   hot time recorded   hours from first sight to a place")
    lost = missed = recorded = 1.0
    for place, policy in enumerate(_POLICIES):
        rows = found[place * worlds : (place + 1) * worlds]
        lost, missed, recorded, waited = (mean(values) for values in zip(*rows, strict=True))
        doubts = [stdev(values) / sqrt(worlds) if worlds > 1 else 0.0 for values in zip(*rows, strict=True)]
        shares = (
            f"{value:13.1%} ± {doubt:.1%}" for value, doubt in zip((lost, missed, recorded), doubts, strict=False)
        )
        print(f"{policy:9}{''.join(shares)} {waited:20.2f} ± {doubts[3]:.2f}")
    return int(lost > REGRET_MAX or missed > MISSED_MAX or recorded < HOT_RECORDED_LEAST)


def _regretted(replication: _Replication) -> tuple[float, float, float, float]:
    return regret(RotatedMarketWorld(replication.world, replication.size), replication.policy, replication.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
