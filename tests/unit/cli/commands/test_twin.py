"""The paper twin at the end of a live run: another process, without the keys; what comes of it is one line."""

import io
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import twin
from predsurv.cli.commands.twin import twin_line, without_keys
from predsurv.trade.runs.folder import RunFolder, all_runs, make_twin_folder
from predsurv.trade.runs.info import RESULTS_FILE
from tests.kit.served_fakes import background_loop
from tests.kit.served_simulators import served_polymarket


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("TRADING__MODE", "live"), ("METRICS__PORT", "0"), ("LIVE_CONFIRM", "polymarket")):
        monkeypatch.setenv(f"PREDSURV_{name}", value)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)


def test_a_live_run_ends_with_its_twin_and_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live = ("trade", "--live", "--venue", "polymarket", "--strategy", "simple", "--duration", "300ms")
    with background_loop() as loop, served_polymarket(loop, monkeypatch, tmp_path):
        assert main(live) == 0
        err = capsys.readouterr().err
        assert "running the paper twin" in err
        assert "paper twin: it made $0.00; 'predsurv runs show' compares the two" in err
        assert main([*live, "--no-twin"]) == 0
        assert "paper twin" not in capsys.readouterr().err
    first, second = all_runs(tmp_path / "data")
    assert first.twin() is not None
    assert second.twin() is None
    assert main(["runs", "list"]) == 0
    assert "twin" not in capsys.readouterr().out
    assert main(["runs", "show", first.run, "--html"]) == 0
    assert "Beside the paper twin" in capsys.readouterr().out
    assert "Beside the paper twin" in first.file("report.html").read_text()
    assert main(["runs", "show", second.run]) == 0
    assert "Beside the paper twin" not in capsys.readouterr().out
    assert main(["runs", "twin", second.run]) == 0
    assert "Beside the paper twin" in capsys.readouterr().out
    second.file(RESULTS_FILE).unlink()
    assert main(["runs", "twin", second.run]) == 1
    assert "left no results" in capsys.readouterr().err


async def test_a_run_that_is_none_gets_a_line_that_says_what_to_do(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "data" / "runs" / "20260101T000000000Z-live-x")
    assert (
        await twin_line(folder) == f"paper twin: not made; 'predsurv runs twin {folder.run}' makes it, or says why not"
    )


async def test_a_twin_that_takes_too_long_is_left_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "WITHIN", 0)
    folder = RunFolder(tmp_path / "data" / "runs" / "a")
    assert await twin_line(folder) == "paper twin: not made within 0 s; 'predsurv runs twin a' makes it"


async def test_damaged_results_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/true")
    folder = RunFolder(tmp_path / "data" / "runs" / "a")
    folder.path.mkdir(parents=True)
    made = make_twin_folder(folder)
    made.file("run.json").write_text("{}")
    made.file(RESULTS_FILE).write_text("{")
    assert (await twin_line(folder)).startswith("paper twin: ")


def test_the_twin_never_sees_a_key() -> None:
    given = {"PREDSURV_POLYMARKET_PRIVATE_KEY_FILE": "x", "PREDSURV_KALSHI_KEY_ID": "y", "PATH": "z"}
    assert without_keys(given) == {"PATH": "z"}
