"""Queries over a recording: names, exact times, files of which only some are there."""

import os
import signal
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.errors import ConfigError
from predsurv.mine import sql
from predsurv.mine.sql import query, views
from predsurv.store.layout import NS_DAY, date_of
from tests.kit.backtests import MIDNIGHT, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import S, V, market, trade

KEY = market().key(0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two days of a book every second and two trades, listed under another question on the second."""
    for day in (0, 1):
        begin = hours(1, day)
        listed_on(tmp_path, day, replace(market(question=f"Day {day}?", category="sport"), fetched_at=hours(0, day)))
        rows = [*books(KEY, begin, count=3), trade(40, 5, ts=begin + 1), trade(41, 7, ts=begin + S + 2)]
        record(tmp_path, hours(2, day), [*rows, covered(KEY, begin, begin + 60 * S)])
    return tmp_path


def test_every_row_has_the_latest_names_of_its_market(data: Path) -> None:
    found = query(data, "SELECT question, outcome, category, sum(size) AS shares FROM trades GROUP BY ALL")
    assert [name for name, _ in found.columns] == ["question", "outcome", "category", "shares"]
    assert found.rows == [("Day 1?", "Yes", "sport", 24.0)]


def test_times_are_exact_as_numbers_and_plain_as_timestamps(data: Path) -> None:
    found = query(data, "SELECT ts_recv, ts_recv_ns, date_trunc('hour', ts_recv) FROM trades ORDER BY ts_recv_ns")
    assert found.rows[0] == (hours(1), hours(1) + 1, hours(1))
    assert query(data, 'SELECT "end_ns" - "start_ns" FROM coverage').rows == [(60 * S,)] * 2


def test_the_last_nanosecond_of_a_day_is_in_that_day(data: Path) -> None:
    late = MIDNIGHT + NS_DAY - 1
    record(data, MIDNIGHT + 3 * NS_DAY, [trade(40, 5, ts=late)])
    text = f"SELECT ts_recv::DATE = date, hour(date_trunc('hour', ts_recv)) FROM trades WHERE ts_recv_ns = {late}"  # noqa: S608
    assert query(data, text).rows == [(True, 23)]


def test_partitions_choose_days_and_hours(data: Path) -> None:
    assert date_of(MIDNIGHT + NS_DAY) == "2027-01-16"
    assert query(data, "SELECT count(*) FROM trades WHERE date = '2027-01-16' AND hour = 1").rows == [(2,)]
    assert query(data, "SELECT count(*) FROM trades WHERE hour = 2").rows == [(0,)]
    assert query(data, "SELECT DISTINCT venue FROM deltas").rows == [(V,)]


def test_more_rows_than_asked_for_are_said_to_be_there(data: Path) -> None:
    some = query(data, "SELECT * FROM trades", rows_max=3)
    assert (len(some.rows), some.more) == (3, True)
    every = query(data, "SELECT * FROM trades", rows_max=4)
    assert (len(every.rows), every.more) == (4, False)


def test_the_views_are_those_of_what_is_there(data: Path) -> None:
    found = {each.name: each.columns for each in views(data)}
    assert {"deltas", "trades", "coverage", "instruments"} <= found.keys()
    assert "stats" not in found
    assert {"question", "outcome", "ts_recv_ns"} <= set(found["trades"])


def test_names_are_kept_until_the_list_changes(data: Path) -> None:
    text = "SELECT DISTINCT question FROM trades"
    assert query(data, text).rows == [("Day 1?",)]
    kept = sorted((data / "state" / "sql").iterdir())
    assert len(kept) == 2
    listed_on(data, 1, market(question="Day one, changed?", fetched_at=hours(3, 1)))
    assert query(data, text).rows == [("Day one, changed?",)]
    assert len(sorted((data / "state" / "sql").iterdir())) == 2


def test_where_nothing_can_be_written_names_are_read_each_time(data: Path) -> None:
    (data / "state" / "sql").write_text("a file where the folder should be")
    assert query(data, "SELECT DISTINCT question FROM trades").rows == [("Day 1?",)]


@pytest.mark.parametrize("name", ["with 'quotes'", "star*[1]?"])
def test_any_name_of_the_folder_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    listed_on(folder, 0, market(fetched_at=hours(0)))
    record(folder, hours(2), [*books(KEY, hours(1)), covered(KEY, hours(1), hours(2))])
    assert query(folder, "SELECT question, count(*) FROM deltas GROUP BY ALL").rows[0][0] == "Will m?"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT nothing FROM trades", "nothing"),
        ("SELECT * FROM stats", "stats"),
        ("SELECT 1/0::VARCHAR::DATE", ""),
    ],
)
def test_what_fails_is_one_line(data: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as failed:
        query(data, text)
    assert says in str(failed.value)
    assert str(failed.value).startswith("SQL: ")
    assert len(str(failed.value).splitlines()) == 1


def test_a_statement_without_a_result_gives_no_rows(data: Path) -> None:
    assert query(data, "SET threads = 1").rows == []


@pytest.mark.parametrize("moment", ["before", "while preparing", "while it runs"])
def test_ctrl_c_ends_a_query_without_end(data: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    prepare = sql._prepare

    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def prepare_and_press(connection: Any, data_dir: Path, *, named: bool) -> None:
        if moment == "before":
            press()
        prepare(connection, data_dir, named=named)
        if moment == "while preparing":
            press()
        elif moment == "while it runs":
            Timer(0.1, press).start()

    monkeypatch.setattr(sql, "_prepare", prepare_and_press)
    for _ in range(6):  # which of its threads DuckDB gives the work to differs
        with pytest.raises(KeyboardInterrupt):
            query(data, "SELECT count(*) FROM range(100000000000000) AS numbers(n) WHERE n % 7 = 3")
