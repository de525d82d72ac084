"""Fills are numbered by order and carry the exact fee."""

import pytest

from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId
from predsurv.engine.fills import fill_reports as module
from predsurv.engine.fills.fill_reports import FillReport, FillReports
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import FEE, START, cents, market, place, shares


def prints() -> FillReports:
    cache = MarketCache()
    cache.add(market())
    return FillReports(cache)


def test_takers_pay_makers_do_not_and_ids_count() -> None:
    made = prints()
    taken = made.fill(place(), FillReport(START, None, cents(51), shares(10), maker=False))
    made_ = made.fill(place(), FillReport(START, 5, cents(51), shares(10), maker=True))
    assert taken.fee == taker_fee(FEE, cents(51), shares(10)) > 0
    assert (made_.fee, made_.ts_venue, made_.maker) == (0, 5, True)
    assert [taken.trade_id, made_.trade_id] == ["o1.1", "o1.2"]


def test_a_market_that_is_not_known_has_no_fee() -> None:
    assert (
        FillReports(MarketCache()).fill(place(), FillReport(START, None, cents(51), shares(10), maker=False)).fee == 0
    )


def test_an_id_is_new_once_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_IDS_MAX", 1)
    made = prints()
    assert made.is_new(ClientOrderId("a"))
    assert not made.is_new(ClientOrderId("a"))
    assert made.knows(ClientOrderId("a"))
    assert made.is_new(ClientOrderId("b"))
    assert not made.knows(ClientOrderId("a"))
    assert made.is_new(ClientOrderId("a"))
