"""Ratios say what they rest on, and are None where they would rest on nothing."""

import pytest

from predsurv.core.num import MICROS, Money
from predsurv.trade.results.ratios import RETURNS_MIN, YEAR, fill_ratio, hit_rate, sharpe
from predsurv.trade.results.sampling import EquityCurve
from predsurv.trade.results.tally import Tally
from tests.kit.trading_samples import START, S

E0 = Money(1_000 * MICROS)


def curve(changes: list[int], step: int = S) -> EquityCurve:
    equity = [int(E0)]
    for change in changes:
        equity.append(equity[-1] + change * MICROS)
    times = tuple(START + n * step for n in range(len(equity)))
    return EquityCurve(step, times, tuple(map(Money, equity)))


def test_the_ratio_is_that_of_the_returns_over_a_year() -> None:
    found = sharpe(curve([1, 3] * 10, 3_600 * S), E0)
    assert found is not None
    assert (found.samples, found.interval) == (20, 3_600 * S)
    per_hour = 2 / (20 / 19) ** 0.5
    assert found.ratio == pytest.approx(per_hour * (YEAR / (3_600 * S)) ** 0.5)
    assert found.error == pytest.approx(((1 + per_hour**2 / 2) / 20 * YEAR / (3_600 * S)) ** 0.5)


def test_short_intervals_are_joined_and_missing_ones_left_out() -> None:
    found = sharpe(curve([1, -1, 2] * 100), E0)
    assert found is not None
    assert (found.samples, found.interval) == (50, 6 * S)
    late = curve([1, 2] * 10)
    times = tuple(ts + (3_600 * S if n > 10 else 0) for n, ts in enumerate(late.times))
    found = sharpe(EquityCurve(S, times, late.equity), E0)
    assert found is not None
    assert found.samples == 19


def test_too_few_or_equal_returns_give_no_ratio() -> None:
    assert sharpe(curve([1, 2] * (RETURNS_MIN // 2 - 1)), E0) is None
    assert sharpe(curve([0] * 50), E0) is None
    assert sharpe(curve([1, 2] * 30), Money(0)) is None
    assert sharpe(EquityCurve(), E0) is None


def test_shares_of_nothing_are_unknown() -> None:
    assert (hit_rate(Tally()), fill_ratio(Tally())) == (None, None)
    assert (hit_rate(Tally(trips=4, won=1)), fill_ratio(Tally(ordered=8, filled=6))) == (0.25, 0.75)
