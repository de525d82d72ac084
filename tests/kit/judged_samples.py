"""What the miner states of samples of made-up days, judged by what it states of the whole days."""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from predsurv.mine.measures.confidence import student_95
from tests.kit.rotated_days import figures_of, periods

STATED: Final = {
    "updates_per_s": "updates_per_s_se",
    "spread_usd": "spread_usd_se",
    "bid_depth_5c_shares": "bid_depth_5c_shares_se",
    "ask_depth_5c_shares": "ask_depth_5c_shares_se",
    "volatility_usd_per_sqrt_hour": "volatility_usd_per_sqrt_hour_se",
    "trades_per_hour": "trades_per_hour_se",
    "volume_shares_per_hour": "volume_shares_per_hour_se",
    "notional_usd_per_hour": "notional_usd_per_hour_se",
    "effective_spread_usd": "effective_spread_usd_se",
    "markout_1s_usd": "markout_1s_usd_se",
    "markout_10s_usd": "markout_10s_usd_se",
    "markout_60s_usd": "markout_60s_usd_se",
}
"""The statistics that have a standard error, and its name."""


class JudgedError(NamedTuple):
    """One statistic of one day: the sample's less the day's, the standard error, how many of these are an interval."""

    off: float
    error: float
    t: float

    @property
    def held(self) -> bool:
        """Whether the interval holds what the whole day gives."""
        return abs(self.off) <= self.t * self.error + 1e-12


def judge(seeds: Sequence[int], seen: float) -> dict[str, list[JudgedError]]:
    """Return each statistic of the days of ``seeds`` of which a part was ``seen``, as far as it has an error."""
    days = {}
    for place, seed in enumerate(seeds):
        rng = Random(f"day {seed}")
        whole = list(periods(rng))
        days[2 * place] = whole
        days[2 * place + 1] = [each for each in whole if rng.random() < seen]
    stated = figures_of(days)
    found: dict[str, list[JudgedError]] = {}
    for place in range(len(seeds)):
        truth, sample = stated[2 * place], stated.get(2 * place + 1, {})
        for name, error in STATED.items():
            wanted, value, se = truth[name], sample.get(name), sample.get(error)
            if wanted is not None and value is not None and se is not None:
                t = student_95((sample["visits"] or 0) - 1)
                found.setdefault(name, []).append(JudgedError(value - wanted, se, t))
    return found
