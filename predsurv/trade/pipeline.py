"""The path of one event: brokers on paper, engine, journal, brokers, in this order.

Kept apart from the runner, which only decides when: what an event leads to does not depend on
how it came here, so a recording gives what the live run gave.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from predsurv.core.events import (
    AccountEvent,
    Event,
    Fill,
    MarketEvent,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    Tick,
)
from predsurv.core.ids import VenueName
from predsurv.engine.engine import NOTHING, Engine, Step
from predsurv.ports import Broker
from predsurv.trade.journal import AnswerReceived, CommandSent, EngineNoted, MarketSettled, OrderJournal
from predsurv.trade.stats import RunStats

TICK: Final = 200_000_000
"""Ticks fall on multiples of this (ns), so that live and replay have the same ones."""
TICKS_MAX: Final = 20_000
"""Ticks made up for a silence at most; a longer one is jumped over."""

_ANSWERS: Final = (OrderAccepted, OrderRejected, OrderCancelled, OrderUnknown, Fill)
_JOURNALLED_NOTES: Final = frozenset({"halted", "resumed", "day"})


@runtime_checkable
class SimulatedBroker(Protocol):
    """A broker that lives in the time of the events it is shown."""

    def due(self, ts: int) -> Iterator[AccountEvent]:
        """Yield answers to commands that have arrived by ``ts``."""
        ...

    def observe(self, event: MarketEvent) -> Iterator[AccountEvent]:
        """Yield what a market event does to our orders."""
        ...


class PipelineObserver(Protocol):
    """Is told what goes on; cannot change it."""

    def heard(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """A feed yielded these events."""
        ...

    def happened(self, event: Event, step: Step) -> None:
        """An event led to something, and that has been journalled and sent."""
        ...


Watcher = Callable[[Event, Step], None]


class PipelineDeps(Struct, frozen=True):
    """What an execution works with; ``watcher`` is shown what happened."""

    engine: Engine
    journal: OrderJournal
    brokers: Mapping[VenueName, Broker]
    tally: RunStats
    watcher: Watcher


class EventPipeline:
    """Everything that one event passes through. Not to be entered twice at a time."""

    def __init__(self, desk: PipelineDeps) -> None:
        self.next_tick = 0
        self._engine, self._journal, self._brokers = desk.engine, desk.journal, desk.brokers
        self._tally, self._watcher = desk.tally, desk.watcher
        self._simulated = [each for each in desk.brokers.values() if isinstance(each, SimulatedBroker)]

    async def batch(self, events: Sequence[MarketEvent]) -> None:
        """Take market events in, with the ticks that fall between them."""
        for event in events:
            if event.ts_recv >= self.next_tick:
                await self.tick_until(event.ts_recv)
            await self._answers_due(event.ts_recv)
            step = self._engine.step(event)
            self._tally.seen(event)
            if step is not NOTHING:
                await self._follow(event, step)
            for broker in self._simulated:
                for answer in broker.observe(event):
                    await self.step(answer)
        self._journal.flush()

    async def tick_until(self, ts: int) -> None:
        """Let the ticks up to ``ts`` (ns UTC) happen."""
        if ts - self.next_tick > TICK * TICKS_MAX:
            self.next_tick = ts - ts % TICK  # before the first event, or after a long silence
        while self.next_tick <= ts:
            now, self.next_tick = self.next_tick, self.next_tick + TICK
            await self._answers_due(now)
            await self.step(Tick(now))

    async def step(self, event: Event) -> None:
        """Let the engine decide on one event, and do what it says."""
        step = self._engine.step(event)
        self._tally.seen(event)
        if step is not NOTHING:
            await self._follow(event, step)

    async def perform(self, step: Step) -> None:
        """Journal what was decided, make that durable, and only then send it."""
        for note in step.notes:
            if note.kind in _JOURNALLED_NOTES:
                self._journal.append(EngineNoted(note))
        for decision in step.decisions:
            self._journal.append(CommandSent(decision))
        if step.decisions or step.notes or step.booked:
            self._journal.flush()
        for decision in step.decisions:
            venue = decision.approved.command.key.venue
            await self._brokers[venue].submit(decision.approved)

    async def _follow(self, event: Event, step: Step) -> None:
        if step.booked:
            if isinstance(event, MarketResolved):
                self._journal.append(MarketSettled(event))
            elif isinstance(event, _ANSWERS):
                self._journal.append(AnswerReceived(event))
                self._tally.answered(event, self._engine.ledger)
        self._tally.decided(step)
        await self.perform(step)
        self._watcher(event, step)

    async def _answers_due(self, ts: int) -> None:
        for broker in self._simulated:
            for answer in broker.due(ts):
                await self.step(answer)
