"""Access to the pipeline is serialised, and a stop takes effect at once."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from predsurv.core.errors import TransientError
from predsurv.core.events import AccountEvent, BookSnapshot, Event, MarketEvent, Tick
from predsurv.core.ids import InstrumentKey, StrategyName, VenueName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import AccountSnapshot, Approved, CancelOrder, Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.step import Step
from predsurv.net.clock import ManualClock
from predsurv.ports import NO_MIRRORS, Mirrors
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from predsurv.trade.controller import TradeController
from predsurv.trade.halt_flag import HaltFlag
from predsurv.trade.journal import OrderJournal
from predsurv.trade.pipeline import RunComponents
from predsurv.trade.runner import TradeRunner
from predsurv.trade.stats import RunStats
from predsurv.trade.watchlist import Watchlist
from tests.kit.trading_samples import LIMITS, ME, MS, START, YES, S, V, book, fill, intent, market


class Buyer:
    """Emits an intent at every snapshot and every tick."""

    name = StrategyName(ME)
    signals = frozenset({"test"})
    interest = EVERYTHING

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        return [intent()] if isinstance(event, BookSnapshot | Tick) else []


class SlowBroker:
    """Blocks in every cancel until the test allows it, like a slow network."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.sent: list[Approved] = []

    async def submit(self, command: Approved) -> None:
        self.sent.append(command)
        if isinstance(command.command, CancelOrder):
            self.asked.set()
            await self.may_answer.wait()

    async def events(self) -> AsyncIterator[AccountEvent]:
        nothing: tuple[AccountEvent, ...] = ()
        for event in nothing:
            yield event

    async def snapshot(self) -> AccountSnapshot:
        return AccountSnapshot(START, Money(1_000 * MICROS))

    async def aclose(self) -> None:
        return None


class SlowFeed:
    """Yields one book; closing it takes a second, as over a network."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self._closed = clock, asyncio.Event()

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        return None

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        yield [book()]
        await self._closed.wait()

    async def aclose(self) -> None:
        await self._clock.sleep(S)
        self._closed.set()


class Nobody:
    """A ``RunObserver`` that does nothing."""

    def on_turn(self) -> None:
        pass

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        return None

    def on_step(self, event: Event, step: Step) -> None:
        return None


def components(folder: Path, broker: SlowBroker, clock: ManualClock) -> RunComponents:
    cache = MarketCache()
    cache.add(market())
    account = TradingAccount({V: Money(1_000 * MICROS)})
    return RunComponents(
        engine=Engine(run="run", limits=LIMITS, strategies=[Buyer()], cache=cache, account=account),
        journal=OrderJournal(folder / "journal.db", durable=False),
        stats=RunStats(),
        brokers={V: broker},
        clock=clock,
        halt=HaltFlag(folder / "halt.json"),
        realtime=True,
    )


async def test_a_halt_is_not_lifted_while_its_cancels_are_in_flight(tmp_path: Path) -> None:
    broker = SlowBroker()
    made = components(tmp_path, broker, ManualClock(START))
    controller = TradeController(made, lambda event, step: None)
    await controller.start()
    await controller.on_batch([book()])
    assert made.engine.account.orders.live_count() == 1
    halt = asyncio.create_task(controller.on_account_event(fill("who")))
    await broker.asked.wait()  # halted, and the flag is raised only once the cancel has been sent
    poll = asyncio.create_task(controller.apply_halt_flag())
    await asyncio.sleep(0)
    broker.may_answer.set()
    await asyncio.gather(halt, poll)
    assert made.engine.control.trading == "halted"
    made.journal.close()


async def test_a_run_ends_with_the_last_event_within_its_duration(tmp_path: Path) -> None:
    made = components(tmp_path, SlowBroker(), ManualClock(START))
    controller = TradeController(made, lambda event, step: None)
    controller.limit(2 * S)
    await controller.on_batch([book(ts=START)])
    assert not controller.stopping.is_set()
    await controller.on_batch([book(ts=START + 2 * S), book(ts=START + 2 * S + 1)])
    assert controller.stopping.is_set()
    await controller.on_batch([book(ts=START + S)])
    assert (made.stats.events, made.stats.last) == (2, START + 2 * S)
    made.journal.close()


async def test_a_stop_does_not_wait_for_feeds_to_close(tmp_path: Path) -> None:
    broker, clock = SlowBroker(), ManualClock(START)
    broker.may_answer.set()
    made = components(tmp_path, broker, clock)
    runner = TradeRunner(made, {V: SlowFeed(clock)}, {V: Watchlist({YES}, 1, mirrored=True)}, Nobody())
    running = asyncio.create_task(runner.run())
    for _ in range(10):
        await clock.advance(100 * MS)
    runner.stop()
    placed = made.engine.account.placed
    assert placed > 1
    while not running.done():
        await clock.advance(100 * MS)
    await running
    assert made.engine.account.placed == placed
    made.journal.close()


async def test_nothing_is_sent_of_which_the_disk_has_not_said_that_it_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = SlowBroker()
    broker.may_answer.set()
    made = components(tmp_path, broker, ManualClock(START))
    controller = TradeController(made, lambda event, step: None)
    await controller.start()

    def refuse(_: OrderJournal) -> None:
        raise TransientError("full")

    with monkeypatch.context() as patch:
        patch.setattr(OrderJournal, "sync", refuse)
        await controller.on_batch([book()])
        with pytest.raises(TransientError, match="full"):
            await controller.pipeline.drain()
    with pytest.raises(TransientError, match="full"):
        await controller.on_batch([book()])
    assert (made.engine.account.placed, broker.sent) == (1, [])
    made.journal.close()
