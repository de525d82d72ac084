"""What is counted in a recording and what it stands for, by hand; the estimate beside the truth of a made-up venue."""

from pathlib import Path
from random import Random
from statistics import mean

import pytest

from predsurv.collect.selection.planner import Candidate, RotationHistory, SelectionRequest, plan
from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.mine.totals_job import VenueTotals, venue_totals
from tests.kit.mining_samples import START, S, record

PERIOD = 300
MARKETS, PLACES, PERIODS = 30, 10, 8


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number:02d}"), InstrumentId(f"m{number:02d}-yes"))


def covered(number: int, start: float, end: float, chance: float, trades: str | None = "live") -> Coverage:
    begin, until = (START + round(each * S) for each in (start, end))
    return Coverage(key(number), begin, until, "covered", "live", 1, round(chance * MICROS), trades, "live")  # type: ignore[arg-type]


def rotated_out(number: int, start: float, end: float) -> Coverage:
    return Coverage(key(number), START + round(start * S), START + round(end * S), "gap", "rotated_out", 0, 0)


def change(number: int, second: float) -> BookDelta:
    return BookDelta(key(number), START + round(second * S), None, 1, None, "bid", Price(490_000), Size(MICROS))


def trade(number: int, second: float, shares: int) -> Trade:
    return Trade(key(number), START + round(second * S), None, Price(250_000), Size(shares * MICROS), "buy", None)


def estimates(found: VenueTotals) -> dict[str, float]:
    return dict(found.totals.select("total", "estimate").iter_rows())


def test_two_periods_by_hand(tmp_path: Path) -> None:
    """One is recorded throughout; of two others one is drawn in each period, and the first stays on for 8 s."""
    records: list[Record] = [
        *(change(0, second) for second in (10, 20, 400)),
        trade(0, 30, 4),
        *(change(1, second) for second in (50, 301, 302)),
        trade(1, 60, 10),
        trade(1, 303, 1_000),
        *(change(2, second) for second in (320, 330)),
        change(2, 700),
        covered(0, 0, 600, 1.0),
        covered(1, 0, 300, 0.5),
        covered(1, 300, 308, 0.0),
        rotated_out(1, 308, 600),
        covered(2, 310, 600, 0.25),
    ]
    found = venue_totals([record(tmp_path, [records])])
    filled = 300 / 290
    assert estimates(found) == pytest.approx(
        {
            "updates": 3 + 1 / 0.5 + 2 / 0.25 * filled,
            "trades": 1 + 1 / 0.5,
            "volume_shares": 4 + 10 / 0.5,
            "notional_usd": 0.25 * (4 + 10 / 0.5),
        }
    )
    assert found.recorded == pytest.approx({"updates": 6, "trades": 2, "volume_shares": 14, "notional_usd": 3.5})
    assert (found.draws, found.instruments) == (2, 3)
    assert found.hours == pytest.approx(600 / 3_600)
    assert found.open == pytest.approx(((1 + 2) + (1 + 4)) / 2)


def test_trades_that_nobody_observed_are_unknown_and_not_none(tmp_path: Path) -> None:
    found = venue_totals([record(tmp_path, [[change(0, 10), covered(0, 0, 300, 1.0, "no_capacity")]])])
    assert estimates(found) == {"updates": 1.0, "trades": None, "volume_shares": None, "notional_usd": None}


def test_the_totals_of_recordings_that_rotate_are_those_of_all_markets(tmp_path: Path) -> None:
    """Most markets are never recorded in a period, and what was recorded decides what is recorded next."""
    rates = [1 + (number % 7 == 0) * 40 for number in range(MARKETS)]
    truth = sum(rates) * PERIODS
    found = [
        venue_totals([record(tmp_path / str(seed), [rotated(seed, rates)])]) for seed in range(8)
    ]  # fmt: skip
    ratios = [estimates(each)["updates"] / truth for each in found]
    errors = [each.totals["standard_error"][0] / truth for each in found]
    assert abs(mean(ratios) - 1) < 3.5 * mean(errors) / len(found) ** 0.5
    assert 0 < mean(errors) < 0.4
    assert all(each.open == pytest.approx(MARKETS, rel=0.35) for each in found)


def rotated(seed: int, rates: list[int]) -> list[Record]:
    """A recording in which each market changes as often in each period as ``rates`` says."""
    rng, history, records = Random(seed), RotationHistory(seed=seed), list[Record]()
    candidates = [Candidate(key(number), True) for number in range(MARKETS)]
    scores: dict[InstrumentKey, int] = {}
    for period in range(PERIODS):
        request = SelectionRequest(candidates=candidates, capacity=PLACES, explore_share=600_000, scores=scores)
        begin, made = period * PERIOD, plan(request, history)
        for number, rate in enumerate(rates):
            chance = made.want.get(key(number))
            if chance is not None:
                records += [change(number, begin + rng.uniform(0, PERIOD)) for _ in range(rate)]
                records.append(covered(number, begin, begin + PERIOD, chance / MICROS))
                scores[key(number)] = rate * 20_000
            elif history.since.get(key(number)) == history.period > 0:
                records.append(covered(number, begin, begin + 5, 0.0))
        history = made.history
    return sorted(records, key=lambda each: each.start if isinstance(each, Coverage) else each.ts_recv)
