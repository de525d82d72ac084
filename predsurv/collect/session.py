"""Record one venue: pump its feed into the recorder and account for what came.

Kept apart from the job so that venues live and die on their own: one that is unreachable does not
stop the others.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from predsurv.collect.clock import SteadyClock
from predsurv.collect.coverage_totals import CoverageTotals
from predsurv.collect.latency import LatencyHistogram, lag_of
from predsurv.collect.recording.checkpoint import CheckpointWriter, OpenIntervals
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.scheduler import RotationScheduler, Scores
from predsurv.collect.status import State, VenueStatus, links_of, state_of
from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.events import MarketEvent
from predsurv.core.records import Coverage, Record
from predsurv.ports import Clock, Feed, Proving, Venue
from predsurv.store.retraction import retract

RETRY_INTERVAL: Final = 30_000_000_000
"""How long (ns) to wait before a feed that gave up is opened anew."""

ALIVE_INTERVAL: Final = 1_000_000_000
"""How often (ns) a feed that says nothing is noted to be alive: the precision of a crash gap's start."""

CLOSE_SECONDS_MAX: Final = 2.0
_LOG: Final = logging.getLogger(__name__)


class RecordingSession:
    """One venue's recording. Records gather in ``records`` until they are taken."""

    def __init__(
        self, venue: Venue, recorder: Recorder, steering: RotationScheduler, clock: Clock, steady: SteadyClock
    ) -> None:
        self.venue = venue
        self.recorder = recorder
        self.steering = steering
        self.records: list[Record] = []
        self.balance = CoverageTotals()
        self.lags = LatencyHistogram()
        self.recent_lags = LatencyHistogram()
        self.failure: str | None = None
        self.on_batch: Callable[[Sequence[MarketEvent]], None] = lambda _: None
        self._notebook = CheckpointWriter(venue.name)
        self._clock = clock
        self._steady = steady
        self._began = clock.monotonic()
        self._state: State = "idle"
        self.crashed = 0
        self._batches = 0
        self._noted = 0
        self._quiet_since = (0, 0)

    def resume(self, owed: OpenIntervals) -> None:
        """Take up what an earlier run left open."""
        self._steady.not_before(owed.mark)
        self.recorder.advance(owed.mark)  # the first note already says that time went as far
        self.crashed = sum(gap.reason == "crash" for gap in owed.gaps)
        self.recorder.account.resume(owed.gaps)
        self.records += owed.written
        self.steering.take_up(gap.key for gap in owed.gaps)

    def take(self) -> tuple[list[Record], list[tuple[str, bytes]]]:
        """Return the records since the last call and the notes that belong into the same commit."""
        records, self.records = self.records, []
        for record in records:
            if type(record) is Coverage:
                self.balance.add(record)
        notes = self._notebook.update(self.recorder.account.drain())
        now = self._clock.monotonic()
        if notes or now - self._noted >= ALIVE_INTERVAL:
            self._noted = now
            notes.append(self._notebook.alive(self.recorder.mark))
        return records, notes

    def pause(self, mark: int) -> None:
        """Know no book until the recorder hears again: the disk is full, and took nothing after ``mark`` (ns UTC).

        What was claimed of the time since, of instruments that left meanwhile, is taken back.
        """
        kept: list[Record] = []
        for record in self.records:
            kept += retract([record], mark, "disk_full") if type(record) is Coverage else [record]
        self.records = kept + self.recorder.interrupt("disk_full", mark)
        self.recorder.fold.deaf = "disk_full"

    def settle(self) -> None:
        """Let time pass while the feed is silent; call it regularly.

        When no batch came between two calls, everything received before the first of them is in:
        the feed had its turn in between.
        """
        now = self._steady.now()
        batches, since = self._quiet_since
        if batches == self._batches and since:
            self.records += self.recorder.advance(since)
        self._quiet_since = (self._batches, now)

    def step_clock(self, now: int) -> None:
        """Go on at ``now`` (ns UTC) after the wall clock jumped."""
        self._quiet_since = (self._batches, 0)
        self.records += self.recorder.step_clock(now)

    def vitals(self) -> VenueStatus:
        """Return how this venue is doing; says so in the log when its state has changed."""
        recorder, steering, now = self.recorder, self.steering, self._clock.monotonic()
        tally, made, wanted = recorder.tally, steering.plan, len(recorder.fold.lines)
        state = state_of(self._state, wanted, tally.trusted, now - self._began)
        if state not in ("idle", self._state):
            level = logging.WARNING if state in ("degraded", "blind") else logging.INFO
            _LOG.log(level, "%s: %s: %d of %d wanted books are known", self.venue.name, state, tally.trusted, wanted)
        self._state = state
        links = links_of(recorder.fold)
        next_rotation = None if made is None else max(0, steering.next_rotation - now)
        period = steering.period
        return VenueStatus(
            venue=self.venue.name,
            state=state,
            wanted=wanted,
            trusted=tally.trusted,
            events=tally.events,
            connects=tally.connects,
            links=links,
            gaps=dict(tally.gaps),
            last_data=max((link.last_data for link in links), default=0),
            next_rotation=next_rotation,
            all_seen=None if made is None or not made.unseen else made.unseen_periods() * period,
            revisit=None if made is None or not made.revisit else made.revisit * period,
            failure=self.failure,
            proofs=self.venue.proofs() if isinstance(self.venue, Proving) else {},
        )

    async def run(self, scores: Scores) -> None:
        """Record until cancelled or until the feed is over; what goes wrong with the venue is in ``failure``."""
        self.recorder.advance(self._steady.now())
        while True:
            try:
                await self._feed_once(scores)
            except TransientError as error:
                self._fail(error, "trying again")
            except PermanentError as error:
                self._fail(error, "the other venues go on")
                return
            else:
                return
            await self._clock.sleep(RETRY_INTERVAL)

    def _fail(self, error: Exception, consequence: str) -> None:
        self.failure = str(error)
        self.records += self.recorder.interrupt("disconnect")
        self.recorder.tally.up.clear()
        _LOG.warning("%s: %s; %s", self.venue.name, error, consequence)

    async def _feed_once(self, scores: Scores) -> None:
        def keep(records: list[Record]) -> None:
            self.records += records

        feed = self.venue.feed()
        steering = asyncio.create_task(self.steering.run(feed, scores, keep))
        pumping = asyncio.create_task(self._pump(feed))
        try:
            await asyncio.wait((steering, pumping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not await _end(feed, steering, pumping):
                self.failure = f"{self.venue.name}: the feed did not close in {CLOSE_SECONDS_MAX:g} s"
        for task in (steering, pumping):
            if not task.cancelled():
                task.result()

    async def _pump(self, feed: Feed) -> None:
        async for batch in feed.batches():
            self.on_batch(batch)
            self._batches += 1
            self._take_in(batch)

    def _take_in(self, batch: Sequence[MarketEvent]) -> None:
        lag = lag_of(batch)
        if lag is not None:
            self.lags.add(lag)
            self.recent_lags.add(lag)
        self.records += self.recorder.apply(self._steady.stamp(batch))
        self.records += self.steering.follow(self.recorder.lifecycle())


async def _end(feed: Feed, *tasks: asyncio.Task[None]) -> bool:
    """Stop the tasks and close the feed; return whether it closed in time."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    try:
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await feed.aclose()
    except TimeoutError:
        return False
    return True
