"""``scan --diff`` compares the lists of days, names missing ones, and tells programs everything."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.cli.commands.scan_diff import SHOWN_OF_A_KIND
from predsurv.core.ids import VenueName
from predsurv.core.num import Money
from tests.kit.market_samples import market
from tests.kit.recordings import write_universe

V = VenueName("mock")


@pytest.fixture(autouse=True)
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    many = [replace(market(number), volume_24h=Money(number * 1_000_000)) for number in range(10, 40)]
    write_universe(tmp_path / "data", V, "2027-01-15", [market(1), market(2)])
    write_universe(tmp_path / "data", V, "2027-01-17", [replace(market(1), status="resolved"), market(2), *many])


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["scan", "--diff", *arguments, "--format", "json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_a_day_is_compared_with_the_last_list_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "2027-01-17")
    assert [(row["change"], row["market_id"]) for row in found[:2]] == [("closed", "m1"), ("new", "m39")]
    assert len(found) == 31


def test_people_see_the_most_traded_of_each_kind_and_how_many_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "mock", "--diff", "2027-01-16..2027-01-17"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("Question ") == SHOWN_OF_A_KIND + 1
    assert "1 closed, 30 new; mock: 2027-01-15 to 2027-01-17; of each kind the 12" in captured.out
    assert "not recorded: 2027-01-16" in captured.err


def test_the_first_list_is_compared_with_itself_as_it_was_earlier_that_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--diff", "2027-01-15"]) == 0
    captured = capsys.readouterr()
    assert "nothing changed; mock: within 2027-01-15" in captured.out
    assert "no list is older than 2027-01-15" in captured.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["2026-01-01"], "no list of markets of 2026-01-01 in data; there are lists of 2027-01-15, 2027-01-17"),
        (["2027-01-17", "moc"], "no venue is called 'moc'"),
        (["soon"], "expected a day such as"),
    ],
)
def test_slips_are_usage_errors(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--diff", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_edited_rules_are_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (" ".join(f"{word}{number}" for number in range(300)) for word in ("old", "new"))
    for day, text in (("2027-02-01", old), ("2027-02-02", new)):
        write_universe(tmp_path / "data", V, day, [replace(market(1), description=text)])
    (row,) = told(capsys, "2027-02-02")
    assert row["what"] == f"[-{old}-] {{+{new}+}}"
    assert main(["scan", "--diff", "2027-02-02"]) == 0
    assert "new299+}" in capsys.readouterr().out
