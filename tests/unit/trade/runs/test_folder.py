"""Folders of runs: ids that sort and are unique, found by their beginning, running or killed."""

from pathlib import Path

import pytest

from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.state.book import Book
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.result import Books, Course, result_of
from predsurv.trade.results.valuing import Mark, mark_of
from predsurv.trade.runs.folder import all_runs, create_run, find_run, last_marks, read_run
from predsurv.trade.runs.info import INFO_FILE, RESULTS_FILE, RunInfo, settings_of, versions
from tests.kit.run_entries import filled, sent, started
from tests.kit.trading_samples import FEE, NO, START, YES, S, book, shares


def info(run: str, **changes: object) -> RunInfo:
    return RunInfo(run=run, mode="paper", venues=(), strategies=(), started=START, config={}, versions={}, **changes)  # type: ignore[arg-type]


def listed(data_dir: Path, *starts: int) -> list[str]:
    names = []
    for ts in starts:
        folder = create_run(data_dir, "paper", ts)
        folder.write(INFO_FILE, info(folder.run))
        names.append(folder.run)
    return names


def test_ids_sort_by_their_start_and_are_never_used_twice(tmp_path: Path) -> None:
    names = listed(tmp_path, START, START, START + 5_000_000, START + S)
    assert len(set(names)) == 4
    assert names == sorted(names)
    assert [each.run for each in all_runs(tmp_path)] == names
    assert names[0] == "20270115T080000000Z-paper"


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run in"):
        find_run(tmp_path, "latest")
    names = listed(tmp_path, START, START, START + S)
    (tmp_path / "runs" / "not-a-run").mkdir()
    assert find_run(tmp_path, "20270115T080001").run == names[2]
    assert find_run(tmp_path, "20270115T080001…").run == names[2], "as a narrow table shows it"
    assert find_run(tmp_path, "latest").run == names[2]
    assert find_run(tmp_path, names[0]).run == names[0]  # also where it begins another
    with pytest.raises(ConfigError, match="3 runs begin with '2027'"):
        find_run(tmp_path, "2027")
    with pytest.raises(ConfigError, match="no run begins with"):
        find_run(tmp_path, "\x1b[31m")


def test_a_run_goes_on_while_its_lock_is_held(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "paper", START)
    folder.hold()
    assert folder.state(info("x")) == "running"
    folder.release()
    folder.release()
    assert folder.state(info("x")) == "killed"
    assert folder.state(info("x", ended=START, complete=True)) == "complete"
    assert folder.state(info("x", ended=START)) == "incomplete"
    assert folder.state(info("x", ended=START, exit_code=130)) == "incomplete"
    assert folder.state(info("x", ended=START, exit_code=3)) == "failed"
    folder.end_without_results()
    folder.end_without_results()
    assert folder.state(info("x")) == "ended without results"


def test_the_account_of_a_run_is_in_its_id(tmp_path: Path) -> None:
    names = [create_run(tmp_path, "backtest-mock", START).account for _ in range(3)]
    assert names == ["backtest-mock"] * 3


def test_a_run_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "paper", START)
    folder.file(INFO_FILE).write_bytes(b"{}")
    found = read_run(folder)
    assert (found.mode, found.state, found.info, found.result) == ("paper", "unreadable", None, None)
    assert "not as this version writes it" in found.damage
    folder.write(INFO_FILE, info(folder.run, ended=START, complete=True))
    folder.file(RESULTS_FILE).write_bytes(b"damaged")
    found = read_run(folder)
    assert (found.state, found.result) == ("complete", None)
    assert RESULTS_FILE in found.damage


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "paper", START)
    with pytest.raises(IntegrityError, match="cannot be read"):
        folder.info()
    folder.file(INFO_FILE).write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="not as this version writes it"):
        folder.info()
    assert folder.results() is None


def with_mark(data_dir: Path, ts: int, mode: str, mark: Mark) -> None:
    folder = create_run(data_dir, mode, ts)
    folder.write(INFO_FILE, info(folder.run))
    ledger = fold(Opening(), [started(), sent("a"), filled("a")], lambda _venue, _market: None)
    result = result_of(ledger, Books({}, {mark.key: mark}, ()), Course())
    folder.write(RESULTS_FILE, result)
    assert folder.results() == result


def test_the_last_mark_of_an_account_is_that_of_its_newest_run_that_has_one(tmp_path: Path) -> None:
    marks = []
    for bid in (40, 41):
        shown = Book(YES)
        shown.apply(book(((bid, 10),)))
        marks.append(mark_of(shown, shares(10), FEE))
    with_mark(tmp_path, START, "paper", marks[0])
    with_mark(tmp_path, START + S, "paper", marks[1])
    with_mark(tmp_path, START + 2 * S, "mock", marks[0])
    listed(tmp_path, START + 3 * S)
    damaged = create_run(tmp_path, "paper", START + 4 * S)
    damaged.write(INFO_FILE, info(damaged.run))
    damaged.file(RESULTS_FILE).write_bytes(b"damaged")
    assert last_marks(tmp_path, "paper", [YES, NO]) == {YES: marks[1]}
    assert last_marks(tmp_path, "paper", []) == {}


def test_settings_are_kept_as_they_are_written_and_read_back(tmp_path: Path) -> None:
    config = load(None, flags={"trading.latency": "70ms", "data_dir": str(tmp_path)}, environ={}, root=tmp_path).config
    kept = settings_of(config)
    assert kept["trading.latency"] == "70ms"
    assert load(None, flags=kept, environ={}, root=tmp_path).config == config
    assert {"predsurv", "python", "msgspec"} <= versions().keys()
