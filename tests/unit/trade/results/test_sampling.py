"""Samples of a run's equity: bounded in number, and nothing of importance is lost when they are merged."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import MICROS, Money
from predsurv.trade.results.sampling import INTERVAL, PATHS_MAX, SAMPLES_MAX, EquitySampler
from tests.kit.trading_samples import NO, START, YES, S, market, resolved


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=3 * SAMPLES_MAX))
def test_least_most_and_drawdown_outlive_merging(values: list[int]) -> None:
    sampler, worst, peak = EquitySampler(Money(values[0])), 0, values[0]
    for number, value in enumerate(values):
        sampler.add(START + number * S, Money(value), Money(number), {})
        peak = max(peak, value)
        worst = max(worst, peak - value)
    curve = sampler.curve()
    merged = curve.interval // INTERVAL
    kept = len(values) - len(values) % merged  # the last pairs may not be whole yet
    assert len(curve.times) < SAMPLES_MAX
    assert curve.drawdown == worst
    assert curve.equity[-1] == values[-1] or kept < len(values)
    assert min(curve.low) == min(values[: len(curve.times) * merged] if kept == len(values) else values)
    assert max(curve.high) == max(values)
    assert list(curve.times) == sorted(curve.times)
    assert len(curve.exposure) == len(curve.times)


def test_samples_fall_on_multiples_of_an_interval_that_doubles() -> None:
    sampler = EquitySampler(Money(0))
    sampler.add(START + 5, Money(1), Money(0), {})
    assert sampler.next_at == START + S
    for number in range(1, SAMPLES_MAX):
        sampler.add(START + number * S, Money(1), Money(0), {})
    assert sampler.curve().interval == 2 * S
    sampler.add(START + SAMPLES_MAX * S, Money(1), Money(0), {})
    assert sampler.next_at % (2 * S) == 0


def test_a_gap_in_a_price_stays_visible_when_samples_are_merged() -> None:
    sampler = EquitySampler(Money(0))
    sampler.follow(YES)
    for number in range(SAMPLES_MAX):
        if number == 3:
            sampler.follow(NO)
        mids = {YES: None if number == 10 else 500_000, NO: 400_000 + number}
        sampler.add(START + number * S, Money(0), Money(0), mids)
    yes, no = sampler.curve().paths
    assert len(yes.mids) == SAMPLES_MAX // 2
    assert yes.mids.count(None) == 1
    assert yes.mids[5] is None
    assert (no.start, len(no.mids)) == (1, SAMPLES_MAX // 2 - 1)
    assert no.mids[-1] == 400_000 + SAMPLES_MAX - 1


def test_a_settled_market_ends_and_only_so_many_are_followed() -> None:
    sampler = EquitySampler(Money(5 * MICROS))
    for number in range(PATHS_MAX + 1):
        sampler.follow(market(f"m{number}").key(0))
    assert len(sampler.paths()) == PATHS_MAX
    sampler = EquitySampler(Money(0))
    sampler.follow(YES)
    sampler.settle(resolved(ts=START + S))
    sampler.settle(resolved(ts=START + 9 * S))
    assert sampler.curve().paths[0].end == START + S
    assert sampler.last_at == 0
