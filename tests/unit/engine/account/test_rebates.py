"""Rebates are kept by day, strategy and market until they are paid."""

from msgspec.structs import replace

from predsurv.core.events import Fill, RebatePaid
from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.num import Money
from predsurv.engine.account.rebates import RebateAccruals
from predsurv.engine.account.valuation import DAY
from tests.kit.trading_samples import ME, START, YES, V, fill

TODAY = START // DAY * DAY
OTHER = StrategyName("other")


def earning(amount: int, day: int = 0) -> Fill:
    return replace(fill(), rebate=Money(amount), ts_recv=START + day * DAY)


def paid(amount: int, day: int = 0, ts: int = START) -> RebatePaid:
    return RebatePaid(V, YES.market_id, ts, ME, TODAY + day * DAY, Money(amount))


def test_a_day_is_paid_when_it_is_over_and_once() -> None:
    accruals = RebateAccruals()
    assert accruals.first_day is None
    accruals.on_fill(ME, earning(5))
    accruals.on_fill(ME, earning(7))
    accruals.on_fill(ME, earning(2, day=1))
    accruals.on_fill(ME, earning(0))
    assert accruals.first_day == TODAY
    assert list(accruals.due(TODAY + DAY - 1, 9)) == []
    assert list(accruals.due(TODAY + DAY, 9)) == [paid(12, ts=9)]
    assert list(accruals.due(TODAY + DAY, 9)) == []
    assert list(accruals.due(TODAY + 2 * DAY, 9)) == [paid(2, day=1, ts=9)]


def test_each_strategy_is_paid_its_own() -> None:
    accruals = RebateAccruals()
    accruals.on_fill(ME, earning(5))
    accruals.on_fill(OTHER, earning(3))
    assert [(each.strategy, each.amount) for each in accruals.due(TODAY + DAY, 9)] == [(ME, 5), (OTHER, 3)]


def test_a_fill_that_failed_earns_nothing() -> None:
    accruals = RebateAccruals()
    accruals.on_fill(ME, earning(5))
    accruals.on_fill(ME, earning(3))
    accruals.on_failure(ME, earning(5))
    assert list(accruals.due(TODAY + DAY, 9)) == [paid(3, ts=9)]


def test_what_was_paid_of_a_day_near_it_is_not_paid_again() -> None:
    """The venue counts a fill for one day of which word came on the next."""
    accruals = RebateAccruals()
    accruals.on_fill(ME, earning(5))
    accruals.on_fill(ME, earning(3, day=1))
    accruals.on_paid(paid(8))
    assert accruals.first_day is None


def test_a_venue_goes_on_with_its_own() -> None:
    accruals = RebateAccruals()
    accruals.on_fill(ME, earning(5))
    accruals.on_fill(ME, replace(earning(3), key=replace(YES, venue=VenueName("other"))))
    mine = accruals.of(V)
    assert list(mine.due(TODAY + DAY, 9)) == [paid(5, ts=9)]
    assert accruals.first_day == TODAY
