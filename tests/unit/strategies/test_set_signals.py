"""What kind of set a trade is called."""

import pytest

from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.strategies.claims import Claim, ClaimGroup, ClaimSource
from predsurv.strategies.set_plan import PlannedOrder
from predsurv.strategies.set_signals import signal_of
from tests.kit.trading_samples import V, cents, market, shares

A, B = market("a"), market("b")
RACE = ClaimGroup("race", tuple(Claim((ClaimSource(each.key(0), each.key(1)),)) for each in (A, B)), exhaustive=True)
ALONE = ClaimGroup("a", RACE.claims[:1], exhaustive=False)
ELSEWHERE = InstrumentKey(VenueName("other"), MarketId("o"), A.key(0).instrument_id)


@pytest.mark.parametrize(
    ("group", "keys", "signal"),
    [
        (RACE, (A.key(0), B.key(0)), "yes_basket"),
        (RACE, (A.key(1), B.key(1)), "no_basket"),
        (ALONE, (A.key(0), A.key(1)), "outcomes"),
        (RACE, (A.key(0), A.key(1)), "outcomes"),
        (ALONE, (ELSEWHERE, A.key(1)), "cross"),
    ],
)
def test_a_set_is_called_by_what_is_bought(group: ClaimGroup, keys: tuple[InstrumentKey, ...], signal: str) -> None:
    assert {V, ELSEWHERE.venue} >= {key.venue for key in keys}
    orders = [PlannedOrder(key, "buy", ((cents(40), shares(10)),)) for key in keys]
    assert signal_of(group, orders) == signal
