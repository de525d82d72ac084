"""A live run on the simulated Kalshi counts a fee that changed after its list was read, from the time it changed."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.events import Event, Tick
from predsurv.core.ids import MarketId, StrategyName
from predsurv.core.market import FeeSchedule
from predsurv.core.orders import Decision
from predsurv.engine.interest import EVERYTHING
from predsurv.state.view import View
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.series_terms import series_ticker
from tests.kit.patient_clocks import tolerate_wrong_clocks
from tests.kit.served_fakes import background_loop
from tests.kit.watched_venues import WatchedKalshi

DAY = 86_400


class FeeReader:
    """Orders nothing, and notes every fee that a market has."""

    signals = frozenset({"none"})
    interest = EVERYTHING

    def __init__(self, ticker: str) -> None:
        self.name = StrategyName("fee_reader")
        self.ticker, self.fees = ticker, list[FeeSchedule]()

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        market = view.market(VENUE, MarketId(self.ticker)) if isinstance(event, Tick) else None
        if market is not None and market.fee not in self.fees[-1:]:
            self.fees.append(market.fee)
        return ()


def test_a_fee_that_changed_since_the_list_was_read_is_known_with_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tolerate_wrong_clocks(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    for key, value in (("TRADING__MODE", "live"), ("METRICS__PORT", "0"), ("LIVE_CONFIRM", "kalshi")):
        monkeypatch.setenv(f"PREDSURV_{key}", value)
    with background_loop() as loop:

        async def start() -> WatchedKalshi:
            made = WatchedKalshi(tmp_path, markets=20, rate=200)
            await made.start()
            return made

        async def change(venue: WatchedKalshi, ticker: str) -> int:
            at = venue.clock.now() // 10**9 - DAY // 2
            date = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            row = {"id": "1", "series_ticker": series_ticker(ticker), "fee_type": "quadratic", "fee_multiplier": 3}
            venue.simulator.markets.fee_changes.append({**row, "scheduled_ts": date})
            return at * 10**9

        venue = loop.call(start())
        for key, value in venue.environ.items():
            monkeypatch.setenv(key, value)
        assert main(["scan", "kalshi"]) == 0
        ticker = max(venue.simulator.markets.listed.values(), key=lambda each: each.market.close_time or 0).ticker
        at = loop.call(change(venue, ticker))
        strategy = FeeReader(ticker)
        monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (strategy,))
        words = ("--strategy", "simple", "--no-twin", "--duration", "4s")
        assert main(["trade", "--live", "--venue", "kalshi", *words]) == 0
        loop.call(venue.aclose())
    before, after = strategy.fees
    assert before.rate != after.rate
    assert after == FeeSchedule("kalshi", 210_000, since=at)
