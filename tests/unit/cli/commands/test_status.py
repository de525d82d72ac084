"""The tables of ``predsurv status`` that are made of what is known at one moment."""

import math

from predsurv.cli.commands.status import coverage_table, hours_table, running_table
from predsurv.collect.running import RunningCollector, RunningVenue
from predsurv.core.ids import VenueName
from predsurv.store.locks import LockHolder
from predsurv.store.read.coverage_rows import CoverageKind
from predsurv.store.read.coverage_sums import CoverageSum, HourSum

KALSHI, MOCK = VenueName("kalshi"), VenueName("mock")
LIVE, STALL = CoverageKind("covered", "live"), CoverageKind("gap", "stall")


def test_what_runs_has_a_row_per_venue_and_one_while_it_starts() -> None:
    venues = (RunningVenue(KALSHI, 90, {"live": 1_200, "stall": 3}, 50), RunningVenue(MOCK, 91, {"stall": 1}, None))
    running = [RunningCollector(LockHolder("c0", "7", 10), venues), RunningCollector(LockHolder("c1", "8", 11))]
    table = running_table(running, {(KALSHI, "c0"): 70, (MOCK, "c0"): 40, (MOCK, "c1"): 5})
    assert list(table.rows) == [
        ("c0", "7", 10, KALSHI, 90, "1,200 live, 3 stall", 50),
        ("c0", "7", 10, MOCK, 91, "1 stall", 40),
        ("c1", "8", 11, None, None, "starting", None),
    ]


def test_nothing_is_counted_beyond_what_is_sealed() -> None:
    venue = RunningVenue(MOCK, 90, {"live": 1}, 50)
    running = [RunningCollector(LockHolder("c0", "7", 10), (venue,))]
    assert [row[-1] for row in running_table(running, {(MOCK, "c0"): 30}).rows] == [30]
    assert [row[-1] for row in running_table(running, {(MOCK, "c1"): 30}).rows] == [None]


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
