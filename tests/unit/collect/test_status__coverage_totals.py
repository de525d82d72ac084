"""Covered time and gaps add up by reason."""

from predsurv.collect.status import CoverageTotals
from predsurv.core.records import Coverage
from tests.kit.recorder_samples import A, B


def test_covered_time_and_gaps_add_up_by_reason() -> None:
    totals = CoverageTotals()
    totals.add(Coverage(A, 0, 5, "covered", "live", 1))
    totals.add(Coverage(B, 0, 3, "covered", "polled", 1))
    totals.add(Coverage(A, 5, 7, "gap", "stall", 1))
    totals.add(Coverage(B, 3, 9, "gap", "stall", 1))
    totals.add(Coverage(B, 9, 10, "gap", "crash", 0))
    assert totals.covered == 8
    assert totals.gaps == {"stall": 8, "crash": 1}


def test_the_part_of_an_interval_that_an_earlier_run_began_is_not_of_this_one() -> None:
    totals = CoverageTotals(since=100)
    totals.add(Coverage(A, 10, 130, "gap", "shutdown", 1))
    totals.add(Coverage(A, 130, 140, "covered", "live", 1))
    totals.add(Coverage(B, 10, 100, "covered", "live", 1))
    assert (totals.covered, totals.gaps) == (10, {"shutdown": 30})
