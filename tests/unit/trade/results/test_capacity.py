"""How much more could have been traded: by depth, up to the limit, baskets in whole sets."""

from typing import Any

import pytest

from predsurv.core.market import NO_FEE
from predsurv.core.num import MICROS
from predsurv.state.book import Book
from predsurv.trade.results import capacity
from predsurv.trade.results.capacity import MULTIPLES, CapacityCurve
from tests.kit.trading_samples import NO, YES, book, place, shares


def shown(*asks: tuple[int, float], key: Any = YES) -> Book:
    made = Book(key)
    made.apply(book((), asks, key))
    return made


def test_depth_is_walked_up_to_the_limit() -> None:
    curve = CapacityCurve()
    curve.add(place(price=51, size=10, tif="ioc"), shown((50, 15), (51, 20), (60, 1_000)), NO_FEE)
    points = curve.points({YES: 600_000})
    assert [each.multiple for each in points] == list(MULTIPLES)
    assert [each.available // MICROS for each in points[:4]] == [10, 20, 35, 35]
    assert [each.cost for each in points[:3]] == [5_000_000, 7_500_000 + 2_550_000, 7_500_000 + 10_200_000]
    assert points[0].profit == 1_000_000
    assert points[-1].wanted == shares(500)


def test_a_basket_grows_in_whole_sets_only() -> None:
    curve = CapacityCurve()
    curve.add(place("a", price=51, size=10, tif="ioc", group="g"), shown((50, 100)), NO_FEE)
    curve.add(place("b", price=41, size=10, tif="ioc", group="g", key=NO), shown((40, 15), key=NO), NO_FEE)
    points = curve.points({YES: 0, NO: MICROS})
    assert [each.available for each in points[:3]] == [shares(20), shares(30), shares(30)]


def test_other_orders_are_not_counted() -> None:
    curve = CapacityCurve()
    curve.add(place(tif="gtc"), shown((50, 10)), NO_FEE)
    curve.add(place(side="sell", tif="ioc"), shown((50, 10)), NO_FEE)
    curve.add(place(tif="ioc"), None, NO_FEE)
    assert curve.points({}) == ()


def test_more_instruments_than_are_kept_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "INSTRUMENTS_MAX", 1)
    curve = CapacityCurve()
    for key in (YES, NO):
        curve.add(place(price=51, tif="ioc", key=key), shown((50, 10), key=key), NO_FEE)
    assert curve.points({})[0].wanted == shares(10)
    assert curve.left_out == 1
