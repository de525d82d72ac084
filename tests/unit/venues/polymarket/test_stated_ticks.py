"""A stated tick is told once; what was not stated for longest is forgotten first, however many markets come and go."""

import pytest

from predsurv.core.ids import MarketId
from predsurv.core.num import Price, Size
from predsurv.venues.polymarket import stated_ticks
from predsurv.venues.polymarket.stated_ticks import StatedTicks

CENT, MILL = Price(10_000), Price(1_000)


def test_only_another_tick_is_news() -> None:
    ticks = StatedTicks()
    assert [ticks.state(MarketId("m"), tick, ts) for ts, tick in enumerate((CENT, CENT, MILL, MILL))] == [
        True,
        False,
        True,
        False,
    ]


def test_a_change_from_before_the_last_one_is_ignored() -> None:
    ticks = StatedTicks()
    ticks.state(MarketId("m"), MILL, 1, changed=50)
    assert not ticks.state(MarketId("m"), CENT, 2, changed=40)
    known = ticks.get(MarketId("m"))
    assert known is not None
    assert known.tick == MILL


def test_markets_that_were_not_stated_for_longest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stated_ticks, "TICKS_MAX", 3)
    ticks, names = StatedTicks(), [MarketId(name) for name in "abc"]
    for name in names:
        ticks.state(name, CENT, 1)
        ticks.state_least(name, Size(5))
    ticks.state(names[0], CENT, 2)
    ticks.state(MarketId("d"), CENT, 3)
    assert [ticks.get(MarketId(name)) is not None for name in "abcd"] == [True, False, True, True]
    ticks.state_least(MarketId("d"), Size(5))
    assert [ticks.state_least(name, Size(5)) for name in (names[2], names[0])] == [False, True]


def test_a_market_that_settled_is_forgotten() -> None:
    ticks = StatedTicks()
    ticks.state(MarketId("m"), CENT, 1)
    ticks.state_least(MarketId("m"), Size(5))
    ticks.forget(MarketId("m"))
    assert ticks.get(MarketId("m")) is None
    assert ticks.state_least(MarketId("m"), Size(5))
