"""``arbitrage`` on the exchange in miniature, small: ``python -m tests.proofs.arbitrage`` is the same at length."""

import pytest

from tests.kit.arbitrage_traps import TRAPS, spring
from tests.kit.arbitrage_trial import try_arbitrage

MS = 1_000_000


@pytest.mark.slow
def test_nearly_everything_that_is_there_for_its_latency_is_taken() -> None:
    results = [try_arbitrage(seed, 60, 400, 150 * MS, seconds=10) for seed in (1, 4)]
    there = sum(result.there.total for result in results)
    assert there > 15_000_000
    assert sum(result.taken.total for result in results) >= 0.95 * there
    assert sum(result.taken.orders for result in results) < 2 * sum(result.there.orders for result in results)


@pytest.mark.parametrize("trap", list(TRAPS))
def test_nothing_is_lost_in_a_trap(trap: str) -> None:
    result = spring(trap, 40, seed=2)
    assert result.worlds == 40
    if "reverted" in trap:
        assert result.total >= 0
    else:
        assert result.worst >= 0


def test_the_worlds_of_the_traps_do_trade_where_something_is_there() -> None:
    assert spring("legs of very different prices", 20, seed=3).traded == 20
    assert spring("fees that eat the edge", 60, seed=3).traded > 0
