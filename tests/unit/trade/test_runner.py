"""A run whose listener fails ends with that failure: nothing waits for events that nobody takes in."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from predsurv.core.errors import StrategyError
from predsurv.core.events import AccountEvent, BookSnapshot, Event, MarketEvent, OrderAccepted, OrderCancelled
from predsurv.core.ids import InstrumentKey, OrderId, StrategyName, VenueName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import AccountSnapshot, Approved, CancelOrder, Intent
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.step import Step
from predsurv.net.clock import SystemClock
from predsurv.ports import NO_MIRRORS, Mirrors
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from predsurv.trade.journal import OrderJournal
from predsurv.trade.pipeline import RunComponents
from predsurv.trade.runner import TradeRunner
from predsurv.trade.stats import RunStats
from predsurv.trade.watchlist import Watchlist
from tests.kit.trading_samples import LIMITS, ME, START, V, book, intent, market


class Touchy:
    """Buys once, and fails when it hears that its order was accepted."""

    name = StrategyName(ME)
    signals = frozenset({"test"})
    interest = EVERYTHING
    bought = False

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        if isinstance(event, OrderAccepted):
            raise KeyError("not this one")
        buys = isinstance(event, BookSnapshot) and not self.bought
        self.bought |= buys
        return [intent()] if buys else []


class Answering:
    """A broker that accepts and cancels everything, and knows when all of that was taken in."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[AccountEvent] = asyncio.Queue()

    def prepare(self, command: Approved) -> OrderId | None:
        return None

    async def submit(self, command: Approved) -> None:
        made, ts = command.command, command.ts + 1
        if isinstance(made, CancelOrder):
            self.answers.put_nowait(OrderCancelled(made.key, ts, made.client_order_id, "as asked"))
        else:
            self.answers.put_nowait(OrderAccepted(made.key, ts, made.client_order_id, OrderId("1")))

    async def events(self) -> AsyncIterator[AccountEvent]:
        while True:
            event = await self.answers.get()
            yield event
            self.answers.task_done()

    async def snapshot(self) -> AccountSnapshot:
        return AccountSnapshot(START, Money(1_000 * MICROS))

    async def aclose(self) -> None:
        return None


class Looked:
    """A service that waits at its start and its end until everything that was told is taken in."""

    task: asyncio.Task[None] | None = None

    def __init__(self, broker: Answering, *, first: AccountEvent | None = None) -> None:
        self._broker, self._first = broker, first
        self.finished = False

    async def start(self) -> None:
        if self._first is not None:
            self._broker.answers.put_nowait(self._first)
        await self._broker.answers.join()

    async def finish(self) -> None:
        await self._broker.answers.join()
        self.finished = True

    async def aclose(self) -> None:
        return None


class OneBook:
    """A feed with one book."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        return None

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        yield [book()]
        await self._closed.wait()

    async def aclose(self) -> None:
        self._closed.set()


class Observing:
    """An observer with a bug, where ``broken``."""

    def __init__(self, *, broken: bool) -> None:
        self._broken = broken

    def on_turn(self) -> None:
        pass

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        return None

    def on_step(self, event: Event, step: Step) -> None:
        if self._broken:
            raise KeyError("a bug")


def opened(folder: Path, broker: Answering, service: Looked, *, broken: bool) -> tuple[TradeRunner, Engine]:
    cache = MarketCache()
    cache.add(market())
    account = TradingAccount({V: Money(1_000 * MICROS)})
    made = RunComponents(
        engine=Engine(run="run", limits=LIMITS, strategies=[Touchy()], cache=cache, account=account),
        journal=OrderJournal(folder / "journal.db", durable=False),
        stats=RunStats(),
        brokers={V: broker},
        clock=SystemClock(),
        halt=None,
        realtime=True,
        services=(service,),
    )
    watched = frozenset(market().keys())
    watchlist = Watchlist(watched, 10, mirrored=False)
    return TradeRunner(made, {V: OneBook()}, {V: watchlist}, Observing(broken=broken)), made.engine


async def test_an_error_while_a_run_begins_ends_it(tmp_path: Path) -> None:
    broker = Answering()
    bought = intent()
    unknown = OrderAccepted(bought.key, START, "nobody's", OrderId("1"))  # type: ignore[arg-type]
    runner, _ = opened(tmp_path, broker, Looked(broker, first=unknown), broken=True)
    async with asyncio.timeout(60):
        with pytest.raises(KeyError, match="a bug"):
            await runner.run()


async def test_an_error_while_it_trades_ends_it_too(tmp_path: Path) -> None:
    broker = Answering()
    service = Looked(broker)
    runner, _ = opened(tmp_path, broker, service, broken=True)
    async with asyncio.timeout(60):
        with pytest.raises(KeyError, match="a bug"):
            await runner.run()


async def test_after_a_strategy_failed_what_becomes_of_its_orders_is_booked_before_the_end(tmp_path: Path) -> None:
    broker = Answering()
    service = Looked(broker)
    runner, engine = opened(tmp_path, broker, service, broken=False)
    async with asyncio.timeout(60):
        with pytest.raises(StrategyError, match="KeyError: 'not this one'"):
            await runner.run()
    assert engine.account.placed == 1
    assert engine.account.orders.live_count() == 0
    assert service.finished
