"""The same rule for every venue, whatever it filtered itself."""

import pytest
from msgspec.structs import replace

from predsurv.core.num import Money
from predsurv.ports import MarketQuery
from predsurv.scan.eligibility import eligible
from tests.kit.market_samples import market


@pytest.mark.parametrize(
    ("status", "closed_too", "wanted"),
    [
        ("active", False, True),
        ("created", False, True),
        ("paused", False, True),
        ("disputed", False, True),
        ("closed", False, False),
        ("resolved", False, False),
        ("void", False, False),
        ("resolved", True, True),
    ],
)
def test_closed_markets_only_when_asked_for(status: str, closed_too: bool, wanted: bool) -> None:
    query = MarketQuery(include_closed=closed_too)
    assert eligible(replace(market(), status=status), query) is wanted


@pytest.mark.parametrize(("volume", "wanted"), [(None, False), (4, False), (5, True), (6, True)])
def test_a_minimum_volume_is_inclusive_and_unknown_is_none(volume: int | None, wanted: bool) -> None:
    assert eligible(replace(market(), volume=volume), MarketQuery(min_volume=Money(5))) is wanted


def test_a_minimum_liquidity() -> None:
    query = MarketQuery(min_liquidity=Money(5))
    assert not eligible(market(), query)
    assert eligible(replace(market(), liquidity=Money(5)), query)


def test_what_takes_no_orders_only_when_asked_for() -> None:
    stopped = replace(market(), tradable=False)
    assert eligible(stopped, MarketQuery())
    assert not eligible(stopped, MarketQuery(tradable_only=True))
    assert eligible(replace(market(), tradable=True), MarketQuery(tradable_only=True))
