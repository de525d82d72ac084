"""What ``scan`` prints: totals with units, the largest categories, and each failure by name."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.cli.commands import scan as command
from predsurv.cli.commands.scan import CATEGORIES_SHOWN, category_table, left_out_table, venue_table
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.ids import VenueName
from predsurv.ports import ScanIssue
from predsurv.scan.job import VenueScan
from predsurv.scan.totals import ScanTotals

MOCK = VenueName("mock")


def result(categories: int = 2, failure: str | None = None, issues: int = 0) -> VenueScan:
    return VenueScan(
        venue=MOCK,
        totals=ScanTotals(markets=10, tradable=9, instruments=20, closing_soon=1, volume=2_500_000, volume_24h=500_000),
        categories={f"c{number}": ScanTotals(markets=5) for number in range(categories)},
        left_out={"one outcome": 2, "filtered": 1, "unreadable": issues},
        pages=2,
        issues_count=issues,
        issues=tuple(ScanIssue(MOCK, f"row {number}", "bad \x1b[2J") for number in range(min(issues, 20))),
        duration=1_500_000_000,
        path=None if failure else Path("u.jsonl"),
        failure=failure,
    )


def test_one_row_per_venue() -> None:
    table = venue_table([result()])
    row = dict(zip([column.key for column in table.columns], table.rows[0], strict=True))
    assert (row["venue"], row["markets"], row["volume"], row["left_out"]) == ("mock", 10, 2_500_000, 3)


def test_a_volume_in_contracts_is_not_passed_off_as_dollars() -> None:
    kalshi = replace(result(), venue=VenueName("kalshi"))
    assert "kalshi counts volume in contracts" in venue_table([result(), kalshi]).note
    assert venue_table([result(), replace(kalshi, failure="down")]).note == ""


def test_a_failed_venue_has_no_row() -> None:
    assert venue_table([result(failure="down")]).rows == []
    assert category_table([result(failure="down")]).rows == []


def test_what_was_left_out_is_told_by_reason() -> None:
    table = left_out_table([result(issues=9), result(failure="down")])
    assert list(table.rows) == [(MOCK, "unreadable", 9), (MOCK, "one outcome", 2), (MOCK, "filtered", 1)]


def test_what_a_venue_left_out_because_of_limits_is_not_taken_for_nothing() -> None:
    limited = replace(result(), left_out={}, whole=False)
    row = dict(
        zip([column.key for column in venue_table([limited]).columns], venue_table([limited]).rows[0], strict=True)
    )
    assert row["left_out"] is None
    table = left_out_table([limited])
    assert "mock: what the venue left out itself because of the limits" in table.empty
    assert left_out_table([result()]).note == ""


def test_no_market_within_the_limits_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    command._tell([replace(result(), path=None, whole=False)])
    assert capsys.readouterr().err == (
        "warning: mock: no market is within the limits of this scan; nothing was written\n"
    )


def test_a_field_that_could_not_be_read_is_one_line_for_all_its_markets(capsys: pytest.CaptureFixture[str]) -> None:
    field = ScanIssue(MOCK, "field orderMinSize", "first at page 1 row 7: no number", 4_000)
    command._tell([replace(result(), fields=(field,))])
    assert capsys.readouterr().err == (
        "warning: mock: field orderMinSize of 4,000 markets is unreadable, first at page 1 row 7: no number\n"
    )


def test_many_categories_are_cut_and_counted() -> None:
    table = category_table([result(categories=CATEGORIES_SHOWN + 5)])
    assert len(table.rows) == CATEGORIES_SHOWN
    assert table.note == "5 smaller categories not shown"


def test_a_failure_is_exit_3_after_the_rest_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TransientError, match="mock: no answer; nothing was overwritten"):
        command._tell([result(issues=50), result(failure="no answer")])
    err = capsys.readouterr().err
    assert len(err.splitlines()) == command.ISSUES_SHOWN + 1
    assert "47 more unreadable rows" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("text", ["ten", "-1", "1e3", "١"])
def test_a_minimum_volume_is_plain_dollars(text: str) -> None:
    with pytest.raises(ConfigError, match="expected dollars"):
        command._dollars("--min-volume", text)
