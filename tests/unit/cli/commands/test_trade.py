"""``predsurv trade`` and ``backtest``: what is refused before anything runs, reports, ends that nobody asked for."""

from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import trade
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, market

DAY = "2027-01-15"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREDSURV_METRICS__PORT", "0")
    return tmp_path


def test_a_backtest_writes_a_report_for_a_browser(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed_on(folder / "data", 0, market())
    record(folder / "data", hours(2), [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(1) + 60 * S)])
    assert main(["backtest", "mock", DAY, "--strategy", "simple", "--html"]) == 0
    (line,) = (each for each in capsys.readouterr().err.splitlines() if each.startswith("report: "))
    report, index = (each.partition(": ")[2] for each in line.split("; "))
    assert "<html" in (folder / report).read_text()[:200]
    assert Path(report).parent.name in (folder / index).read_text()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (
            ("backtest", "mock", DAY, "--strategy", "simple", "--param", "clip=5,6", "--html"),
            "--html reports one run; after a sweep 'predsurv runs show RUN --html' reports any of its runs",
        ),
        (("trade", "--paper", "--replay", "mock"), "--replay: expected VENUE:DATE such as mock:2026-01-31"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    words: tuple[str, ...], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: {refusal}"]


def test_without_a_venue_it_says_how_to_choose_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("POLYMARKET", "KALSHI"):
        monkeypatch.setenv(f"PREDSURV_VENUES__{name}__ENABLED", "false")
    assert main(["trade", "--paper"]) == 2
    assert "no venue is enabled; name one with --venue, or use --mock" in capsys.readouterr().err


def test_an_interruption_that_is_no_signal_is_not_taken_for_an_orderly_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trade, "_backtest", interrupted)
    assert main(["backtest", "mock", DAY, "--strategy", "simple"]) == 130
    assert "stopped before any trade" not in capsys.readouterr().err
