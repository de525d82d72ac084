"""The trading commands as a user meets them: what they print, how they end, what they leave behind."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from predsurv.cli.app import main
from predsurv.trade.journal import OrderJournal
from predsurv.trade.runs.folder import find_run
from predsurv.trade.runs.info import JOURNAL_FILE
from tests.kit.patience import PATIENCE_S

_ROOT = Path(__file__).resolve().parents[2]


def environment(folder: Path, seed: int = 0) -> dict[str, str]:
    return {
        **os.environ,
        "PREDSURV_DATA_DIR": str(folder / "data"),
        "PREDSURV_METRICS__PORT": "0",
        "PREDSURV_MOCK__ENABLED": "true",
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": str(_ROOT),
    }


def predsurv(folder: Path, *words: str, seed: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "predsurv", *words],
        cwd=folder,
        env=environment(folder, seed),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "predsurv", *words],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def tables(result: subprocess.CompletedProcess[str]) -> Mapping[str, list[dict[str, Any]]]:
    assert result.returncode == 0, result.stderr
    found: Mapping[str, list[dict[str, Any]]] = json.loads(result.stdout)
    return found


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read stderr up to a line with ``words``."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"ended without saying {words!r}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert predsurv(tmp_path, "scan").returncode == 0
    return tmp_path


def digest(folder: Path) -> str:
    """The digest of the newest run's journal."""
    journal = OrderJournal(find_run(folder / "data", "latest").file(JOURNAL_FILE), readonly=True)
    body = b"".join(msgspec.json.encode(entry) + b"\n" for entry in journal.entries())
    journal.close()
    assert body.count(b'"sent"') > 10
    return hashlib.sha256(body).hexdigest()


@pytest.mark.slow
def test_a_recorded_session_backtests_to_the_same_bytes_every_time(folder: Path) -> None:
    assert predsurv(folder, "collect", "--duration", "9s").returncode == 0
    (date,) = (path.name.removeprefix("date=") for path in (folder / "data/book_deltas/venue=mock").iterdir())
    digests, printed = [], []
    for seed in (1, 2):
        result = predsurv(folder, "--format", "json", "backtest", "mock", date, "--strategy", "arbitrage", seed=seed)
        printed.append(tables(result))
        digests.append(digest(folder))
    assert digests[0] == digests[1]
    assert printed[0] == printed[1]
    (row,) = printed[0]["strategies"]
    assert row["baskets_filled"] >= 1
    result = predsurv(folder, "--format", "json", "trade", "--replay", f"mock:{date}", "--strategy", "arbitrage")
    assert tables(result)["strategies"] == [row]


@pytest.mark.slow
def test_an_interrupted_run_ends_well_and_its_account_remains(folder: Path) -> None:
    with started(folder, "--format", "json", "trade", "--paper") as process:
        wait_for(process, "fill ")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    account = json.loads(out)["account"][0]
    shown = tables(predsurv(folder, "--format", "json", "portfolio"))
    assert shown["account"][0]["cash"] == account["cash"] < 10_000
    assert len(shown["positions"]) == len(json.loads(out)["positions"])


@pytest.mark.slow
def test_a_killed_run_loses_nothing_that_it_had_sent(folder: Path) -> None:
    with started(folder, "trade", "--paper") as process:
        wait_for(process, "fill ")
        process.kill()
        process.wait()
    before = tables(predsurv(folder, "--format", "json", "portfolio"))
    assert before["account"][0]["cash"] < 10_000
    again = predsurv(folder, "--format", "json", "trade", "--paper", "--duration", "1s")
    assert again.returncode == 0, again.stderr
    killed, whole = json.loads(predsurv(folder, "--format", "json", "runs", "list").stdout)
    assert (killed["state"], killed["complete"], killed["exit_code"]) == ("killed", False, None)
    assert (whole["state"], whole["complete"], whole["exit_code"]) == ("complete", True, 0)
    verified = predsurv(folder, "replay", whole["run"], "--verify")
    assert verified.returncode == 0, verified.stderr


_STOPPING = """
import os, signal
from predsurv.strategies.own import OwnStrategy

class Stopping(OwnStrategy):
    sent = False

    def on_event(self, event, view):
        if not self.sent:  # a second signal would leave at once
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)
        return ()
"""


@pytest.mark.slow
def test_an_interrupted_backtest_says_so(folder: Path) -> None:
    assert predsurv(folder, "collect", "--duration", "9s").returncode == 0
    (date,) = (path.name.removeprefix("date=") for path in (folder / "data/book_deltas/venue=mock").iterdir())
    (folder / "stopping.py").write_text(_STOPPING)
    result = predsurv(folder, "--format", "json", "backtest", "mock", date, "--strategy", "stopping.py:Stopping")
    assert result.returncode == 130, result.stderr
    assert "not complete" in result.stderr
    assert json.loads(result.stdout)["account"][0]["complete"] is False
    (run,) = json.loads(predsurv(folder, "--format", "json", "runs", "list").stdout)
    assert (run["state"], run["complete"], run["exit_code"]) == ("incomplete", False, 130)


@pytest.mark.slow
def test_halt_and_resume(folder: Path) -> None:
    assert "is halted" in predsurv(folder, "halt", "--reason", "too wild").stderr
    result = predsurv(folder, "--format", "json", "trade", "--duration", "4s")
    assert "halted: too wild" in result.stderr
    assert tables(result)["strategies"] == []
    assert "too wild" in predsurv(folder, "resume").stderr
    assert "not halted" in predsurv(folder, "resume").stderr


@pytest.mark.parametrize(
    "case",
    [
        (("trade", "--live"), 5, "trading.mode"),
        (("trade", "--live", "--paper"), 2, "exclude each other"),
        (("trade", "--strategy", "arb"), 2, "unknown strategy 'arb'"),
        (("trade", "--venue", "polymarkt"), 2, "no venue is called"),
        (("trade", "--duration", "soon"), 2, "--duration"),
        (("trade", "--replay", "mock"), 2, "VENUE:DATE"),
        (("backtest", "mock", "2026-1-1"), 2, "expected a day"),
        (("backtest", "mock", "2026-01-02..2026-01-01"), 2, "before the first"),
        (("backtest", "mock", "2026-01-01"), 2, "predsurv collect"),
        (("portfolio",), 2, "predsurv trade --paper"),
    ],
)
def test_every_usage_error_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: tuple[tuple[str, ...], int, str],
) -> None:
    words, code, what = case
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREDSURV_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PREDSURV_MOCK__ENABLED", "true")
    assert main(words) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert what in printed.err
    assert printed.err.count("\n") == 1
