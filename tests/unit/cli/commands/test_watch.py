"""A data folder is watched from outside: locks, the log, the disk, the halt flag, settlements."""

import json
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands.watch import FolderWatcher
from predsurv.config import load
from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentId, MarketId, VenueName
from predsurv.core.num import Price
from predsurv.net.clock import ManualClock
from predsurv.ports import MarketQuery
from predsurv.store.layout import Layout
from predsurv.store.locks import CollectorLock
from predsurv.telemetry.alert_rules import AlertLimits
from predsurv.trade.halt_flag import halt_flag
from predsurv.venues.mock.venue import MockVenue
from tests.kit.recordings import record, write_universe

START = 1_800_014_400_000_000_000
S = 1_000_000_000
LIMITS = AlertLimits(100_000, 0)


def settled(name: str, ts: int) -> MarketResolved:
    payouts = ((InstrumentId(f"{name}-yes"), Price(1_000_000)), (InstrumentId(f"{name}-no"), Price(0)))
    return MarketResolved(VenueName("mock"), MarketId(name), ts, None, payouts)


async def test_a_settlement_is_told_once_it_is_sealed_and_never_again(tmp_path: Path) -> None:
    record(tmp_path, START - S, [settled("before", START - S)])
    clock = ManualClock(START)
    watcher = FolderWatcher(tmp_path, LIMITS, clock)
    assert watcher.look() == []
    await clock.advance(10 * S)
    record(tmp_path, START + 10 * S, [settled("m", START + 5 * S)])
    (alert,) = watcher.look()
    assert (alert.kind, alert.subject) == ("resolved", "mock:m")
    assert alert.message == "m has settled: m-yes pays 1, m-no pays 0"
    record(tmp_path, START + 10 * S, [settled("m", START + 6 * S)], collector="c1")
    assert watcher.look() == [], "another collector says the same"


async def test_a_settlement_is_told_in_the_words_of_the_market(tmp_path: Path) -> None:
    clock = ManualClock(START)
    watcher = FolderWatcher(tmp_path, LIMITS, clock)
    await clock.advance(10 * S)
    venue = MockVenue(load(None, environ={}).config.mock, ManualClock(START, jumps=True))
    markets = [market async for market in venue.catalog().markets(MarketQuery(limit=3))]
    write_universe(tmp_path, venue.name, "2027-01-15", markets)
    one = markets[1]
    pays = tuple((each.instrument_id, Price(1_000_000 * (index == 0))) for index, each in enumerate(one.outcomes))
    record(tmp_path, START + 10 * S, [MarketResolved(venue.name, one.market_id, START + 5 * S, None, pays)])
    (alert,) = watcher.look()
    first, second = (each.label for each in one.outcomes)
    paid = f"{first} pays 1, {second} pays 0"
    assert alert.message == f"{one.question} ({one.market_id}) has settled: {paid}"
    assert alert.subject == f"mock:{one.market_id}"


def test_a_collector_that_dies_and_a_halt_are_told(tmp_path: Path) -> None:
    lock = CollectorLock(Layout(tmp_path).state, "c0")
    Layout(tmp_path).state.mkdir()
    lock.acquire()
    watcher = FolderWatcher(tmp_path, LIMITS, ManualClock(START))
    assert watcher.look() == []
    lock.release()
    halt_flag(tmp_path).set(START, "too wild")
    assert [each.message for each in watcher.look()] == [
        "collector c0 does not run any more",
        "trading is halted: too wild",
    ]


def test_a_folder_that_is_not_there_yet_is_watched(tmp_path: Path) -> None:
    watcher = FolderWatcher(tmp_path / "later" / "data", AlertLimits(0, 1 << 62), ManualClock(START))
    assert [each.kind for each in watcher.look()] == ["disk_low"]


def test_alerts_are_printed_and_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    halt_flag(tmp_path / "data").set(START, "too wild")
    arguments = ["watch", "--duration", "1ms", "--disk-free", "0"]
    assert main([*arguments, "--notify", f"tee '{tmp_path / 'got'}'", "--notify", "false"]) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith(" trading_halted trading: trading is halted: too wild\n")
    assert "the command ended with exit code 1; the alert above was not delivered" in captured.err
    got = json.loads((tmp_path / "got").read_text())
    assert (got["kind"], got["message"], got["over"]) == ("trading_halted", "trading is halted: too wild", False)
    assert main([*arguments, "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["subject"] == "trading"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--gap-share", "2"], "--gap-share: expected a share from 0 to 1; got '2'"),
        (["--gap-share", "x"], "--gap-share"),
        (["--every", "0s"], "--every: expected a time"),
        (["--notify", "http://example.org"], "--notify: http:// is for this machine only"),
    ],
)
def test_slips_are_usage_errors(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["watch", *arguments]) == 2
    assert says in capsys.readouterr().err
