"""A unit trades within itself and its fair values stay a distribution."""

import pytest

from predsurv.core.num import MICROS
from predsurv.exchange.tape import Tape
from predsurv.exchange.units import CorrelatedUnit
from predsurv.exchange.world import Kind, UnitSpec, draft


def make(kind: Kind, count: int, rank: int = 0) -> CorrelatedUnit:
    spec: UnitSpec = draft(7, 3, (kind, count), rank)
    unit = CorrelatedUnit(spec, Tape(0), 10, 1_000_000)
    unit.open()
    return unit


@pytest.mark.parametrize(("kind", "count"), [("binary", 2), ("event", 5), ("multi", 4)])
def test_fair_values_stay_a_distribution(kind: Kind, count: int) -> None:
    unit = make(kind, count)
    start = list(unit.fairs)
    now: int | None = 0
    for _ in range(5_000):
        assert now is not None
        now = unit.wake(now)
    assert unit.fairs != start
    assert all(0 < fair < MICROS for fair in unit.fairs)
    assert kind == "binary" or sum(unit.fairs) == MICROS
    assert sum(book.traded for book in unit.books) > 0


def test_activity_has_the_asked_rate() -> None:
    unit = make("event", 4)
    tape, now = unit.books[0].tape, 0
    before = tape.changes
    for _ in range(20_000):
        now = unit.wake(now) or 0
    mean = now / (tape.changes - before)
    assert 900_000 < mean < 1_100_000


@pytest.mark.parametrize("end", [4_000, MICROS - 4_000])
def test_a_price_at_its_end_stays_alive_and_leaves_it(end: int) -> None:
    unit = make("binary", 2)
    unit.fairs[0] = end
    unit.settle_prices()
    tape, now = unit.books[0].tape, 0
    before, fairs = tape.changes, set()
    for _ in range(5_000):
        now = unit.wake(now) or 0
        fairs.add(unit.fairs[0])
    assert len(fairs) > 10
    assert now / (tape.changes - before) < 1_200_000, "few acts change nothing"


def test_closed_unit_is_empty_and_silent() -> None:
    unit = make("binary", 2)
    unit.close()
    assert unit.wake(5) is None
    assert not any(book.levels("bid") or book.levels("ask") for book in unit.books)


@pytest.mark.parametrize(("kind", "count", "last"), [("binary", 2, 1), ("event", 5, 4), ("multi", 4, 3)])
def test_winners_follow_the_fair_values(kind: Kind, count: int, last: int) -> None:
    unit = make(kind, count)
    draws = [unit.winner() for _ in range(3_000)]
    assert set(draws) <= set(range(last + 1))
    assert abs(draws.count(0) / 3_000 - unit.fairs[0] / MICROS) < 0.05


def test_extreme_price_asks_for_a_finer_tick() -> None:
    unit = make("binary", 2)
    asked: list[int] = []
    unit.on_fine = asked.append
    unit.fairs[0] = 30_000
    for now in range(400):
        unit.wake(now)
    assert set(asked) == {0}
