"""What is estimated is what is: a day of a random walk of known volatility, spread and rates, whole and in visits."""

from collections.abc import Callable
from math import exp, log
from random import Random

import pytest

from tests.kit.mined_tapes import HOUR, BookRow, MinedTape, S, TradeRow, mined

RATE = 1 / 20
"""Steps of a cent per second: a variance of 180 squared cents an hour, a standard deviation of 13.4 cents."""
HOURS = 24


def times(rng: Random, rate: float, hours: int = HOURS) -> list[int]:
    found, at = [], 0.0
    while (at := at + rng.expovariate(rate)) < hours * 3_600:
        found.append(round(at * S))
    return found


def walk(visits: tuple[tuple[int, int], ...], width: Callable[[int], int], seed: int) -> MinedTape:
    """A mid that steps up or down a cent, a book of ``width`` cents, buys at the ask and sales at the bid alike."""
    rng, mid, rows = Random(seed), 500, []
    wanted = sorted({*times(rng, RATE), *(start for start, _ in visits)})
    for ts in wanted:
        if any(start <= ts < end for start, end in visits):
            bid = (mid - width(ts)) / 1_000
            rows.append(BookRow(ts, True, ((bid, 100.0),), ((bid + width(ts) * 2 / 1_000, 100.0),)))
        mid += rng.choice((-10, 10))
    trades = tuple(TradeRow(ts, 0.5, 10.0, rng.choice((-1, 1))) for ts in times(rng, 1 / 120))
    return MinedTape(tuple(rows), visits, trades, tuple((ts, None) for ts in times(rng, RATE)), HOURS)


def shifted(tape: MinedTape) -> MinedTape:
    """Prices between 0 and 1 are for venues; a walk of a day needs more room, which no formula minds."""
    rows = [
        each._replace(
            bids=tuple((price + 5, size) for price, size in each.bids),
            asks=tuple((price + 5, size) for price, size in each.asks),
        )
        for each in tape.rows
    ]
    return tape._replace(rows=tuple(rows))


def in_turns(hours: int) -> tuple[tuple[int, int], ...]:
    """Five minutes of every quarter of an hour, as rotation does it."""
    return tuple((start * S, (start + 300) * S) for start in range(100, hours * 3_600 - 300, 900))


WHOLE = ((0, HOURS * HOUR),)
VISITS = in_turns(HOURS)


@pytest.mark.parametrize(("mean", "hours"), [(10, HOURS), (60, HOURS), (600, 240)])
def test_visits_make_waits_neither_shorter_nor_changes_fresher(mean: int, hours: int) -> None:
    changes = tuple((ts, None) for ts in times(Random(3), 1 / mean, hours))
    found = mined(MinedTape((), in_turns(hours), (), changes, hours))
    assert found["wait_p10_s"] == pytest.approx(mean * -log(0.9), rel=0.3)
    assert found["stale_share"] == pytest.approx(exp(-60 / mean), abs=0.04)
    median = found["wait_p50_s"]
    if mean * log(2) > 300:
        assert median is None  # longer than a visit; of the whole waits alone it would be some 80 s
    else:
        assert median == pytest.approx(mean * log(2), rel=0.12)


@pytest.mark.parametrize(("visits", "tolerance"), [(WHOLE, 0.06), (VISITS, 0.12)])
def test_volatility_spread_and_rates_are_recovered(visits: tuple[tuple[int, int], ...], tolerance: float) -> None:
    found = mined(shifted(walk(visits, lambda ts: 10 if ts // (10 * S) % 2 else 20, 7)))
    assert found["volatility_usd_per_sqrt_hour"] == pytest.approx((RATE * 3_600) ** 0.5 / 100, rel=tolerance)
    assert found["updates_per_s"] == pytest.approx(RATE, rel=tolerance)
    assert found["spread_usd"] == pytest.approx(0.03, rel=tolerance)
    assert found["taker_buy_share"] == pytest.approx(0.5, abs=0.1)
    hours = sum(end - start for start, end in visits) / HOUR
    assert found["notional_usd_per_hour"] == pytest.approx(30 * 5.0, rel=3 / (30 * hours) ** 0.5)


def test_the_standard_error_between_visits_is_that_of_the_rate() -> None:
    found = mined(shifted(walk(VISITS, lambda _: 10, 8)))
    seconds = sum(end - start for start, end in VISITS) / S
    assert found["updates_per_s_se"] == pytest.approx((RATE / seconds) ** 0.5, rel=0.25)
