"""Serialised access to the event pipeline for feeds, brokers, timers and the halt flag, and the end of the run."""

import asyncio
from collections.abc import Sequence
from typing import Final

from predsurv.core.events import AccountNews, Event, MarketEvent
from predsurv.engine.step import Step
from predsurv.trade.pipeline import TICK, EventPipeline, OnStep, PreparingBroker, RunComponents
from predsurv.trade.reconciliation import reconcile
from predsurv.trade.runs.inputs import BrokerAnswer, ControlChange, MarketBatch, TimePassed

TICK_SLACK: Final = 100_000_000
"""A timer's tick is this late (ns), so that events of its time can arrive before it."""
STOP_TICKS_MAX: Final = 25
"""Most ticks to wait for open orders to be cancelled when stopping: 5 s."""


class TradeController:
    """Drives the pipeline of a run, one caller at a time; ``on_step`` receives every step that was not empty.

    ``stopping`` is set when the run is to end: market data is ignored from then on. ``pipeline``: what it drives; a
    caller that is alone may drive it itself.
    """

    def __init__(self, components: RunComponents, on_step: OnStep) -> None:
        self._components, self._on_step = components, on_step
        self.pipeline = EventPipeline(components, self._observe)
        self._lock = asyncio.Lock()
        self._duration: int | None = None
        self.stopping = asyncio.Event()

    async def start(self) -> None:
        """Reconcile with every broker and apply the halt flag; raises SafetyError when an account differs.

        Where orders are really executed the account is compared by a service of the run.
        """
        for venue, broker in self._components.brokers.items():
            if isinstance(broker, PreparingBroker):
                continue
            for event in reconcile(venue, self._components.engine.account, await broker.snapshot()):
                await self.pipeline.take(BrokerAnswer(event))
        await self.apply_halt_flag()

    def limit(self, duration: int) -> None:
        """End the run when events are more than ``duration`` ns past the first."""
        self._duration = duration

    async def on_batch(self, batch: Sequence[MarketEvent]) -> None:
        """Process a feed's batch, up to the end of the run."""
        async with self._lock:
            if not self.stopping.is_set():
                await self.pipeline.take(MarketBatch(tuple(self._within_duration(batch))))

    async def on_account_event(self, event: AccountNews) -> None:
        """Process an event of a broker."""
        async with self._lock:
            await self.pipeline.take(BrokerAnswer(event))

    async def tick(self) -> None:
        """Process the ticks up to now less the slack; none before the first event."""
        async with self._lock:
            until = self._components.clock.now() - TICK_SLACK
            if 0 < self.pipeline.next_tick <= until:
                await self.pipeline.take(TimePassed(until))

    async def apply_halt_flag(self) -> None:
        """Do what the flag says: halt the engine or let it only reduce, resume when a person cleared the flag."""
        if self._components.halt is None:
            return
        async with self._lock:  # read outside of it, a halt that is being carried out may not have set the flag yet
            flag, control, now = (
                self._components.halt.read(),
                self._components.engine.control,
                self._components.clock.now(),
            )
            if control.ordered == ("active" if flag is None else flag.trading):
                return
            change = ControlChange(now, "active" if flag is None else flag.trading, "" if flag is None else flag.reason)
            await self.pipeline.take(change)

    async def stop(self) -> None:
        """Cancel every live order; nothing new is sent from now on."""
        async with self._lock:
            self.stopping.set()
            await self.pipeline.take(ControlChange(self.pipeline.next_tick, "shut_down"))

    async def close(self) -> None:
        """Stop and wait for the cancels to be confirmed, at most ``STOP_TICKS_MAX`` ticks."""
        await self.stop()
        await self.pipeline.drain()
        for _ in range(STOP_TICKS_MAX):
            if not (self._components.engine.account.orders.live_count() or self.pipeline.under_way()):
                break
            if self._components.realtime:
                await self._components.clock.sleep(TICK)
            async with self._lock:
                await self.pipeline.take(TimePassed(self.pipeline.next_tick))
        if not self._components.realtime:
            await self.pipeline.close_books()
        self._components.journal.flush()

    def _within_duration(self, batch: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        if self._duration is None or not batch:
            return batch
        end = (self._components.stats.first or batch[0].ts_recv) + self._duration
        if batch[-1].ts_recv <= end:
            return batch
        self.stopping.set()
        return [event for event in batch if event.ts_recv <= end]

    def _observe(self, event: Event, step: Step) -> None:
        for note in step.notes:
            if note.kind == "halted" and self._components.halt is not None:
                self._components.halt.set(note.ts, note.detail)  # outlives this process
        self._on_step(event, step)
