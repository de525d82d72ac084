"""The tables of ``predsurv status`` that are made of what is known at one moment."""

import math

from predsurv.cli.commands.status import coverage_table, hours_table
from predsurv.core.ids import VenueName
from predsurv.store.read.coverage_rows import CoverageKind
from predsurv.store.read.coverage_sums import CoverageSum, HourSum

KALSHI, MOCK = VenueName("kalshi"), VenueName("mock")
LIVE, STALL = CoverageKind("covered", "live"), CoverageKind("gap", "stall")


def test_shares_are_those_of_the_venue_and_of_the_hour() -> None:
    sums = [CoverageSum(MOCK, LIVE, 1, 30, 0, 30), CoverageSum(MOCK, STALL, 1, 10, 30, 40)]
    other = CoverageSum(KALSHI, STALL, 1, 0, 5, 5)
    shares = [row[5] for row in coverage_table([other, *sums]).rows]
    assert shares == [None, 0.75, 0.25]
    hours = [HourSum(MOCK, 0, LIVE, 1, 3), HourSum(MOCK, 0, STALL, 1, 1), HourSum(MOCK, 3_600, LIVE, 1, 7)]
    assert math.fsum(float(str(row[-1])) for row in hours_table(hours).rows) == 2


def test_the_note_of_the_coverage_says_what_is_left_out() -> None:
    sums = [CoverageSum(MOCK, LIVE, 1, 30, 0, 30)]
    assert "without 2 damaged files" in coverage_table(sums, damaged=2).note
    assert "3 sealed files are gone" in coverage_table(sums, missing=3).note
