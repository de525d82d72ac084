"""Whatever a venue answers, and however late: money is conserved, limits hold, a restart has the same account."""

from random import Random

import pytest

from predsurv.core.events import Fill
from predsurv.trade.journal import restore
from tests.kit.random_accounts import RandomAccount, figures, shuffled, told


@pytest.mark.parametrize("seed", range(24))
def test_random_trading_conserves_money_and_keeps_to_its_limits(seed: int) -> None:
    account = RandomAccount(seed)
    account.run(60)
    assert any(isinstance(each, Fill) for each in account.venue.said)
    assert told(restore(account.journal).account) == told(account.engine.account)
    assert list(account.engine.account.portfolio.unconfirmed.all()) == []
    assert shuffled(account, Random(1)) == shuffled(account, Random(2)) == figures(account.engine.account, account)
