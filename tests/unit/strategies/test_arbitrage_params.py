"""The parameters of ``arbitrage`` as the valuation of offers reads them."""

from msgspec.structs import replace

from predsurv.core.durations import Duration
from predsurv.core.num import Ratio
from predsurv.strategies.arbitrage_params import ArbitrageParams
from tests.kit.trading_samples import START, market

YEAR = 365 * 86_400 * 1_000_000_000


def test_money_has_to_earn_its_keep_until_the_market_closes() -> None:
    terms = ArbitrageParams(annual_return_min=Ratio(50_000), lockup_assumed=Duration(YEAR // 2)).terms()
    assert terms.capital_cost(market(close_time=START + YEAR), START) == 50_000
    assert terms.capital_cost(market(close_time=START - 1), START) == 0
    assert terms.capital_cost(market(), START) == 25_000
    assert replace(terms, annual_return=0).capital_cost(market(), START) == 0


def test_buying_can_be_left_out() -> None:
    assert ArbitrageParams().terms().may_buy
    assert not ArbitrageParams().terms(may_buy=False).may_buy
