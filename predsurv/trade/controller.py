"""Who may move the execution, and when: one at a time, by events, by timers, by the halt flag.

Kept apart from the runner so that its tasks hold no state: the turn, the flag and the end of the
run are kept here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.events import Event, MarketEvent, Tick
from predsurv.core.ids import VenueName
from predsurv.engine.engine import Engine, Step
from predsurv.ports import Broker, Clock
from predsurv.trade.journal import OrderJournal
from predsurv.trade.kill_switch import HaltFlag
from predsurv.trade.pipeline import TICK, EventPipeline, PipelineDeps, Watcher
from predsurv.trade.reconciliation import reconcile
from predsurv.trade.stats import RunStats

SLACK: Final = 100_000_000
"""A timer's tick waits this long (ns) for events of its time to arrive first."""
STOP_TICKS_MAX: Final = 25
"""Ticks to wait for open orders to be taken back when stopping: 5 s."""


class TradeDeps(Struct, frozen=True, kw_only=True):
    """What trades: the engine with its journal and brokers, the clock, and the flag that stops it.

    ``realtime`` False: time is what the events say. ``halt`` None: nothing but the engine can halt.
    """

    engine: Engine
    journal: OrderJournal
    tally: RunStats
    brokers: Mapping[VenueName, Broker]
    clock: Clock
    halt: HaltFlag | None
    realtime: bool


class TradeController:
    """Moves the execution of ``trader``; ``watcher`` is shown what happens."""

    def __init__(self, trader: TradeDeps, watcher: Watcher) -> None:
        self._trader, self._watcher = trader, watcher
        self._execution = EventPipeline(
            PipelineDeps(trader.engine, trader.journal, trader.brokers, trader.tally, self._watch)
        )
        self._turn = asyncio.Lock()
        self._until: int | None = None
        self.over = asyncio.Event()

    async def open(self) -> None:
        """Reconcile with every broker and obey the halt flag; raises SafetyError when they differ."""
        for venue, broker in self._trader.brokers.items():
            for event in reconcile(venue, self._trader.engine.ledger, await broker.snapshot()):
                await self._execution.step(event)
        await self.obey()

    def limit(self, duration: int) -> None:
        """End the run once events are ``duration`` ns past the first."""
        self._until = duration

    async def take(self, batch: Sequence[MarketEvent]) -> None:
        """Take a lane's batch in, up to the end of the run."""
        async with self._turn:
            if not self.over.is_set():
                await self._execution.batch(self._within(batch))

    async def answer(self, event: Event) -> None:
        """Take in what a broker said."""
        async with self._turn:
            await self._execution.step(event)
            self._trader.journal.flush()

    async def tick(self) -> None:
        """Let time pass up to now, less the slack; before the first event there is no time."""
        async with self._turn:
            if self._execution.next_tick:
                await self._execution.tick_until(self._trader.clock.now() - SLACK)

    async def obey(self) -> None:
        """Follow the halt flag: halt when it is up, trade again when a person took it down."""
        if self._trader.halt is None:
            return
        async with self._turn:  # outside of it, a halt decided on just now may not have raised the flag yet
            halt, engine, now = self._trader.halt.read(), self._trader.engine, self._trader.clock.now()
            if (halt is not None) == engine.desk.halted:
                return
            step = engine.resume(now) if halt is None else engine.halt(now, halt.reason)
            await self._execution.perform(step)
            self._watch(Tick(now), step)

    async def retire(self) -> None:
        """Take back every open order; nothing new is sent from now on."""
        async with self._turn:
            self.over.set()
            await self._execution.perform(self._trader.engine.retire(self._execution.next_tick))

    async def close(self) -> None:
        """Retire and wait for the answers, at most ``STOP_TICKS_MAX`` ticks."""
        await self.retire()
        for _ in range(STOP_TICKS_MAX):
            if not self._trader.engine.ledger.blotter.live_count():
                break
            if self._trader.realtime:
                await self._trader.clock.sleep(TICK)
            async with self._turn:
                await self._execution.tick_until(self._execution.next_tick)
        self._trader.journal.flush()

    def _within(self, batch: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        if self._until is None or not batch:
            return batch
        end = (self._trader.tally.first or batch[0].ts_recv) + self._until
        if batch[-1].ts_recv <= end:
            return batch
        self.over.set()
        return [event for event in batch if event.ts_recv <= end]

    def _watch(self, event: Event, step: Step) -> None:
        for note in step.notes:
            if note.kind == "halted" and self._trader.halt is not None:
                self._trader.halt.raise_(note.ts, note.detail)  # outlives this process
        self._watcher(event, step)
