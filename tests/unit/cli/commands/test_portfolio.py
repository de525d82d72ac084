"""``predsurv portfolio``: the account asked for, by venue, and again every second with ``--watch``."""

import json
from pathlib import Path
from typing import Any

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import portfolio
from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS, Money
from predsurv.net.clock import SystemClock
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.journal import Entry, OrderJournal, RunStarted
from predsurv.trade.journal_path import journal_path
from tests.kit.lean_runs import FRAMES, PARSER, RUNNING, run_without
from tests.kit.run_entries import filled, sent, started
from tests.kit.trading_samples import ME, START, S

OTHER = VenueName("other")


def account(data: Path, mode: str, *entries: Entry) -> None:
    path = journal_path(data, mode)
    make_dirs(path.parent, PRIVATE_DIR)
    journal = OrderJournal(path)
    for entry in entries:
        journal.append(entry)
    journal.close()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    account(folder, "paper", started(), sent("a", price=33, size=7), filled("a", 7, 33, fee=Money(123_457)))
    account(folder, "mock", RunStarted(START + S, "mock", "mock", (ME,), ((OTHER, Money(5 * MICROS)),)))
    return folder


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["portfolio", *words, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_without_a_mode_it_is_the_account_last_traded_with_and_says_which(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, err = asked(capsys)
    assert found["account"][0]["mode"] == "mock"
    assert "account mock, the last one traded with" in err
    found, err = asked(capsys, "--mode", "paper")
    assert found["account"][0]["mode"] == "paper"
    assert err == ""
    found, _ = asked(capsys, "--venue", "mock")  # a venue, at which only the other account traded
    assert found["account"][0]["mode"] == "paper"


def test_a_journal_that_cannot_be_read_hides_no_other_account(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal_path(data, "mock").write_bytes(b"not a database at all, but long enough to be looked at as one would be")
    found, err = asked(capsys)
    assert found["account"][0]["mode"] == "paper"
    assert "warning: account left out: " in err
    assert main(["portfolio", "--mode", "mock"]) == 4
    journal_path(data, "paper").write_bytes(journal_path(data, "mock").read_bytes())
    assert main(["portfolio"]) == 4


def test_figures_are_exact_to_the_sixth_decimal(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,), (held,) = asked(capsys, "--mode", "paper")[0].values()
    assert (row["cash"], row["fees"], row["positions"]) == (9997.566543, 0.123457, 2.31)
    assert (held["shares"], held["cost"], held["outcome"], held["mark"]) == (7.0, 2.31, "", None)


def test_a_halt_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    halt_flag(data).set(START, "too wild")
    assert "trading is halted: too wild" in asked(capsys)[1]


@pytest.mark.parametrize("terminal", [True, False])
def test_watching_shows_it_again_until_it_is_interrupted(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    times: list[int] = []

    class Interrupted(SystemClock):
        async def sleep(self, duration: int) -> None:
            times.append(duration)
            if len(times) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(portfolio, "SystemClock", Interrupted)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    assert main(["portfolio", "--watch", "--mode", "mock", "--format", "csv"]) == 0
    out = capsys.readouterr().out
    assert out.count("mode,venue,cash") == 3
    assert ("\x1b[2J" in out) is terminal
    assert times == [S] * 3


def test_watching_says_again_only_what_is_new_where_no_screen_is_cleared(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []

    class Halted(SystemClock):
        async def sleep(self, duration: int) -> None:
            rounds.append(duration)
            if len(rounds) == 2:
                halt_flag(data).set(START, "too wild")
            if len(rounds) == 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(portfolio, "SystemClock", Halted)
    assert main(["portfolio", "--watch", "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    assert out.count("mode,venue,cash") == 4
    assert (err.count("the last one traded with"), err.count("trading is halted: too wild")) == (1, 1)


def test_nothing_traded_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["portfolio"]) == 2
    assert "predsurv trade --paper" in capsys.readouterr().err


def test_an_account_is_shown_without_what_trades(data: Path) -> None:
    assert "Account" in run_without([*PARSER, *FRAMES, *RUNNING], "portfolio", "--mode", "paper")
