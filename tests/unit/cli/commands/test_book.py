"""The ladder of a market at a moment, with what can be said of it."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import BookSnapshot
from predsurv.core.records import Coverage, Record
from tests.kit.backtests import MIDNIGHT, covered, hours, listed_on
from tests.kit.lean_runs import FRAMES, PARSER, RUNNING, run_without
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, delta, levels, market

ONE = hours(1)
AT = "2027-01-15T01:00:"
OTHER = market("z")
QUIET = market("q")


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quiet = replace(QUIET, fetched_at=MIDNIGHT, question="Does it change?")
    never = replace(market("n"), fetched_at=MIDNIGHT, question="Will it never be recorded?")
    listed_on(tmp_path / "data", 0, market(fetched_at=MIDNIGHT), replace(OTHER, fetched_at=MIDNIGHT), never, quiet)
    gone = OTHER.key(0)
    rows: list[Record] = [
        BookSnapshot(YES, ONE, None, 1, None, levels((40, 100), (39, 5), (38, 1)), levels((60, 50))),
        delta("ask", 55, 7, ONE + 10 * S),
        delta("bid", 56, 7, ONE + 20 * S),
        delta("bid", 56, 0, ONE + 30 * S),
        BookSnapshot(YES, ONE + 50 * S, None, 1, None, levels((40, 100)), ()),
        covered(YES, ONE, ONE + 60 * S),
        BookSnapshot(gone, ONE, None, 1, None, levels((10, 1)), levels((20, 1))),
        covered(gone, ONE, ONE + 5 * S),
        BookSnapshot(QUIET.key(0), ONE, None, 1, None, levels((10, 1)), levels((20, 1))),
        delta("bid", 11, 7, ONE + 20 * S, QUIET.key(0)),
        covered(QUIET.key(0), ONE - 60 * S, ONE + 60 * S),
        Coverage(gone, ONE + 5 * S, ONE + 60 * S, "gap", "disconnect", 1),
    ]
    record(tmp_path / "data", hours(2), rows)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    assert main(["book", *arguments, "--format", "json"]) == 0
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_the_ladder_has_both_sides_best_first_with_sums(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "m", "--at", f"{AT}15")
    (book,) = found["book"]
    assert (book["trusted"], book["why_not"], book["coverage"]) == ("yes", None, "covered (live)")
    assert (book["since"], book["until"]) == ("2027-01-15T01:00:00.000000Z", "2027-01-15T01:01:00.000000Z")
    assert (book["age_s"], book["mid"], book["spread"], book["outcome"]) == (5.0, 0.475, 0.15, "Yes")
    bids = [(row["bid"], row["bid_size"], row["bid_total"]) for row in found["levels"]]
    asks = [(row["ask"], row["ask_size"], row["ask_total"]) for row in found["levels"]]
    assert bids == [(0.4, 100, 100), (0.39, 5, 105), (0.38, 1, 106)]
    assert asks == [(0.55, 7, 7), (0.6, 50, 57), (None, None, None)]


def test_the_other_outcome_is_named_by_label_or_id(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["m", "--outcome", "no"], ["m-no"], ["m", "--outcome", "m-no"]):
        found = told(capsys, *arguments, "--at", f"{AT}15")
        assert (found["book"][0]["instrument_id"], found["levels"][0]["bid"]) == ("m-no", 0.45)
        assert found["book"][0]["coverage"] == "covered (live)"
    assert main(["book", "m", "--outcome", "maybe"]) == 2
    assert "no outcome 'maybe'; there are Yes, No" in capsys.readouterr().err


def test_it_is_that_of_the_last_known_moment_unless_asked_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    for market_id, end in (("m", "01:00"), ("z", "00:05")):
        (book,) = told(capsys, market_id)["book"]
        assert str(book["at"]).startswith(f"2027-01-15T01:{end}"), "a nanosecond before it was no longer covered"
        assert (book["trusted"], book["coverage"]) == ("yes", "covered (live)")


def test_the_book_with_which_an_hour_begins_is_no_change_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    (book,) = told(capsys, "q", "--at", f"{AT}15")["book"]
    assert (book["trusted"], book["age_s"], book["ts"]) == ("yes", None, None)
    assert main(["book", "q", "--at", f"{AT}15"]) == 0
    assert "did not change since 2027-01-15T01:00:00Z" in capsys.readouterr().out
    (book,) = told(capsys, "q", "--at", f"{AT}25")["book"]
    assert (book["age_s"], book["ts"]) == (5.0, "2027-01-15T01:00:20.000000Z")
    (book,) = told(capsys, "m", "--at", f"{AT}05")["book"]  # recorded from then on
    assert book["age_s"] == 5.0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["m", "--at", f"{AT}25"], "crossed: the best bid is not below the best ask"),
        (["z", "--at", f"{AT}30"], "a gap: disconnect"),
        (["m", "--at", "2027-01-15T03:00"], "it was not recorded at that time"),
    ],
)
def test_a_book_that_cannot_be_relied_on_says_why(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (book,) = told(capsys, *arguments)["book"]
    assert (book["trusted"], book["why_not"]) == ("NO", why)


def test_a_book_with_one_side_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["book", "m", "--at", f"{AT}55"]) == 0
    assert "a side of it is empty" in capsys.readouterr().out
    (book,) = told(capsys, "m", "--at", f"{AT}55")["book"]
    assert (book["trusted"], book["mid"], book["spread"]) == ("yes", None, None)


def test_levels_beyond_those_shown_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["book", "m", "--levels", "2", "--at", f"{AT}15"]) == 0
    captured = capsys.readouterr()
    assert "1 more levels: --levels 3" in captured.err
    assert "0.39" in captured.out
    assert "0.38" not in captured.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing like it"], "no market is called 'nothing like it'"),
        (["will"], "3 markets have 'will'"),
        (["n"], "was never recorded in data"),
        (["m", "--at", "noon"], "expected a time such as"),
        (["m", "--venue", "moc"], "no venue is called 'moc'"),
    ],
)
def test_slips_are_usage_errors(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["book", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_markets_are_searched_and_those_that_are_over_are_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["markets", "never", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["market_id"], row["instruments"], row["outcomes"]) == ("n", "n-yes n-no", "Yes / No")
    listed_on(tmp_path / "data", 1, replace(market("o"), fetched_at=hours(25), status="closed"))
    assert main(["markets", "will"]) == 0
    assert "1 that are over: --closed shows them" in capsys.readouterr().out
    assert main(["markets", "will", "--closed"]) == 0
    assert "4 of 4 markets with 'will', of 5 listed" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["book", "m"], ["book", "z", "--at", f"{AT}30"], ["markets", "never"]])
def test_a_book_and_a_search_import_no_polars(arguments: list[str]) -> None:
    assert "Will" in run_without([*PARSER, *FRAMES, *RUNNING], *arguments)
