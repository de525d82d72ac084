"""What can be lost: the worst outcome of an event, exclusive or not."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId
from predsurv.core.market import Market, Outcome
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Position
from predsurv.trade.results.exposure import exposure_of
from tests.kit.trading_samples import market, shares


def event(names: str = "abc", **changes: Any) -> list[Market]:
    made = {"mutually_exclusive": True, "exhaustive": True, "event_id": EventId("e"), **changes}
    return [market(name, **made) for name in names]


def held(each: Market, outcome: int, size: float, cost: float) -> Position:
    return Position(each.key(outcome), shares(size), Money(round(cost * MICROS)))


def figures(markets: list[Market], *positions: Position) -> tuple[int, ...]:
    found = exposure_of(markets, positions)
    return (found.worst // MICROS, found.best // MICROS, found.void // MICROS, found.outcomes)


def test_a_basket_of_every_outcome_pays_the_same_whoever_wins() -> None:
    markets = event()
    basket = [held(each, 0, 10, 3) for each in markets]
    assert figures(markets, *basket) == (10, 10, 15, 3)
    assert exposure_of(markets, basket).worst_profit == MICROS
    assert figures(event(exhaustive=False), *basket) == (0, 10, 15, 4)
    assert (
        figures([*markets[:2], market("c", status="resolved", mutually_exclusive=True, exhaustive=True)], *basket[:2])[
            0
        ]
        == 0
    )


def test_every_no_but_one_pays_and_a_void_event_pays_less() -> None:
    markets = event("abcd")
    nos = [held(each, 1, 10, 7) for each in markets]
    assert figures(markets, *nos) == (30, 30, 20, 4)
    assert exposure_of(markets, nos).cost == 28 * MICROS


def test_markets_that_exclude_nothing_each_lose_at_worst() -> None:
    markets = event("ab", mutually_exclusive=False)
    assert figures(markets, held(markets[0], 0, 10, 4), held(markets[1], 1, 5, 2)) == (0, 15, 7, 2)
    both = [held(markets[0], 0, 10, 4), held(markets[0], 1, 10, 5)]
    assert figures(markets, *both) == (10, 10, 10, 2)


@pytest.mark.parametrize("count", [3, 4])
def test_a_market_of_several_outcomes_pays_one_of_them(count: int) -> None:
    outcomes = tuple(Outcome(InstrumentId(f"o{n}"), f"o{n}") for n in range(count))
    race = market("race", outcomes=outcomes)
    assert figures([race], *(held(race, n, 10, 2) for n in range(count)))[:2] == (10, 10)
    assert figures([race], held(race, 0, 10, 2))[:2] == (0, 10)


def test_an_event_has_the_name_that_its_venue_gives_it() -> None:
    markets = event()
    named = [markets[0], replace(markets[1], event_title="Who wins?"), markets[2]]
    owned = held(markets[0], 0, 10, 3)
    assert exposure_of(named, [owned]).title == "Who wins?"
    assert exposure_of(markets, [owned]).title is None, "no market stands for the others"
    assert exposure_of(markets[:1], [owned]).title == markets[0].question
