"""Whole runs in virtual time: baskets earn, restarts remember, replays repeat, halts hold."""

import asyncio
from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError, SafetyError, StrategyError
from predsurv.core.events import BookSnapshot, Event, Gap, Tick
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import CancelOrder, Intent, PlaceOrder
from predsurv.net.clock import ManualClock
from predsurv.state.view import View
from predsurv.strategies.own import OwnStrategy
from predsurv.trade.assembly import paper_mode
from predsurv.trade.halt_flag import POLL_INTERVAL, halt_flag
from predsurv.trade.journal import AccountUpdated, CommandSent, EngineNoted, OrderJournal, restore
from predsurv.trade.journal_path import journal_path
from predsurv.trade.pipeline import RunComponents
from predsurv.trade.replay import EventClock, ReplayFeed
from predsurv.trade.runner import TradeRunner
from predsurv.trade.session import TradingSession
from predsurv.trade.stats import basket_stats
from predsurv.trade.watchlist import Watchlist
from predsurv.venues.mock.venue import MockVenue
from tests.kit.paper_runs import STEP, Recorder, S, configured, opened, run, scanned


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def traded(folder: Path, clock: ManualClock, duration: int = 20 * S) -> tuple[TradingSession, Recorder]:
    config, recorder = configured(folder), Recorder()
    await scanned(config, clock)
    session = opened(config, clock, recorder)
    await run(session, clock, duration)
    return session, recorder


def decisions(path: Path) -> list[object]:
    """What was decided and answered, as the journal has it."""
    journal = OrderJournal(path, readonly=True)
    kept = [entry for entry in journal.entries() if isinstance(entry, CommandSent | AccountUpdated)]
    journal.close()
    return list(kept)


async def test_baskets_are_found_filled_settled_and_earn(tmp_path: Path, clock: ManualClock) -> None:
    session, _ = await traded(tmp_path, clock, 25 * S)
    account = session.engine.account
    (count,) = basket_stats(account).values()
    assert count.found >= count.filled >= count.settled >= 1
    assert count.pnl > 0
    assert account.orders.live_count() == 0
    portfolio = account.portfolio
    cost = sum(position.cost for position in portfolio.positions.totals())
    earned = sum(each.realised - each.fees for each in portfolio.pnl.values())
    assert portfolio.cash(portfolio.venues()[0]) + cost - earned == 10_000_000_000


async def test_the_journal_alone_gives_the_account_back(tmp_path: Path, clock: ManualClock) -> None:
    session, _ = await traded(tmp_path, clock)
    journal = OrderJournal(journal_path(tmp_path, "mock"), readonly=True)
    restored = restore(journal.entries()).account
    journal.close()
    account = session.engine.account
    assert restored.portfolio.positions.totals() == account.portfolio.positions.totals()
    assert restored.portfolio.pnl == account.portfolio.pnl
    assert [basket.cash for basket in restored.groups.all()] == [basket.cash for basket in account.groups.all()]
    assert restored.placed == account.placed > 0


async def test_a_second_run_goes_on_where_the_first_ended(tmp_path: Path, clock: ManualClock) -> None:
    first, _ = await traded(tmp_path, clock)
    before = first.engine.account
    second = opened(configured(tmp_path), clock, Recorder())
    assert second.engine.account.placed == before.placed
    venue = before.portfolio.venues()[0]
    assert second.engine.account.portfolio.cash(venue) == before.portfolio.cash(venue)
    await run(second, clock, 3 * S)


async def test_a_killed_run_closes_its_orders_at_the_next_start(tmp_path: Path, clock: ManualClock) -> None:
    config = configured(tmp_path)
    await scanned(config, clock)
    session = opened(config, clock, Recorder())
    task = asyncio.create_task(session.runner.run())
    for _ in range(1_000):
        await clock.advance(STEP)
        if session.engine.account.orders.live_count():
            break
    task.cancel()  # as a kill: nothing is taken back
    await asyncio.gather(task, return_exceptions=True)
    session.close()
    live = session.engine.account.orders.live()
    assert live
    again = opened(config, clock, Recorder())
    assert again.components.engine.account.orders.live() != ()
    await run(again, clock, S)
    for order in live:
        found = again.components.engine.account.orders.get(order.client_order_id)
        assert found is not None
        assert found.state == "cancelled"


async def test_a_recording_of_a_run_makes_the_same_decisions(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "again").mkdir()
    _, recorder = await traded(tmp_path / "live", clock)
    config = configured(tmp_path / "again")
    await scanned(config, ManualClock())
    session = opened(config, ManualClock(), Recorder())
    venue = MockVenue(config.mock, ManualClock()).name
    event_clock = EventClock()
    components = RunComponents(
        engine=session.engine,
        journal=session.journal,
        stats=session.stats,
        brokers=session.components.brokers,
        clock=event_clock,
        halt=None,
        realtime=False,
    )
    feeds = {venue: ReplayFeed(recorder.source, event_clock)}
    replayed = TradeRunner(components, feeds, {venue: Watchlist(frozenset(), 0, mirrored=True)}, Recorder())
    await replayed.run()
    session.close()
    live, again = (decisions(journal_path(tmp_path / name, "mock")) for name in ("live", "again"))
    # Taking orders back at the end depends on when the end is; everything before it must agree.
    assert len(live) > 50
    common = min(len(live), len(again)) - 5
    assert live[:common] == again[:common]


async def test_no_order_is_sent_on_a_book_in_a_gap(tmp_path: Path, clock: ManualClock) -> None:
    config = configured(tmp_path, **{"mock.faults": ["drop@4s", "gap@7s", "freeze@9s:2s", "malformed@12s"]})
    await scanned(config, clock)
    recorder = Recorder()
    session = opened(config, clock, recorder)
    await run(session, clock, 18 * S)
    spans: dict[object, list[tuple[int, int]]] = {}
    for event in recorder.events:
        if isinstance(event, Gap):
            spans.setdefault(event.key, []).append((event.ts_recv, 1 << 62))
        elif isinstance(event, BookSnapshot) and event.key in spans:
            start, end = spans[event.key][-1]
            spans[event.key][-1] = (start, min(end, event.ts_recv))
    assert spans
    sent = [decision.approved for _, step in recorder.steps for decision in step.decisions]
    placed = [each for each in sent if isinstance(each.command, PlaceOrder)]
    assert placed
    cache = session.engine.cache
    for each in placed:
        for start, end in spans.get(cache.primary_of(each.command.key), []):
            assert not start < each.ts < end


async def test_halting_stops_within_a_poll_and_resuming_goes_on(tmp_path: Path, clock: ManualClock) -> None:
    config, recorder = configured(tmp_path), Recorder()
    await scanned(config, clock)
    session = opened(config, clock, recorder)
    task = asyncio.create_task(session.runner.run(12 * S))
    for _ in range(3 * S // STEP):
        await clock.advance(STEP)
    halt_flag(tmp_path).set(clock.now(), "test")
    at = clock.now()
    for _ in range(4 * S // STEP):
        await clock.advance(STEP)
    assert session.engine.control.trading == "halted"
    assert session.engine.account.orders.live_count() == 0
    orders = [
        decision.approved.ts
        for _, step in recorder.steps
        for decision in step.decisions
        if isinstance(decision.approved.command, PlaceOrder)
    ]
    assert max(orders) <= at + 100_000_000
    halt_flag(tmp_path).clear()
    while not task.done():
        await clock.advance(STEP)
    await task
    session.close()
    journal = OrderJournal(journal_path(tmp_path, "mock"), readonly=True)
    kinds = {entry.note.kind for entry in journal.entries() if isinstance(entry, EngineNoted)}
    journal.close()
    assert {"halted", "resumed"} <= kinds


async def test_a_stopped_run_never_resumes(tmp_path: Path, clock: ManualClock) -> None:
    config, recorder = configured(tmp_path, **{"trading.latency": "1s"}), Recorder()  # answers outlast many polls
    await scanned(config, clock)
    session = opened(config, clock, recorder)
    engine = session.engine
    task = asyncio.create_task(session.runner.run())
    while not engine.account.orders.live_count():
        await clock.advance(STEP)
    session.runner.stop()
    at, placed = clock.now(), engine.account.placed
    while not task.done():
        await clock.advance(STEP)
    await task
    assert clock.now() - at > POLL_INTERVAL  # there was time to go wrong
    assert engine.account.orders.live_count() == 0
    assert engine.account.placed == placed
    session.close()
    journal = OrderJournal(journal_path(tmp_path, "mock"), readonly=True)
    kinds = {entry.note.kind for entry in journal.entries() if isinstance(entry, EngineNoted)}
    journal.close()
    assert "resumed" not in kinds


async def test_a_halt_survives_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    config, recorder = configured(tmp_path), Recorder()
    await scanned(config, clock)
    halt_flag(tmp_path).set(clock.now(), "test")
    await run(opened(config, clock, recorder), clock, 6 * S)
    assert not [step for _, step in recorder.steps if step.decisions]


async def test_a_difference_to_the_account_stops_everything(tmp_path: Path, clock: ManualClock) -> None:
    config = configured(tmp_path)
    await scanned(config, clock)
    session = opened(config, clock, Recorder())
    (venue,) = session.components.brokers
    session.engine.account.portfolio._cash[venue] = Money(1)
    with pytest.raises(SafetyError, match="the journal and the account differ"):
        await session.runner.run(S)
    session.close()


async def test_without_a_universe_the_error_names_the_next_step(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(ConfigError, match="predsurv scan --mock"):
        opened(configured(tmp_path), clock, Recorder())
    assert paper_mode([]) == "paper"


class Resting(OwnStrategy):
    """Rests bids far below the market, and fails at a tick after five seconds."""

    def on_event(self, event: Event, view: View) -> list[Intent]:
        if isinstance(event, Tick) and view.now - self.since(view) > 5 * S:
            raise ValueError("too late")
        if not isinstance(event, BookSnapshot) or view.open_orders(self.name):
            return []
        return [self.buy(event.key, Price(10_000), Size(100_000_000), tif="gtc", post_only=True)]

    def since(self, view: View) -> int:
        self.began: int = getattr(self, "began", view.now)
        return self.began


async def test_a_strategy_that_fails_ends_the_run_with_its_orders_cancelled(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, recorder = configured(tmp_path), Recorder()
    await scanned(config, clock)
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (Resting(),))
    session = opened(config, clock, recorder)
    with pytest.raises(StrategyError, match=r"strategy resting failed at .*: ValueError: too late"):
        await run(session, clock, 60 * S)
    session.close()
    account = session.engine.account
    assert account.placed >= 1
    assert account.orders.live_count() == 0
    cancelled = [entry for entry in decisions(journal_path(tmp_path, "mock")) if isinstance(entry, CommandSent)]
    assert isinstance(cancelled[-1].decision.approved.command, CancelOrder)
