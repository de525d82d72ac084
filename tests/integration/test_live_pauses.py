"""A live run through a pause of its venue: nothing is placed that would be refused, and trading goes on afterwards."""

import asyncio
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.events import BookDelta, BookSnapshot, Event, Tick, VenuePhase
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelIntent, Decision, Intent
from predsurv.engine.interest import EVERYTHING
from predsurv.state.view import View
from tests.kit.patient_clocks import tolerate_wrong_clocks
from tests.kit.served_fakes import BackgroundLoop, background_loop
from tests.kit.watched_venues import PrivateRequest, WatchedVenue, watched

S = 1_000_000_000
LASTS = 4 * S
SLACK = S
"""How long (ns) a pause may go on before the run hears of it: it asks twice a second here."""
RESTS_FOR = 3
"""Ticks for which an order rests before it is cancelled."""


class Cycle:
    """Bids a cent, cancels, and bids again, in the market that trades longest.

    ``phases``: what was told of the venue.
    """

    signals = frozenset({"rest", "cancel"})
    interest = EVERYTHING

    def __init__(self) -> None:
        self.name = StrategyName("cycle")
        self.phases: list[str] = []
        self._keys: dict[InstrumentKey, None] = {}
        self._seen: dict[ClientOrderId, int] = {}

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        if isinstance(event, BookSnapshot | BookDelta):
            self._keys[event.key] = None
        elif isinstance(event, VenuePhase):
            self.phases.append(event.phase)
        return self._turn(view) if isinstance(event, Tick) and self._keys else ()

    def _turn(self, view: View) -> Sequence[Decision]:
        orders = list(view.open_orders(self.name))
        for each in orders:
            self._seen[each.client_order_id] = self._seen.get(each.client_order_id, 0) + 1
        if orders:
            old = [each for each in orders if self._seen[each.client_order_id] % RESTS_FOR == 0]
            return [CancelIntent(self.name, each.client_order_id, "cancel") for each in old]
        key = max(self._keys, key=lambda each: self._closes(each, view))
        return [Intent(self.name, key, "buy", Price(10_000), Size(10 * MICROS), "gtc", "rest")]

    def _closes(self, key: InstrumentKey, view: View) -> int:
        market = view.market(key.venue, key.market_id)
        return 0 if market is None or market.status != "active" else market.close_time or 1


class PausedRun:
    """A run during which its venue pauses, from the third order on."""

    def __init__(self, loop: BackgroundLoop, venue: WatchedVenue, strategy: Cycle) -> None:
        self.loop, self.venue, self.strategy = loop, venue, strategy
        self.began = 0

    def trade(self, fault: str, capsys: pytest.CaptureFixture[str]) -> str:
        """Trade through the pause; return what was said."""

        def begin(request: PrivateRequest) -> None:
            if not self.began and len(self.venue.witness.sent("place")) == 3:
                self.began = request.at
                asyncio.get_running_loop().call_later(0.3, self.venue.inject, fault, LASTS)

        self.venue.witness.on_arrival = begin
        words = ("--strategy", "simple", "--no-twin", "--duration", "12s")
        assert main(["trade", "--live", "--venue", self.venue.name, *words]) == 0
        said = capsys.readouterr().err
        assert main(["orders", "--venue", self.venue.name, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"orders": []}
        assert self.began, "it never traded"
        return said

    def sent(self, what: str, after: float, before: float = 1e9) -> int:
        """How often something was asked for between two times, in seconds after the pause was called for."""
        low, high = self.began + after * S, self.began + before * S
        return sum(low <= each.at < high for each in self.venue.witness.sent(what))

    async def account(self) -> tuple[int, int]:
        """Cash and open orders at the venue."""
        truth = self.venue.truth()
        return truth.cash, len(truth.open)


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PausedRun]:
    name = request.param
    tolerate_wrong_clocks(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    monkeypatch.setattr("predsurv.venues.kalshi.exchange_status.STATUS_INTERVAL", S // 2)
    for key, value in (("TRADING__MODE", "live"), ("METRICS__PORT", "0"), ("LIVE_CONFIRM", name)):
        monkeypatch.setenv(f"PREDSURV_{key}", value)
    monkeypatch.setenv("PREDSURV_RISK__MAX_ORDERS_PER_MINUTE", "10000")
    strategy = Cycle()
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (strategy,))
    with background_loop() as loop:

        async def start() -> WatchedVenue:
            made = watched(name, tmp_path, markets=40, rate=400)
            await made.start()
            return made

        venue = loop.call(start())
        for key, value in venue.environ.items():
            monkeypatch.setenv(key, value)
        yield PausedRun(loop, venue, strategy)
        loop.call(venue.aclose())


KALSHI = pytest.mark.parametrize("run", ["kalshi"], indirect=True)
POLYMARKET = pytest.mark.parametrize("run", ["polymarket"], indirect=True)


@KALSHI
@pytest.mark.parametrize(("fault", "phase"), [("pause", "cancel_only"), ("halt", "closed")])
def test_a_pause_of_kalshi_holds_orders_until_it_trades_again(
    run: PausedRun, fault: str, phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run.trade(fault, capsys)
    assert phase in run.strategy.phases
    assert run.strategy.phases[-1] == "open"
    assert run.sent("place", 0.3 + SLACK / S, 0.3 + LASTS / S) == 0, "a refusal is no way to find out"
    assert run.sent("place", 0.3 + LASTS / S) >= 2, "it goes on afterwards"
    assert "halted" not in said
    assert run.loop.call(run.account()) == (10_000 * MICROS, 0)


@POLYMARKET
@pytest.mark.parametrize("fault", ["cancelonly", "postonly", "disabled"])
def test_a_mode_of_polymarket_holds_orders_for_a_while_and_trading_goes_on(
    run: PausedRun, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run.trade(fault, capsys)
    places, cancels = (run.sent(what, 0.3, 0.3 + LASTS / S) for what in ("place", "cancel"))
    assert places <= 2, "one is refused, and holds the next ones"
    assert places + cancels > 0
    if fault == "disabled":
        assert cancels > 0, "what rests is wanted back all the same, and asked for again"
    assert run.sent("place", 0.3 + LASTS / S) >= 2, "it goes on afterwards"
    assert "halted" not in said
    assert run.loop.call(run.account()) == (10_000 * MICROS, 0)
