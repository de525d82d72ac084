"""The strategy that ``init --strategy`` copies does what it says, and the test that it copies along is right."""

from importlib.resources import files

from predsurv.cli.example_strategy import Params, WideSpread
from predsurv.core.num import Price
from predsurv.strategies.trial import StrategyTrial


def test_it_bids_in_a_wide_spread_and_sells_what_it_bought() -> None:
    trial = StrategyTrial(WideSpread(Params(spread_min=Price(30_000))))
    (bid,) = trial.book(bids=[("0.40", 100)], asks=[("0.45", 100)])
    assert (bid.side, bid.price, bid.post_only) == ("buy", 400_000, True)
    trial.fill(bid)
    (ask,) = trial.book(bids=[("0.40", 100)], asks=[("0.45", 100)])
    assert (ask.side, ask.price, ask.size) == ("sell", 450_000, bid.size)


def test_it_takes_its_bid_back_when_the_spread_closes_and_waits_for_both_sides() -> None:
    trial = StrategyTrial(WideSpread())
    assert not trial.book(bids=[("0.40", 100)])
    (bid,) = trial.book(bids=[("0.40", 100)], asks=[("0.45", 100)])
    assert not trial.book(bids=[("0.40", 100)], asks=[("0.41", 100)])
    assert [each.client_order_id for each in trial.cancels] == [bid.client_order_id]


def test_the_copied_test_names_what_is_copied() -> None:
    text = files("predsurv.cli").joinpath("example_strategy_test.txt").read_text("utf-8")
    assert "from wide_spread import WideSpread" in text
