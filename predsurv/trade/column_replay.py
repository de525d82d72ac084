"""A recording taken through the pipeline from columns: an object is made only of what somebody has to see.

The ordinary way, event by event, is the specification: either leads to the same journal, byte for byte.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from predsurv.core.events import BookSnapshot, Gap, MarketChange, MarketEvent, MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.core.native import speedups
from predsurv.engine.step import Step
from predsurv.store.read.recording import Recording
from predsurv.store.read.replay_cache import ReplayCache
from predsurv.store.read.rows import RowFiles
from predsurv.trade.pipeline import PAUSE, EventPipeline, RunComponents, SkippingBroker
from predsurv.trade.replay import EventClock
from predsurv.trade.row_interest import STRATEGIES_MAX, RowInterest
from predsurv.trade.seen_rows import SeenRows

_END, _BOUND, _ROW, _EVENT, _PAUSE, _LOSS, _SHOWN = range(7)
_STATEMENT_SEGMENT: Final = -2
"""Sorts statements before gaps and all other events of the same nanosecond."""
_NEVER: Final = (1 << 63) - 1


def can_replay_columns(components: RunComponents) -> bool:
    """Return whether a run can be taken through a recording without seeing all of it: compiled, and nobody objects."""
    few = len(components.engine.heard()) <= STRATEGIES_MAX
    return (
        speedups is not None
        and few
        and all(isinstance(each, SkippingBroker) and each.may_skip for each in components.brokers.values())
    )


class _Times(NamedTuple):
    """When the next tick is due, and from when on nothing may be passed over (ns UTC)."""

    tick: int
    bound: int


class ColumnReplay:
    """One run over ``recording``; ``changed`` has to be told of every step that was not empty."""

    def __init__(
        self, recording: Recording, components: RunComponents, clock: EventClock, cache: ReplayCache | None = None
    ) -> None:
        """``cache``: of decoded files. Raises ValueError when there is no compiled replay of such a run."""
        brokers = [each for each in components.brokers.values() if isinstance(each, SkippingBroker)]
        self._engine, self._stats, self._journal = components.engine, components.stats, components.journal
        self._recording, self._brokers, self._clock = recording, brokers, clock
        self._interest = RowInterest(components.engine, recording.venue, brokers)
        self._replay = self._interest.replay
        self._files = RowFiles(recording.layout, recording.queries(), self._interest.number_of, cache)
        statements = [(each.ts_recv, _STATEMENT_SEGMENT, at, each) for at, each in enumerate(recording.statements)]
        self._replay.add_cursor(statements)
        self._reasons: dict[InstrumentKey, str] = {}  # of instruments whose last book event was a gap
        self._stated = {id(each) for each in recording.statements}
        self._begun = False
        self._seen = SeenRows(components.engine, brokers)
        self._changed = True

    def changed(self, _event: object, _step: Step) -> None:
        """Look at orders, positions and consumed liquidity again before anything is passed over."""
        self._changed = True

    async def run(self, pipeline: EventPipeline, duration: int | None, stopped: Callable[[], bool]) -> None:
        """Go through the recording until ``stopped``, for ``duration`` ns of it, or to its end."""
        end = _NEVER
        while not stopped():
            self._look_again()
            loss = self._engine.control.loss
            pipeline.loss_watched = loss.watched and loss.since is None
            look = pipeline.next_tick if pipeline.loss_watched else _NEVER
            due = pipeline.tick_due()
            bound = self._bound(pipeline, due)
            code = self._replay.run(min(end, bound), look, self._seen.see)
            self._drain(pipeline, due)
            if code == _SHOWN:
                await self._seen.finish(pipeline)
                continue
            following, ts = self._files.next_at, self._replay.time
            if ts is None and following is None:
                return
            if following is not None and (ts is None or following <= ts):
                self._open(following)
            elif ts >= end:
                return
            elif code == _PAUSE:
                self._journal.flush()
                await asyncio.sleep(0)
            else:
                await self._handle(pipeline, code, ts, _Times(due, bound))
                if duration is not None:
                    end = (self._stats.first or ts) + duration + 1

    async def _handle(self, pipeline: EventPipeline, code: int, ts: int, times: _Times) -> None:
        """Let time reach what is next, and handle it the ordinary way if it has to be seen."""
        event = self._replay.take() if code == _EVENT or self._replay.foreign else None
        if event is not None and self._is_repeated(event):
            return
        # What a broker does may change what it has to observe long before we hear of it.
        self._changed = self._changed or self._answered_at() <= ts
        if code == _LOSS:
            pipeline.loss_watched = False
        due = pipeline.tick_due() if code == _LOSS else times.tick
        pipeline.pass_ticks(min(ts, times.bound - 1), due)
        await pipeline.reach(ts)
        if event is None:
            if code in (_BOUND, _LOSS) and self._begun and min(self._engine.next_at, self._answered_at()) > ts:
                return
            event = self._replay.take()
        if isinstance(event, BookSnapshot) and self._reasons:
            self._reasons.pop(event.key, None)
        self._begun = True
        await pipeline.process_observed(event)
        if isinstance(event, Gap):
            self._interest.gap_began(event.key)
        elif isinstance(event, MarketChange | MarketResolved):
            self._interest.market_changed(event.market_id)

    def _is_repeated(self, event: MarketEvent) -> bool:
        """Return whether an event is the next piece of a recorded gap of which the first was handled."""
        if not isinstance(event, Gap) or id(event) in self._stated:
            return False
        repeated = self._reasons.get(event.key) == event.reason
        self._reasons[event.key] = event.reason
        return repeated

    def _look_again(self) -> None:
        if self._changed or self._seen.changed:
            self._interest.update()
            self._changed = False
        self._seen.plan()

    def _bound(self, pipeline: EventPipeline, due: int) -> int:
        """Return the time (ns UTC) from which nothing may be passed over; ``due``: when the next tick is."""
        following = self._files.next_at
        bound = min(due, pipeline.next_tick + PAUSE, self._engine.next_at, self._answered_at())
        return bound if following is None else min(bound, following)

    def _answered_at(self) -> int:
        """Return the time (ns UTC) of the next thing that a broker has to do."""
        at = _NEVER
        for each in self._brokers:
            at = min(at, each.next_at)
        return at

    def _open(self, ts: int) -> None:
        for rows in self._files.open_until(ts):
            self._replay.add_cursor(rows)
        self._interest.settle()

    def _drain(self, pipeline: EventPipeline, due: int) -> None:
        passed, last = self._replay.drain()
        if passed:
            self._engine.pass_over(self._recording.venue, last)
            self._stats.count_passed(passed, last)
            self._clock.advance(last)
            pipeline.pass_ticks(last, due)
