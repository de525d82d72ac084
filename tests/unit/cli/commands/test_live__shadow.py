"""``predsurv trade --live --shadow``: orders are made and signed, marked everywhere, and nothing but reads is sent."""

import io
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.events import BookDelta, BookSnapshot, Event
from predsurv.core.ids import VenueName
from predsurv.core.orders import Decision, PlaceOrder, TimeInForce
from predsurv.state.view import View
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.journal import AccountUpdated, CommandSent, OrderJournal, OrderNamed, RunStarted
from predsurv.trade.runs.folder import all_runs
from predsurv.trade.runs.info import JOURNAL_FILE
from tests.kit.live_runs import OneBuyer
from tests.kit.served_fakes import BackgroundLoop, background_loop
from tests.kit.served_simulators import Asked, Requests, served_kalshi, served_polymarket


class OneBuyerEach(OneBuyer):
    """Buys once at each venue."""

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        name = event.key.venue if isinstance(event, BookSnapshot | BookDelta) else None
        if name is None or name in self.venues:
            return ()
        self.left = 1
        decided = super().on_event(event, view)
        if decided:
            self.venues.add(name)
        return decided

    def __init__(self, tif: TimeInForce) -> None:
        super().__init__(tif)
        self.venues = set[VenueName]()


Serve = Callable[[BackgroundLoop, pytest.MonkeyPatch, Path], AbstractContextManager[Requests]]
VENUES = pytest.mark.parametrize(("venue", "serve"), [("polymarket", served_polymarket), ("kalshi", served_kalshi)])


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREDSURV_METRICS__PORT", "0")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    return tmp_path / "data"


def shadow(venue: str, *words: str) -> int:
    return main(["trade", "--live", "--shadow", "--venue", venue, "--strategy", "simple", *words])


def writes(asked: Requests) -> Requests:
    """What was not a read; books of several tokens are read by a POST without any key."""
    return [each for each in asked if each.method != "GET" and each != Asked("POST", "/books")]


@VENUES
def test_orders_are_signed_and_filled_by_simulation_and_the_venue_receives_reads_alone(
    venue: str,
    serve: Serve,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (OneBuyer("ioc", count=3),))
    with background_loop() as loop, serve(loop, monkeypatch, tmp_path) as asked:
        assert main(["keys", "check", "--venue", venue]) == 0  # Polymarket: makes the API key, once
        asked.clear()
        assert shadow(venue, "--duration", "4s") == 0
    assert asked
    assert not writes(asked)
    out, err = capsys.readouterr()
    assert f"SHADOW trading simple on {venue} and sending nothing, as with the " in err
    assert "SHADOW nothing was sent: 3 orders were signed, 0 could not be" in err
    assert "REAL MONEY" not in err
    assert f"shadow-{venue}-local" in out
    assert os.environ.get("PREDSURV_POLYMARKET_PRIVATE_KEY", "no key") not in out + err
    (folder,) = all_runs(data)
    assert "SHADOW run" in folder.info().notes[0]
    entries = list(OrderJournal(folder.file(JOURNAL_FILE), readonly=True).entries())
    started = next(each for each in entries if isinstance(each, RunStarted))
    assert started.mode == f"shadow-{venue}-local"
    sent = [each for each in entries if isinstance(each, CommandSent)]
    assert len([each for each in sent if isinstance(each.decision.approved.command, PlaceOrder)]) == 3
    assert any(isinstance(each, AccountUpdated) for each in entries)
    named = [each for each in entries if isinstance(each, OrderNamed)]
    assert len(named) == (3 if venue == "polymarket" else 0)
    assert not (data / "state" / "trading").exists(), "the live account's journal is not touched"
    assert main(["runs", "list"]) == 0
    assert f"shadow-{venue}-local" in capsys.readouterr().out
    assert main(["runs", "replay", folder.run]) == 2
    assert "is a shadow run" in capsys.readouterr().err


def test_orders_of_two_venues_are_made_in_one_run_and_neither_venue_receives_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (OneBuyerEach("ioc"),))
    with (
        background_loop() as loop,
        served_polymarket(loop, monkeypatch, tmp_path) as asked,
        served_kalshi(loop, monkeypatch, tmp_path),
    ):
        assert main(["keys", "check", "--venue", "polymarket"]) == 0
        asked.clear()
        assert shadow("polymarket", "--venue", "kalshi", "--duration", "4s") == 0
    assert not writes(asked)
    err = capsys.readouterr().err
    assert "SHADOW trading simple on polymarket and kalshi and sending nothing, as with the $10,000.00 of 0x" in err
    assert " and the $10,000.00 of the key's account" in err
    assert "SHADOW nothing was sent: 2 orders were signed, 0 could not be" in err
    (folder,) = all_runs(data)
    assert folder.info().mode == "shadow-kalshi-local-and-polymarket-local"
    entries = list(OrderJournal(folder.file(JOURNAL_FILE), readonly=True).entries())
    sent = [each.decision.approved.command for each in entries if isinstance(each, CommandSent)]
    assert sorted(each.key.venue for each in sent if isinstance(each, PlaceOrder)) == ["kalshi", "polymarket"]
    assert not (data / "state" / "trading").exists()


def test_several_venues_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trade", "--live", "--shadow", "--strategy", "simple"]) == 2
    assert "which venue? Name it, or each of several, with --venue" in capsys.readouterr().err


def test_without_an_api_key_one_is_made_and_nothing_else_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with background_loop() as loop, served_polymarket(loop, monkeypatch, tmp_path) as asked:
        assert shadow("polymarket", "--duration", "100ms") == 0
    assert writes(asked) == [Asked("POST", "/auth/api-key")]


def test_it_needs_the_key_goes_with_live_and_obeys_the_halt(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shadow("polymarket") == 2
    assert "no key to sign orders with" in capsys.readouterr().err
    assert main(["trade", "--shadow"]) == 2
    assert "it goes with --live" in capsys.readouterr().err
    assert shadow("polymarket", "--paper") == 2
    halt_flag(data).set(1, "somebody has to look")
    assert shadow("polymarket") == 5
    assert "trading is halted: somebody has to look" in capsys.readouterr().err
