"""A market group trades within itself and its fair values stay a distribution."""

import pytest

from predsurv.core.num import MICROS
from predsurv.exchange.market_group import ExtremePriceHandler, MarketGroup
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import GroupShape, GroupSpec, Kind, draft_group


def make(kind: Kind, count: int, on_extreme_price: ExtremePriceHandler = lambda group, index: None) -> MarketGroup:
    spec: GroupSpec = draft_group(7, 3, GroupShape(kind, count), 0)
    group = MarketGroup(spec, Tape(0), 10, 1_000_000, on_extreme_price)
    group.place_opening_quotes()
    return group


@pytest.mark.parametrize(("kind", "count"), [("binary", 2), ("event", 5), ("multi", 4)])
def test_fair_values_stay_a_distribution(kind: Kind, count: int) -> None:
    group = make(kind, count)
    start = list(group.fair_values)
    now: int | None = 0
    for _ in range(5_000):
        assert now is not None
        now = group.act(now)
    assert group.fair_values != start
    assert all(0 < fair < MICROS for fair in group.fair_values)
    assert kind == "binary" or sum(group.fair_values) == MICROS
    assert sum(book.traded_volume for book in group.books) > 0


def test_a_groups_activity_has_the_asked_rate() -> None:
    group = make("event", 4)
    tape, now = group.books[0].tape, 0
    before = tape.level_changes
    for _ in range(20_000):
        now = group.act(now) or 0
    mean = now / (tape.level_changes - before)
    assert 900_000 < mean < 1_100_000


@pytest.mark.parametrize("end", [4_000, MICROS - 4_000])
def test_a_price_at_its_end_stays_alive_and_leaves_it(end: int) -> None:
    group = make("binary", 2)
    group.fair_values[0] = end
    group.requote_all()
    tape, now = group.books[0].tape, 0
    before, fairs = tape.level_changes, set()
    for _ in range(5_000):
        now = group.act(now) or 0
        fairs.add(group.fair_values[0])
    assert len(fairs) > 10
    assert now / (tape.level_changes - before) < 1_200_000, "few actions change nothing"


def test_a_closed_group_is_empty_and_inactive() -> None:
    group = make("binary", 2)
    group.close()
    assert group.act(5) is None
    assert not any(book.levels("bid") or book.levels("ask") for book in group.books)


@pytest.mark.parametrize(("kind", "count", "last"), [("binary", 2, 1), ("event", 5, 4), ("multi", 4, 3)])
def test_winners_follow_the_fair_values(kind: Kind, count: int, last: int) -> None:
    group = make(kind, count)
    draws = [group.draw_winner() for _ in range(3_000)]
    assert set(draws) <= set(range(last + 1))
    assert abs(draws.count(0) / 3_000 - group.fair_values[0] / MICROS) < 0.05


def test_an_extreme_price_is_reported_once() -> None:
    calls: list[tuple[MarketGroup, int]] = []
    group = make("binary", 2, lambda group, index: calls.append((group, index)))
    group.fair_values[0] = 30_000
    for now in range(400):
        group.act(now)
    assert calls == [(group, 0)]
