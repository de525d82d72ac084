"""Observed and lost time add up by reason."""

from predsurv.collect.status import CoverageTotals
from predsurv.core.records import Coverage
from tests.kit.recorder_samples import A, B


def test_tiles_add_up() -> None:
    balance = CoverageTotals()
    balance.add(Coverage(A, 0, 5, "covered", "live", 1))
    balance.add(Coverage(B, 0, 3, "covered", "polled", 1))
    balance.add(Coverage(A, 5, 7, "gap", "stall", 1))
    balance.add(Coverage(B, 3, 9, "gap", "stall", 1))
    balance.add(Coverage(B, 9, 10, "gap", "crash", 0))
    assert balance.covered == 8
    assert balance.gaps == {"stall": 8, "crash": 1}
