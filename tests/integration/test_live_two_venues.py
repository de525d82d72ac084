"""One live run on both simulated venues: an account at each, and no order before both were compared."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from predsurv.cli.app import main
from predsurv.config import load
from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.live.live_account import LiveAccount
from predsurv.trade.replay_run import replay_run
from predsurv.trade.runs.folder import find_run
from tests.kit import feed_orders
from tests.kit.live_trader import scan
from tests.kit.patient_clocks import tolerate_wrong_clocks
from tests.kit.served_fakes import BackgroundLoop, background_loop
from tests.kit.watched_venues import VenueTruth, WatchedVenue, ordered_unread, watched

VENUES = ("polymarket", "kalshi")
STRATEGY = f"{feed_orders.__file__}:FeedOrders"
CONFIG = """
[trading]
mode = "live"
[risk]
max_orders_per_minute = 10000
max_open_orders = 1000
max_order_notional = "1000000"
max_position_notional = "1000000"
max_total_exposure = "1000000"
max_daily_loss = "1000000"
price_collar = "0.5"
max_data_age = "60s"
[metrics]
port = 0
"""


class BothVenues:
    """Both venues, served, and the folder that trades on them."""

    def __init__(self, loop: BackgroundLoop, venues: Mapping[str, WatchedVenue], folder: Path) -> None:
        self.venues, self.folder, self._loop = venues, folder, loop

    def truth(self, name: str) -> VenueTruth:
        """What a venue has of its account."""

        async def read() -> VenueTruth:
            return self.venues[name].truth()

        return self._loop.call(read())

    def trade(self, *more: str, venues: tuple[str, ...] = VENUES) -> int:
        """Trade for some seconds."""
        named = [word for name in venues for word in ("--venue", name)]
        return main(["trade", "--live", "--strategy", STRATEGY, "--duration", "4s", *named, *more])


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BothVenues]:
    tolerate_wrong_clocks(monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "surveillance.toml").write_text(CONFIG)
    with background_loop() as loop:

        async def start(name: str) -> WatchedVenue:
            made = watched(name, tmp_path, markets=40, rate=400)
            await made.start()
            return made

        venues = {name: loop.call(start(name)) for name in VENUES}
        for each in venues.values():
            for name, value in each.environ.items():
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("PREDSURV_LIVE_CONFIRM", "polymarket,kalshi")
        config = load(None, environ=os.environ, root=tmp_path).config
        for name in VENUES:
            loop.call(scan(config, name))  # no market that is paid out while a test looks at the account
        yield BothVenues(loop, venues, tmp_path)
        for each in venues.values():
            loop.call(each.aclose())


def read_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_both_accounts_are_read_traded_and_equal_to_the_venues(
    scene: BothVenues, capsys: pytest.CaptureFixture[str]
) -> None:
    first: dict[str, int] = {}
    read: dict[str, int] = {}
    for name, venue in scene.venues.items():
        passed = venue.witness.on_arrival

        def note(request: Any, name: str = name, passed: Any = passed) -> Any:
            if request.what == "place":
                first.setdefault(name, request.at)
            elif request.what == "balance":
                read.setdefault(name, request.at)
            return passed(request)

        venue.witness.on_arrival = note
    assert scene.trade("--no-twin") == 0
    said = capsys.readouterr().err
    assert "on polymarket and kalshi with REAL MONEY: " in said
    assert first.keys() == read.keys() == set(VENUES)
    assert max(read.values()) < min(first.values())
    for name, venue in scene.venues.items():
        assert not ordered_unread(venue)
        assert not scene.truth(name).open
    found = read_json(capsys, "portfolio")
    cash = {each["venue"]: each["cash"] for each in found["account"]}
    for name in VENUES:
        truth = scene.truth(name)
        assert round(float(cash[name]) * 1_000_000) == truth.cash
        held = {each["instrument_id"]: each for each in found["positions"] if each["venue"] == name}
        assert {key: round(float(each["shares"]) * 1_000_000) for key, each in held.items()} == truth.shares
        assert read_json(capsys, "orders", "--venue", name) == {"orders": []}
    # Alone, an account would not know of what both traded.
    os.environ["PREDSURV_LIVE_CONFIRM"] = "kalshi"
    assert scene.truth("kalshi").shares
    assert scene.trade(venues=("kalshi",)) == 5
    assert "is traded by live-kalshi-local-and-polymarket-local" in capsys.readouterr().err


def test_the_run_can_be_replayed_and_has_a_paper_twin(scene: BothVenues, capsys: pytest.CaptureFixture[str]) -> None:
    assert scene.trade() == 0
    assert "twin" in capsys.readouterr().err
    config = load(None, environ=os.environ, root=scene.folder).config
    run = find_run(config.data_dir, "latest")
    assert set(run.info().venues) == set(VENUES)
    report = asyncio.run(replay_run(config.data_dir, run))
    assert report.difference is None
    assert report.equal > 10


def test_where_one_account_cannot_begin_nothing_is_sent_to_the_other(
    scene: BothVenues, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started, first = LiveAccount.start, list[LiveAccount]()

    async def start(self: LiveAccount) -> None:
        await started(self)
        first.append(self)
        if self is not first[0]:
            raise SafetyError("kalshi has an order that nobody knows")

    monkeypatch.setattr(LiveAccount, "start", start)
    assert scene.trade() == 5
    assert "an order that nobody knows" in capsys.readouterr().err
    assert not any(each.witness.sent("place") for each in scene.venues.values())


def test_a_refusal_of_one_venue_halts_trading_on_both(scene: BothVenues, capsys: pytest.CaptureFixture[str]) -> None:
    venue = scene.venues["kalshi"]

    def forbid(request: Any, response: Any) -> Any:
        if request.what != "place":
            return response
        return response._replace(status=401, body=b'{"error":{"code":"token_authentication_failure","message":"no"}}')

    venue.witness.on_answer = forbid
    assert scene.trade("--no-twin") == 0
    assert "trading is halted: kalshi refuses" in capsys.readouterr().err
    config = load(None, environ=os.environ, root=scene.folder).config
    halted = halt_flag(config.data_dir).read()
    assert halted is not None
    assert halted.trading == "halted"
    after = max(each.at for each in venue.witness.sent("place")) + 2_000_000_000
    assert not [each for each in scene.venues["polymarket"].witness.sent("place") if each.at > after]
    assert not scene.truth("polymarket").open
    assert VenueName("polymarket") in scene.venues
