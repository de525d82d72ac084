"""``predsurv runs`` and ``portfolio``, on backtests of a made-up recording."""

import asyncio
import csv
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.cli.commands import trade
from predsurv.core.ids import StrategyName
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.runs.folder import RunFolder, all_runs
from predsurv.trade.runs.info import INFO_FILE, JOURNAL_FILE, REPORT_FILE, RESULTS_FILE
from predsurv.trade.runs.sources import StrategySource
from tests.kit.backtests import MIDNIGHT, RecordedVenue, Taker, books, covered, hours, listed_on, run_backtest
from tests.kit.lean_runs import FRAMES, PARSER, RUNNING, run_without
from tests.kit.patience import PATIENCE_S
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, market


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    listed_on(data, 0, market(fetched_at=hours(0)))
    record(data, MIDNIGHT, [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(2))])
    for _ in range(2):
        run_backtest(data, ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY), RecordedVenue(), Taker(), every_event=True)
    return list(all_runs(data))


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_runs_are_listed_with_what_they_earned(folders: list[RunFolder], capsys: pytest.CaptureFixture[str]) -> None:
    rows = asked(capsys, "runs", "list")
    assert [row["run"] for row in rows] == [folder.run for folder in folders]
    assert {(row["state"], row["complete"], row["requested_s"], row["loaded_s"]) for row in rows} == {
        ("complete", True, 86_400.0, 3_600.0)
    }
    assert rows[0]["data"] == rows[1]["data"] is not None
    assert len(asked(capsys, "runs", "list", "--mode", "backtest-mock")) == 2
    assert main(["--format", "csv", "runs", "list"]) == 0  # given before the command, too
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 2


def test_runs_of_one_strategy_are_told_apart_by_what_was_set(
    folders: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    info = folders[1].info()
    (name,) = info.strategies
    given = {**info.config, "strategies": {name: {"clip": "5"}, "other": {"clip": "6"}}}
    folders[1].write(INFO_FILE, replace(info, config={**given, "trading.queue_model": "pessimistic"}))
    assert [row["parameters"] for row in asked(capsys, "runs", "list")] == ["", "clip=5 pessimistic queue"]
    folders[1].write(INFO_FILE, replace(info, ended=None))
    folders[1].hold()
    assert main(["runs", "list"]) == 0
    folders[1].release()
    assert f"{folders[1].run}: running" in capsys.readouterr().out


def test_a_run_is_shown_and_adds_up(folders: list[RunFolder], capsys: pytest.CaptureFixture[str]) -> None:
    shown = asked(capsys, "runs", "show", folders[0].run)
    assert list(shown) == ["runs", "risk", "strategies", "markets", "events", "positions", "capacity"]
    (risk,), (strategy,), (traded,) = shown["risk"], shown["strategies"], shown["markets"]
    assert strategy["fills"] == 3
    for row in (strategy, traded):
        assert row["pnl"] == pytest.approx(row["realised"] + row["unrealised"] - row["fees"] + row["rebates"])
    assert strategy["pnl"] == pytest.approx(risk["equity"] - risk["equity_start"])
    assert shown["events"][0]["worst_pnl"] == pytest.approx(-18.0)
    assert shown["positions"][0]["outcome"] == "Yes"
    assert main(["runs", "show"]) == 0
    assert "Exposure by event" in capsys.readouterr().out


def test_a_report_is_written_when_asked_for(folders: list[RunFolder], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", "latest", "--html"]) == 0
    assert REPORT_FILE in capsys.readouterr().err
    assert "Will m?" in folders[1].file(REPORT_FILE).read_text()


def test_two_runs_are_compared(folders: list[RunFolder], capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (each.run for each in folders)
    found = asked(capsys, "runs", "compare", one, other)
    assert {row["difference"] for row in (*found["figures"], *found["counts"])} == {0}
    assert {row["figure"]: row["run_1"] for row in found["counts"]}["fills"] == 3
    money = {row["figure"]: row["run_2"] for row in found["figures"]}
    assert money["profit"] == pytest.approx(money["realised"] + money["unrealised"] - money["fees"] + money["rebates"])
    assert found["settings"] == []
    info = folders[1].info()
    changed = replace(info, seed=3, config={**info.config, "trading.latency": "9s"}, data=None, venues=())
    folders[1].write(INFO_FILE, changed)
    folders[1].file(RESULTS_FILE).unlink()
    found = asked(capsys, "runs", "compare", one, other)
    assert {row["difference"] for row in found["figures"]} == {None}
    assert {row["run_1"] for row in found["settings"] if row["figure"] == "trading.latency"} == {"150ms"}
    assert {row["figure"] for row in found["settings"]} == {"seed", "data", "venues", "trading.latency"}


def test_what_cannot_be_done_is_one_line(folders: list[RunFolder], capsys: pytest.CaptureFixture[str]) -> None:
    folders[1].file(RESULTS_FILE).unlink()
    for words, code, phrase in (
        (("runs", "show", "latest"), 1, "left no results"),
        (("runs", "list", "--mode", "nope"), 2, "no run of mode 'nope'; there are backtest-mock"),
        (("backtest", "mock", "0001-01-01..9999-12-31"), 2, "1970-02-01 to 2199-12-31; in"),
        (("backtest", "mock", "9999-12-31"), 2, "there is 2027-01-15"),
        (
            ("backtest", "mock", "0001-01-01", "--param", "clip=1,2", "--strategy", "simple"),
            2,
            "there is 2027",
        ),
        (("backtest", "mock", "1970-02-01..2026-12-31"), 2, "these days were not recorded"),
        (("mine", "mock", "0001-01-01"), 2, "nothing recorded for mock 0001-01-01"),
        (("mine", "mock", "9999-12-31"), 2, "nothing recorded for mock 9999-12-31"),
        (("runs", "show", "2099"), 2, "no run begins with"),
        (("portfolio", "--mode", "paper"), 2, "no account 'paper'"),
        (("portfolio", "--venue", "elsewhere"), 2, "nothing was traded at 'elsewhere'"),
        (
            ("backtest", "mock", "2027-01-15", "--param", "clip=1,2", "--strategy", "simple", "--html"),
            2,
            "--html reports one run; after a sweep",
        ),
    ):
        assert main(list(words)) == code, words
        out, err = capsys.readouterr()
        assert out == ""
        assert phrase in err
        assert len(err.splitlines()) == 1


def test_a_run_that_cannot_be_read_keeps_no_other_from_being_shown(
    folders: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    folders[0].file(INFO_FILE).write_bytes(b'{"run": 1}')
    assert main(["runs", "list", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert [(row["run"], row["mode"], row["state"], row["pnl"] is None) for row in json.loads(out)] == [
        (folders[0].run, "backtest-mock", "unreadable", True),
        (folders[1].run, "backtest-mock", "complete", False),
    ]
    assert len(err.splitlines()) == 1
    assert folders[0].run in err
    assert asked(capsys, "portfolio")["account"]
    assert asked(capsys, "runs", "show")["runs"]
    for words in (("runs", "show", folders[0].run), ("runs", "compare", folders[0].run, folders[1].run)):
        assert main([*words]) == 4
        assert "not as this version writes it" in capsys.readouterr().err


def test_a_run_without_results_says_why(folders: list[RunFolder], capsys: pytest.CaptureFixture[str]) -> None:
    folder = folders[1]
    folder.file(RESULTS_FILE).unlink()
    folder.write(INFO_FILE, replace(folder.info(), ended=None, loaded=0))
    assert [row["loaded_s"] for row in asked(capsys, "runs", "list")] == [3_600.0, None]
    settings = asked(capsys, "runs", "compare", folders[0].run, folder.run)["settings"]
    assert {row["figure"]: row["run_2"] for row in settings}["loaded"] is None
    for change, phrase in (
        (folder.hold, "has no results yet: it is still running"),
        (folder.release, "left no results: it was killed before"),
        (folder.end_without_results, "left no results: it ended before"),
    ):
        change()
        assert main(["runs", "show"]) == 1
        err = capsys.readouterr().err
        assert phrase in err
        assert "'predsurv portfolio --mode backtest-mock' has the account it traded" in err


async def _interrupted_download(*_: object) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(PATIENCE_S)
    return 0


def _interrupted_opening(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    raise AssertionError("went on")


@pytest.mark.parametrize(
    ("stage", "interrupted"), [("fetch_days", _interrupted_download), ("open_backtest", _interrupted_opening)]
)
def test_a_backtest_that_is_interrupted_before_it_begins_says_so(
    folders: list[RunFolder],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    interrupted: Any,
) -> None:
    monkeypatch.setattr(trade, stage, interrupted)
    assert main(["backtest", "mock", "2027-01-15"]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", "stopped before any trade\n")


def test_the_account_of_the_newest_backtest_is_shown_where_nothing_else_was_traded(
    folders: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(capsys, "portfolio")
    (account,), (position,) = found["account"], found["positions"]
    assert (account["mode"], account["venue"]) == ("backtest-mock", "mock")
    assert account["equity"] == pytest.approx(account["cash"] + account["positions"])
    assert (position["shares"], position["mark"], position["cost"]) == (30.0, 0.4, 18.0)
    assert position["mark_age_s"] >= 0
    assert found["account"] == asked(capsys, "portfolio", "--mode", "backtest-mock", "--venue", "mock")["account"]
    folders[1].file(RESULTS_FILE).unlink()
    folders[0].file(RESULTS_FILE).unlink()
    (position,) = asked(capsys, "portfolio")["positions"]
    assert (position["mark"], position["unrealised"], position["mark_age_s"]) == (None, None, None)
    folders[1].file(JOURNAL_FILE).unlink()
    assert asked(capsys, "portfolio")["account"]


def test_a_backtest_is_run_again_from_its_recording(
    folders: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "replay", "latest", "--verify", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["run"], row["verdict"], row["difference"]) == (folders[1].run, "the same", None)


def test_runs_of_other_code_under_the_same_name_are_told(
    folders: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, digest in zip(folders, ("aa", "bb"), strict=True):
        source = StrategySource(StrategyName("mine"), "mine.py", "Mine", digest)
        folder.write(INFO_FILE, msgspec.structs.replace(folder.info(), sources=(source,)))
    assert main(["runs", "compare", *(each.run for each in folders)]) == 0
    out, err = capsys.readouterr()
    assert "warning: strategy mine is other code in each of the two runs" in err
    assert "source of mine" in out
    assert main(["runs", "show", folders[0].run]) == 0
    assert "strategy mine: mine.py:Mine, sha256 aa" in capsys.readouterr().err


def test_runs_are_shown_without_what_trades_and_replays(folders: list[RunFolder]) -> None:
    for words in (["list"], ["show"], ["compare", folders[0].run, "latest"]):
        assert "profit" in run_without([*PARSER, *FRAMES, *RUNNING], "runs", *words).casefold()
