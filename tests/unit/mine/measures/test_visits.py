"""Standard errors between visits: null where nothing tells them, and as large as what samples of a day are off by."""

from math import sqrt
from statistics import mean, stdev

from tests.kit.judged_samples import STATED, judge
from tests.kit.mined_tapes import BookRow, MinedTape, S, TradeRow, mined

BOOK = (((0.49, 100.0),), ((0.51, 300.0),))


def test_samples_of_made_up_days_are_off_by_as_much_as_their_standard_errors_say() -> None:
    found = judge(range(40), 0.1)
    assert found.keys() == STATED.keys()
    for name, judged in found.items():
        assert len(judged) == 40, name
        assert 0.75 <= stdev(each.off for each in judged) / sqrt(mean(each.error**2 for each in judged)) <= 1.25, name
        assert mean(each.held for each in judged) >= 0.875, name


def test_one_visit_says_nothing_of_how_much_visits_differ() -> None:
    trades = (TradeRow(50 * S, 0.51, 5.0, 1),)
    found = mined(MinedTape((BookRow(0, True, *BOOK),), ((0, 200 * S),), trades, ()))
    assert {found[error] for error in STATED.values()} == {None}
    assert found["bid_depth_5c_shares"] == 100
    assert found["trades_per_hour"] == 18


def test_a_visit_of_a_minute_says_nothing_of_what_is_stale() -> None:
    found = mined(MinedTape((), ((0, 60 * S), (90 * S, 91 * S)), (), ()))
    assert found["stale_share"] is None


def test_visits_without_anything_to_divide_by_do_not_count() -> None:
    rows = tuple(BookRow(each * S, each != 800, *BOOK) for each in (0, 400, 800))
    visits = tuple((each * S, (each + 100) * S) for each in (0, 400, 800))
    found = mined(MinedTape(rows, visits, (TradeRow(50 * S, 0.51, 5.0, 1),), ()))
    assert found["bid_depth_5c_shares_se"] == 0  # of two visits: the third was not trusted
    assert found["volatility_usd_per_sqrt_hour"] == 0
    assert found["volatility_usd_per_sqrt_hour_se"] is None  # the error of a square root at nothing is not known
    assert found["effective_spread_usd_se"] is None  # one visit has a trade
    assert found["trades_per_hour_se"] == 12  # all three do, of which two have none
