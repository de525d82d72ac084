"""A run over a recording, from columns where that is compiled, else event by event; no tasks and no queues."""

import asyncio
from itertools import islice
from typing import Final

from predsurv.core.errors import StrategyError
from predsurv.core.events import Event
from predsurv.engine.step import Step
from predsurv.store.read.recording import Recording
from predsurv.store.read.replay_cache import ReplayCache
from predsurv.trade.column_replay import ColumnReplay, can_replay_columns
from predsurv.trade.controller import TradeController
from predsurv.trade.pipeline import RunComponents, RunObserver
from predsurv.trade.replay import EventClock

BATCH_EVENTS: Final = 1_000
"""Events per batch where every one is an object."""


class BacktestRunner:
    """Runs once over ``recording``; ``observer`` receives what happens. ``clock`` follows the events.

    ``every_event``: each is made an object, and the observer receives all of them in batches; otherwise it receives
    none but through the steps that they lead to. ``cache``: where decoded files are kept for the next run.
    """

    def __init__(
        self,
        components: RunComponents,
        recording: Recording,
        clock: EventClock,
        observer: RunObserver,
        *,
        every_event: bool = False,
        cache: ReplayCache | None = None,
    ) -> None:
        self._components, self._recording, self._clock, self._observer = components, recording, clock, observer
        self._controller = TradeController(components, self._on_step)
        self._replay: ColumnReplay | None = None
        if not every_event and can_replay_columns(components):
            self._replay = ColumnReplay(recording, components, clock, cache)

    def stop(self) -> None:
        """End the run in good order; safe to call at any time."""
        self._controller.stopping.set()

    async def run(self, duration: int | None = None) -> None:
        """Trade to the end of the recording, for ``duration`` ns of it, or until stopped.

        Raises IntegrityError and TransientError for files that are damaged or were removed meanwhile, and StrategyError
        when the code of a strategy failed, after its orders were cancelled.
        """
        await self._controller.start()
        try:
            if self._replay is None:
                await self._run_events(duration)
            else:
                await self._replay.run(self._controller.pipeline, duration, self._controller.stopping.is_set)
        except StrategyError:
            await self._controller.close()
            raise
        await self._controller.close()

    async def _run_events(self, duration: int | None) -> None:
        if duration is not None:
            self._controller.limit(duration)
        events = self._recording.events()
        while not self._controller.stopping.is_set() and (batch := tuple(islice(events, BATCH_EVENTS))):
            self._clock.advance(batch[0].ts_recv)
            self._observer.on_batch(self._recording.venue, batch)
            await self._controller.on_batch(batch)
            await asyncio.sleep(0)

    def _on_step(self, event: Event, step: Step) -> None:
        if self._replay is not None:
            self._replay.changed(event, step)
        self._observer.on_step(event, step)
