"""``predsurv trade --live``: each switch that is off refuses in one line; a run that is confirmed trades and ends."""

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.runtime import Supervision
from predsurv.telemetry.health import RunHealth
from predsurv.trade.halt_flag import halt_flag
from tests.kit.served_fakes import background_loop
from tests.kit.served_simulators import served_polymarket

LIVE = ("trade", "--live", "--venue", "polymarket", "--strategy", "simple")


class Typed(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREDSURV_TRADING__MODE", "live")
    monkeypatch.setenv("PREDSURV_METRICS__PORT", "0")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return tmp_path / "data"


def test_a_confirmed_run_says_so_and_leaves_no_core_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = list[object]()
    monkeypatch.setattr("resource.setrlimit", lambda *given: limits.append(given[1]))
    monkeypatch.setenv("PREDSURV_LIVE_CONFIRM", "polymarket")
    with background_loop() as loop, served_polymarket(loop, monkeypatch, tmp_path):
        assert main([*LIVE, "--no-twin", "--duration", "300ms"]) == 0
    out, err = capsys.readouterr()
    assert limits == [(0, 0)]
    assert "trading simple on polymarket with REAL MONEY: " in err
    assert "'predsurv runs show' says more" in err
    assert "paper" not in err
    assert os.environ["PREDSURV_POLYMARKET_PRIVATE_KEY"] not in out + err


def test_a_signal_ends_a_run_in_good_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    monkeypatch.setenv("PREDSURV_LIVE_CONFIRM", "polymarket")
    begun = Supervision.go_on

    def go_on(self: Supervision, doing: str, look: Callable[[], RunHealth]) -> None:
        begun(self, doing, look)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Supervision, "go_on", go_on)
    with background_loop() as loop, served_polymarket(loop, monkeypatch, tmp_path):
        assert main(LIVE) == 0
    err = capsys.readouterr().err
    assert "cancelling every order, waiting for trades to settle, comparing the account" in err
    assert "'predsurv runs show' says more" in err


@pytest.mark.parametrize(
    ("stdin", "refusal"),
    [
        (io.StringIO("polymarket\n"), "nobody is there to confirm: set PREDSURV_LIVE_CONFIRM=polymarket"),
        (Typed("yes\n"), "not confirmed: 'polymarket' was not typed; nothing was sent"),
    ],
)
def test_without_the_venues_name_nothing_is_sent(
    stdin: io.StringIO, refusal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(LIVE) == 5
    assert refusal in capsys.readouterr().err


def test_the_name_typed_at_a_terminal_goes_on_to_the_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    monkeypatch.setattr("sys.stdin", Typed("polymarket\n"))
    assert main(LIVE) == 2
    err = capsys.readouterr().err
    assert "Orders with real money will be sent to polymarket. Type its name to go on: " in err
    assert "no key to sign orders with" in err


def test_while_trading_is_halted_no_run_begins(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    halt_flag(data).set(1, "somebody has to look")
    assert main(LIVE) == 5
    assert "trading is halted: somebody has to look; 'predsurv resume' allows it again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--paper",), "--paper and --live exclude each other; choose one"),
        (("--replay", "polymarket:2026-01-31"), "--replay trades on a recording: it goes with --paper"),
    ],
)
def test_what_goes_with_paper_does_not_go_with_live(
    words: tuple[str, ...], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LIVE, *words]) == 2
    assert refusal in capsys.readouterr().err
