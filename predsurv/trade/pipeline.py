"""The path of one event: simulated brokers, engine, journal, brokers, in this order.

What an event leads to does not depend on when or how it arrived, so a recording gives what the live run gave.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from predsurv.core.events import (
    BrokerEvent,
    CancelRejected,
    Event,
    Fill,
    FillConfirmed,
    FillFailed,
    LevelConsumed,
    MarketEvent,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    RebatePaid,
    Tick,
    Trade,
)
from predsurv.core.ids import InstrumentKey, OrderId, VenueName
from predsurv.core.orders import Approved
from predsurv.core.reconciliation import CashCorrected, PositionCorrected
from predsurv.engine.books.consumed import ConsumptionBooked, HeededBook, SimulatedEvent
from predsurv.engine.engine import Engine
from predsurv.engine.fills.told_trades import ToldTrades
from predsurv.engine.step import EMPTY_STEP, Step
from predsurv.engine.strategy_calls import NEVER
from predsurv.ports import Broker, Clock
from predsurv.trade.halt_flag import HaltFlag
from predsurv.trade.journal import (
    AccountCorrected,
    AccountUpdated,
    CommandSent,
    EngineNoted,
    Entry,
    LiquidityTaken,
    MarketSettled,
    OrderNamed,
    RebateBooked,
)
from predsurv.trade.outbox import Outbox
from predsurv.trade.run_parts import JournalWriter, Keeper, RunService
from predsurv.trade.runs.inputs import BrokerAnswer, ControlChange, MarketBatch, RunInput, TimePassed
from predsurv.trade.stats import RunStats

TICK: Final = 200_000_000
"""Ticks fall on multiples of this (ns), so that a live run and its replay have the same ones."""
TICKS_MAX: Final = 20_000
"""Most ticks generated for one pause between events; a longer pause is skipped."""
PAUSE: Final = TICK * TICKS_MAX
"""A pause (ns) of which the ticks are skipped is longer."""

_ACCOUNT_EVENTS: Final = (
    OrderAccepted,
    OrderRejected,
    OrderCancelled,
    CancelRejected,
    OrderUnknown,
    Fill,
    FillConfirmed,
    FillFailed,
)
_JOURNALLED_NOTES: Final = frozenset({"halted", "reducing", "loss_limit", "resumed", "day"})


@runtime_checkable
class SimulatedBroker(Protocol):
    """A broker driven by the pipeline in the time of the events."""

    @property
    def under_way(self) -> int:
        """The number of answers that have not arrived yet."""
        ...

    def due(self, ts: int) -> Iterator[SimulatedEvent]:
        """Yield the answers that arrive up to ``ts`` (ns UTC)."""
        ...

    def observe(self, event: MarketEvent) -> Iterator[SimulatedEvent]:
        """Yield what a market event, already in the cache, does to our orders."""
        ...

    def close_books(self) -> Iterator[BrokerEvent]:
        """Yield what is still to come of fills, where no time follows to wait for it."""
        ...


@runtime_checkable
class SkippingBroker(SimulatedBroker, Protocol):
    """A simulated broker that need not observe everything."""

    @property
    def may_skip(self) -> bool:
        """Return whether that is so in this run."""
        ...

    @property
    def next_at(self) -> int:
        """Return the time (ns UTC) of the next thing that ``due`` has to do."""
        ...

    def heeded(self, key: InstrumentKey) -> Iterator[HeededBook]:
        """Yield which events of a book (of a primary instrument) have to be observed."""
        ...

    @property
    def touched(self) -> tuple[dict[InstrumentKey, None], ...]:
        """Return the books of which something else may be ``heeded`` than before; cleared by who has looked at them."""
        ...

    @property
    def heeded_version(self) -> int:
        """Return a number that grows whenever observing an event may have made more to be ``heeded`` than before."""
        ...

    @property
    def told_trades(self) -> ToldTrades:
        """Return what it remembers of public trades, which whoever passes one over has to add to."""
        ...


@runtime_checkable
class PreparingBroker(Protocol):
    """A broker that makes what it will send before the command is journalled."""

    def prepare(self, command: Approved) -> OrderId | None:
        """Make what ``submit`` of this command will send; return the order's id where it is known before."""
        ...


@runtime_checkable
class BatchingBroker(Protocol):
    """A broker that can send several commands in one request."""

    async def submit_together(self, commands: Sequence[Approved]) -> None:
        """Do what ``submit`` does, for commands of which none has to wait for another."""
        ...


class RunObserver(Protocol):
    """Receives what happens in a run; cannot change it."""

    def on_turn(self) -> None:
        """Receive a sign of life, ten times a second in real time: the controller is not stuck."""
        ...

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Receive the events that a feed yielded, before they are handled."""
        ...

    def on_step(self, event: Event, step: Step) -> None:
        """Receive a step that was not empty, after it was journalled and its commands sent."""
        ...


OnStep = Callable[[Event, Step], None]


class RunComponents(Struct, frozen=True, kw_only=True):
    """The parts of a trading run.

    ``realtime`` False: time is what the events say. ``halt`` None: only the engine itself can halt. ``keeper`` None:
    nothing is kept of the run but its journal. ``services`` look after accounts where orders are really executed.
    """

    engine: Engine
    journal: JournalWriter
    stats: RunStats
    brokers: Mapping[VenueName, Broker]
    clock: Clock
    halt: HaltFlag | None
    realtime: bool
    keeper: Keeper | None = None
    services: Sequence[RunService] = ()


class EventPipeline:
    """Takes events through engine, journal and brokers, one at a time: calls must not overlap.

    ``on_step`` receives every step that was not empty. ``next_tick`` is the time (ns UTC) of the next tick, 0 before
    the first event. ``loss_watched``: somebody else looks at the day's loss at each tick.
    """

    def __init__(self, components: RunComponents, on_step: OnStep) -> None:
        self.next_tick = 0
        self.loss_watched = False
        self._heard = components.engine.heard()
        self._engine, self._journal, self._stats = components.engine, components.journal, components.stats
        self._brokers, self._keeper = components.brokers, components.keeper
        self._realtime = components.realtime
        self._on_step = on_step
        self._simulated = [each for each in self._brokers.values() if isinstance(each, SimulatedBroker)]
        self._preparing = {name: each for name, each in self._brokers.items() if isinstance(each, PreparingBroker)}
        executing = (name for name, each in self._brokers.items() if not isinstance(each, SimulatedBroker))
        self._executing = frozenset(executing if components.realtime else ())
        self._outbox = Outbox(components.journal, self._submit_all, components.clock)

    async def take(self, given: RunInput) -> None:
        """Keep an input and process it: everything that is not decided here itself comes through this."""
        self._outbox.check()
        if self._keeper is not None:
            self._keeper.take(given)
        match given:
            case MarketBatch():
                await self.process_batch(given.events)
            case TimePassed():
                await self.tick_until(given.ts)
            case BrokerAnswer():
                await self.process(given.event)
                self._journal.flush()
            case ControlChange():
                await self._control(given)

    async def process_batch(self, events: Sequence[MarketEvent]) -> None:
        """Process market events and the ticks that fall between them, then flush the journal."""
        for event in events:
            await self.reach(event.ts_recv)
            await self.process_observed(event)
        self._journal.flush()

    async def reach(self, ts: int) -> None:
        """Process what comes before an event of ``ts`` (ns UTC): ticks, and what simulated brokers have due."""
        if ts >= self.next_tick:
            await self.tick_until(ts)
        await self._process_due(ts)

    def tick_due(self) -> int:
        """Return the time (ns UTC) of the next tick that anything is to be done at; 0 before the first event."""
        if not self.next_tick:
            return 0
        if not self.loss_watched and self._engine.control.loss.watched:
            return self.next_tick
        at = NEVER if self._keeper is None else self._keeper.next_at
        for each in self._heard:
            at = min(at, each.ticks_from)
        return max(self.next_tick, -(-at // TICK) * TICK)

    def pass_ticks(self, ts: int, due: int) -> None:
        """Take note of the ticks up to ``ts`` (ns UTC), before the first that is ``due``; a pause is for ``reach``."""
        if 0 < self.next_tick <= ts <= self.next_tick + PAUSE:
            until = min(ts, due - 1)
            passed = (until - self.next_tick) // TICK + 1
            self._stats.ticks += passed
            self.next_tick += passed * TICK

    async def process_observed(self, event: MarketEvent) -> None:
        """Process a market event whose time was reached, and what it does to our orders at simulated brokers."""
        await self.process(event)
        others = self._engine.own_prints.others(event) if isinstance(event, Trade) else event
        for broker in self._simulated if others is not None else ():
            await self.receive(broker.observe(others or event))

    def under_way(self) -> int:
        """Return the number of answers of simulated brokers that have not arrived yet."""
        return sum(broker.under_way for broker in self._simulated)

    async def tick_until(self, ts: int) -> None:
        """Process the ticks up to ``ts`` (ns UTC), with what simulated brokers have due by each."""
        if ts - self.next_tick > PAUSE:
            self.next_tick = ts - ts % TICK  # before the first event, or after a long pause
        while self.next_tick <= ts:
            now, self.next_tick = self.next_tick, self.next_tick + TICK
            await self._process_due(now)
            await self.process(Tick(now))
            if self._keeper is not None:
                self._keeper.on_tick(now)

    async def close_books(self) -> None:
        """Process what is still to come of fills at simulated brokers: the end of a recording is the end of time."""
        for broker in self._simulated:
            await self.receive(broker.close_books())

    async def process(self, event: Event) -> None:
        """Let the engine decide on one event, and carry its step out."""
        step = self._engine.step(event)
        self._stats.count_event(event)
        if step is not EMPTY_STEP:
            await self.carry_out(event, step)

    async def send(self, step: Step) -> None:
        """Journal the step's notes and commands, and submit the commands.

        Where they are really executed this waits for the disk, and no event waits for it. What is simulated is
        flushed alone: nothing of it leaves this process. Where time is what the events say, a whole batch is flushed.
        """
        for note in step.notes:
            if note.kind in _JOURNALLED_NOTES:
                self._append(EngineNoted(note))
        for decision in step.decisions:
            self._append(CommandSent(decision))
            self._prepare(decision.approved)
        if self._realtime and (step.decisions or step.notes or step.booked):
            self._journal.flush()
        leaving: list[Approved] = []
        for decision in step.decisions:
            approved = decision.approved
            if approved.command.key.venue in self._executing:
                leaving.append(approved)
            else:
                await self._submit(approved)
        if self._executing and (leaving or step.notes or step.booked):
            self._outbox.put(leaving)

    async def drain(self) -> None:
        """Return when every command was submitted that was decided before; raises what kept one from it."""
        await self._outbox.drain()

    async def _submit(self, approved: Approved) -> None:
        await self._brokers[approved.command.key.venue].submit(approved)

    async def _submit_all(self, commands: Sequence[Approved]) -> None:
        """Submit what may leave at the same time, what is of one venue together."""
        for venue in dict.fromkeys(each.command.key.venue for each in commands):
            broker, own = self._brokers[venue], [each for each in commands if each.command.key.venue == venue]
            if isinstance(broker, BatchingBroker):
                await broker.submit_together(own)
            else:
                for each in own:
                    await broker.submit(each)

    def _prepare(self, approved: Approved) -> None:
        """Let a broker that can say now by which id its venue will know an order say so, before anything leaves."""
        broker = self._preparing.get(approved.command.key.venue)
        order_id = None if broker is None else broker.prepare(approved)
        if order_id is not None:
            self._engine.account.name(approved.command.client_order_id, order_id)
            self._append(OrderNamed(approved.command.client_order_id, order_id))

    async def carry_out(self, event: Event, step: Step) -> None:
        """Journal what an event led to, and do it; ``step`` is not empty. Raises StrategyError where it failed."""
        if step.booked:
            if isinstance(event, MarketResolved):
                self._append(MarketSettled(event))
            elif isinstance(event, _ACCOUNT_EVENTS):
                self._append(AccountUpdated(event))
            elif isinstance(event, RebatePaid):
                self._append(RebateBooked(event))
            elif isinstance(event, CashCorrected | PositionCorrected):
                self._append(AccountCorrected(event))
        self._stats.count_step(step)
        await self.send(step)
        self._on_step(event, step)
        if step.failed is not None:
            raise step.failed

    async def _control(self, change: ControlChange) -> None:
        """Carry out what a person asked for, or the end of the run."""
        if change.kind == "shut_down":
            await self.send(self._engine.control.shut_down(change.ts))
            return
        if change.kind == "active":
            step = self._engine.control.resume(change.ts)
        else:
            stop = self._engine.control.halt if change.kind == "halted" else self._engine.control.reduce
            step = stop(change.ts, change.reason)
        await self.send(step)
        self._on_step(Tick(change.ts), step)

    def _append(self, entry: Entry) -> None:
        self._journal.append(entry)
        if self._keeper is not None:
            self._keeper.keep(entry)

    async def _process_due(self, ts: int) -> None:
        for broker in self._simulated:
            await self.receive(broker.due(ts))

    async def receive(self, answers: Iterable[SimulatedEvent]) -> None:
        """Process what a simulated broker tells, one after the other: what is told next may depend on it."""
        for answer in answers:
            if isinstance(answer, ConsumptionBooked):
                self._append(LiquidityTaken(answer.level))
            elif isinstance(answer, LevelConsumed):
                self._engine.step(answer)
            else:
                await self.process(answer)
