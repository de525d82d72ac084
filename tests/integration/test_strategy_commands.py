"""Own strategies from the command line: written, listed, run, swept, and told when they fail."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import sweep as sweep_command
from predsurv.trade.sweep import run_sweep
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, market

DAY = "2027-01-15"

BUYER = """
from msgspec import Struct
from predsurv.core.events import BookSnapshot
from predsurv.core.num import Size
import predsurv

class Params(Struct, frozen=True):
    size: Size = Size(10_000_000)
    fail: bool = False

class Buyer(predsurv.Strategy):
    Params = Params
    def on_event(self, event, view):
        if self.params.fail:
            raise ValueError("on purpose")
        if isinstance(event, BookSnapshot) and view.position(event.key) is None:
            yield self.buy(event.key, event.asks[0][0], self.params.size)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "buyer.py").write_text(BUYER)
    listed_on(tmp_path / "data", 0, market())
    record(tmp_path / "data", hours(2), [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(1) + 60 * S)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("buyer", "predsurv_own", "fade_the_move")):
            del sys.modules[name]


def backtest(*arguments: str) -> int:
    return main(["backtest", "mock", DAY, "--strategy", "./buyer.py:Buyer", *arguments])


def test_an_own_strategy_runs_with_its_parameter(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest("--param", "size=7", "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["strategy"] for row in shown["strategies"]] == ["buyer"]
    assert [row["shares"] for row in shown["positions"]] == [7.0]


def test_the_configuration_sets_parameters_and_a_flag_wins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own.toml").write_text('[trading]\nstrategies = ["./buyer.py:Buyer"]\n[strategies.buyer]\nsize = "8"\n')
    for flags, shares in (([], 8.0), (["--param", "size=9"], 9.0)):
        assert main(["backtest", "mock", DAY, "--config", "own.toml", "--format", "json", *flags]) == 0
        assert [row["shares"] for row in json.loads(capsys.readouterr().out)["positions"]] == [shares]
    assert main(["config", "show", "--config", "own.toml", "--changed"]) == 0
    assert "buyer.size=8" in capsys.readouterr().out


def test_a_section_without_a_strategy_is_noticed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own.toml").write_text("[strategies.bayer]\nsize = 8\n")
    assert backtest("--config", "own.toml", "--format", "json") == 0
    assert "no strategy is called bayer: [strategies.bayer] has no effect" in capsys.readouterr().err


def test_a_sweep_is_one_table_with_the_best_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest("--param", "size=20,5,10", "--format", "csv") == 0
    rows = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert [row["size"] for row in rows] == ["5", "10", "20"]
    assert [float(row["profit"]) for row in rows] == sorted((float(row["profit"]) for row in rows), reverse=True)
    kept = [json.loads(path.read_text())["config"] for path in (folder / "data" / "runs").glob("*/run.json")]
    assert sorted(each["strategies"]["buyer"]["size"] for each in kept) == ["10", "20", "5"]
    assert {each["trading.strategies"][0] for each in kept} == {f"{folder}/buyer.py:Buyer"}
    assert backtest("--param", "size=5,10", "--jobs", "1") == 0
    shown = capsys.readouterr()
    assert "Sweep: buyer on mock" in shown.out
    assert "2 backtests of mock in 1 process\n" in shown.err


def test_an_interrupted_sweep_shows_what_is_done_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_sweep

    def interrupted(job: object, workers: int, on_done: object, stopping: object) -> object:
        done = whole(job, 1, on_done, stopping)  # type: ignore[arg-type]
        return done[:1]

    monkeypatch.setattr(sweep_command, "run_sweep", interrupted)
    assert backtest("--param", "size=5,10") == 130
    shown = capsys.readouterr()
    assert "INCOMPLETE: 1 of 2 runs" in shown.out
    assert "interrupted: 1 of 2 runs are done" in shown.err


def test_the_keyboard_ends_a_sweep_and_its_processes(folder: Path) -> None:
    sizes = ",".join(str(size) for size in range(10, 60))
    command = [sys.executable, "-m", "predsurv", "backtest", "mock", DAY, "--strategy", "./buyer.py"]
    process = subprocess.Popen(
        [*command, "--param", f"size={sizes}", "--jobs", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "50 backtests of mock in 1 process" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "INCOMPLETE" in out or "no run ended" in out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--param", "fail=yes"], 1, "strategy buyer failed at "),
        (["--param", "fail=yes", "--param", "size=5,6"], 1, "strategy buyer failed at "),
        (["--param", "siz=5"], 2, "--param siz: no such parameter; did you mean size?"),
        (["--param", "size=much"], 2, "strategy buyer: size: expected size, a decimal such as 0.05"),
        (["--param", "size=5,much"], 2, "strategy buyer: size: expected size"),
        (["--strategy", "./gone.py:X"], 2, "gone.py: no such file"),
        (["--strategy", "./broken.py:X"], 1, "broken.py:1: SyntaxError"),
    ],
)
def test_what_is_wrong_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, told: str
) -> None:
    (folder / "broken.py").write_text("def (\n")
    assert backtest(*arguments) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert told in lines[0]


def test_trading_takes_one_value(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["trade", "--paper", "--mock", "--strategy", "./buyer.py", "--param", "size=5,6"]
    assert main(arguments) == 2
    assert "several values are a sweep, which only 'predsurv backtest' runs" in capsys.readouterr().err


def test_on_paper_a_failing_strategy_ends_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "paper.toml").write_text("[mock]\nmarkets = 20\n[metrics]\nport = 0\n")
    arguments = ["trade", "--paper", "--mock", "--config", "paper.toml", "--duration", "60s"]
    assert main([*arguments, "--strategy", "./buyer.py", "--param", "fail=true"]) == 1
    assert f"strategy buyer failed at {folder}/buyer.py:15 on a " in capsys.readouterr().err


def test_strategies_are_listed_with_their_parameters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {"simple", "arbitrage"} <= {row["strategy"] for row in shown["strategies"]}
    clip = next(row for row in shown["parameters"] if (row["strategy"], row["parameter"]) == ("simple", "clip"))
    assert (clip["type"], clip["default"], clip["configured"]) == ("money", "20", "")
    assert all(row["about"] for row in shown["parameters"])
    (folder / "own.toml").write_text('[strategies.buyer]\nsize = "8"\nold = 1\n')
    assert main(["strategies", "./buyer.py", "--config", "own.toml", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(row["parameter"], row["default"], row["configured"]) for row in shown["parameters"]] == [
        ("size", "10", "8"),
        ("fail", "false", ""),
    ]
    assert main(["strategies", "simpel"]) == 2
    assert "did you mean simple?" in capsys.readouterr().err


def test_a_parameter_without_a_default_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "buyer.py").write_text(
        BUYER.replace("size: Size = Size(10_000_000)\n    fail: bool = False", "size: Size")
    )
    assert main(["strategies", "./buyer.py", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"][0]["default"] == "(has to be set)"
    assert backtest() == 2
    assert "size has no default; set it with --param size=" in capsys.readouterr().err


def test_a_new_strategy_is_written_with_a_test_that_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--strategy", "FadeTheMove", "--out", "mine"]) == 0
    assert "wrote mine/fade_the_move.py and mine/test_fade_the_move.py" in capsys.readouterr().err
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "mine/test_fade_the_move.py"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len((folder / "mine" / "fade_the_move.py").read_text().splitlines()) <= 40
    assert main(["backtest", "mock", DAY, "--strategy", "./mine/fade_the_move.py"]) == 0
    assert main(["init", "--strategy", "fade-the-move", "--out", "mine"]) == 2
    assert "fade_the_move.py is there already and was not touched" in capsys.readouterr().err
    for wrong in ("", "1st", "a b", "a" * 33, "../x"):
        assert main(["init", "--strategy", wrong]) == 2
        assert "expected a name such as fade or FadeTheMove" in capsys.readouterr().err


def test_today_and_yesterday_are_days(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day in ("today", "yesterday..today"):
        assert main(["backtest", "mock", day, "--strategy", "simple"]) == 2
        assert "not recorded" in capsys.readouterr().err
