"""``predsurv sql``: what is printed, and of which kind."""

import json
from io import StringIO
from pathlib import Path

import pytest

from predsurv.cli.app import main
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import market

KEY = market().key(0)


@pytest.fixture(autouse=True)
def _recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed_on(tmp_path / "data", 0, market(question="Will \x1b[31mit\x1b[0m?", fetched_at=hours(0)))
    record(tmp_path / "data", hours(2), [*books(KEY, hours(1), count=3), covered(KEY, hours(1), hours(2))])


def test_values_keep_their_kind_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    text = """SELECT count(*) AS n, max(price) AS p, min(ts_recv) AS t, max(ts_recv) - min(ts_recv) AS d, date,
        true AS yes, NULL AS nothing, 1.5::DECIMAL(4, 1) AS exact, [1, 2] AS list FROM deltas GROUP BY date"""
    assert main(["sql", text, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["n"] == 9
    assert (row["p"], row["d"], row["date"]) == (0.6, 2.0, "2027-01-15")
    assert row["t"] == "2027-01-15T01:00:00.000000Z"
    assert (row["yes"], row["nothing"], row["exact"], row["list"]) == (True, None, 1.5, "[1, 2]")


def test_people_see_the_first_rows_and_are_told_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "SELECT side, price FROM deltas WHERE side IS NOT NULL", "--limit", "2"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.strip().splitlines()) == 4
    assert "the first 2 rows" in captured.err


def test_text_of_the_venue_reaches_no_terminal_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "SELECT question FROM instruments"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_where_nothing_was_recorded_that_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(["sql", "SELECT * FROM trades"]) == 2
    assert "nothing recorded in data; run 'predsurv collect' first" in capsys.readouterr().err


def test_without_a_query_the_views_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "--format", "json"]) == 0
    rows = {row["view"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"deltas", "coverage", "instruments"} <= rows.keys()
    assert "ts_recv_ns" in rows["deltas"]["columns"].split()


def test_a_query_comes_from_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("SELECT count(*) AS n FROM coverage"))
    assert main(["sql", "-", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "n\n1\n"


def test_an_error_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "SELECT x FROM deltas"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: SQL: ")
    assert len(err.splitlines()) == 1


def test_a_table_that_is_not_there_is_answered_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "SELECT * FROM book_deltas"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "book_deltas does not exist" in line
    recorded = line.partition("; recorded are ")[2].split(", ")
    assert {"deltas", "coverage", "instruments"} <= set(recorded)
    assert "trades" not in recorded
    assert "duckdb_tables" not in line
