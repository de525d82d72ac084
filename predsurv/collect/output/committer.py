"""Commit what the sessions recorded, and apply to the sessions what happened to the log.

The order of the steps is what keeps records, checkpoint and coverage index in agreement.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.output.log_writer import LogWriter
from predsurv.collect.resume.checkpoint import CheckpointEntry
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.resume.damage import DamageTracker
from predsurv.collect.session import RecordingSession
from predsurv.core.errors import TransientError
from predsurv.core.level_changes import PackedRecord
from predsurv.store.layout import parse_segment
from predsurv.store.seal.seal import SealReport
from predsurv.store.wal.log import LogFact, LogPaused, LogResumed

_LOG: Final = logging.getLogger(__name__)


class Committer:
    """The path from the sessions to disk during one run. ``on_sealed`` is called with every sealed segment."""

    def __init__(
        self,
        sessions: Sequence[RecordingSession],
        *,
        writer: LogWriter,
        index: CoverageIndex,
        damage: DamageTracker,
        metrics: CollectMetrics,
        on_sealed: Callable[[SealReport], None],
    ) -> None:
        self.writer = writer
        self._sessions = sessions
        self._index = index
        self._damage = damage
        self._metrics = metrics
        self._on_sealed = on_sealed

    async def commit(self) -> None:
        """Commit what was recorded since the last time, with the checkpoint that belongs to it."""
        watermarks = self._watermarks()
        await self._complete(self.writer.write(*self._taken()), watermarks)

    def rescue(self) -> None:
        """Commit at once, from any thread while the event loop stands still: the process is about to die."""
        self.writer.rescue(*self._taken())

    async def rotate(self) -> None:
        """Cut coverage, close the open segment for sealing and go on in the next."""
        await self._index_idle()
        for session in self._sessions:
            session.records += session.coverage.cut(session.recorder.watermark)
        watermarks = self._watermarks()
        await self.commit()
        names = [session.venue.name for session in self._sessions]
        closed, damaged = self.writer.closed, self._damage.to_correct()
        await self._complete(self.writer.rotate(dict(zip(names, watermarks, strict=True))), watermarks)
        if self.writer.closed > closed:
            self._damage.correction_closed(self.writer.closed, damaged)

    async def finish(self) -> None:
        """Close all coverage, seal everything and close; the sessions record no more."""
        for session in self._sessions:
            try:
                session.records += await session.scheduler.admission.account(self._index, stopping=True)
            except TransientError as error:
                _LOG.warning("%s", error)
            session.records += session.recorder.stop()
            session.records += session.scheduler.admission.waiting.cut(session.recorder.watermark)
        try:
            await self._index_idle()
            await self.commit()
            for session in self._sessions:
                learning = session.scheduler.learning
                learning.take_in(session.recorder, session.scheduler.candidates.mirrors)
                await asyncio.to_thread(learning.remember, session.venue.name, self._index)
            await asyncio.to_thread(self.writer.finish)
        finally:
            await asyncio.to_thread(self._index.close)
        await self.process_sealed()

    async def process_sealed(self) -> None:
        """Report what was sealed; make time whose records turned out to be damaged a gap."""
        for report, first_times in self.writer.sealer.take_sealed():
            _, segment = parse_segment(Path(report.segment))
            await self._damage.segment_sealed(segment)
            self._metrics.count_sealed(report)
            self._on_sealed(report)
            if not report.damaged:
                continue
            _LOG.warning("%s: damaged: %s; a gap", report.segment, "; ".join(report.damaged))
            for session in self._sessions:
                session.retract_since(max(first_times.get(session.venue.name, 0), self.writer.opened))
            self._damage.retracted(segment, max(self._watermarks()))

    def react(self, fact: LogFact, watermarks: Sequence[int]) -> None:
        """Apply a fact about the log to the sessions; ``watermarks`` (ns UTC) are those of what was committed."""
        if isinstance(fact, LogPaused):
            _LOG.warning("nothing can be written (%s): a gap until the disk has room again", fact.reason)
            for session, watermark in zip(self._sessions, watermarks, strict=True):
                session.pause(watermark)
        elif isinstance(fact, LogResumed):
            _LOG.warning("the disk has room again; %d records were let go", fact.refused)
            for session in self._sessions:
                session.recorder.unmute()
                session.scheduler.request_snapshots()  # those sent meanwhile were not kept

    async def _complete(self, writing: Coroutine[Any, Any, Sequence[LogFact]], watermarks: Sequence[int]) -> None:
        """Await ``writing`` and apply its facts to the sessions, even when this is cancelled meanwhile."""
        task = asyncio.ensure_future(writing)
        try:
            await asyncio.shield(task)
        finally:
            await asyncio.wait([task])
            for fact in task.result():
                self.react(fact, watermarks)

    def _watermarks(self) -> list[int]:
        return [session.recorder.watermark for session in self._sessions]

    def _taken(self) -> tuple[list[PackedRecord], list[CheckpointEntry]]:
        taken = [session.take() for session in self._sessions]
        return [record for kept, _ in taken for record in kept], [entry for _, entries in taken for entry in entries]

    async def _index_idle(self) -> None:
        """Commit, and move idle instruments from checkpoint to index; on failure they stay in the checkpoint."""
        ends = [end for session in self._sessions for end in session.coverage.idle("rotated_out")]
        waiting = [end for session in self._sessions for end in session.coverage.idle("no_capacity")]
        await self.commit()
        if not (ends or waiting) or self.writer.paused is not None:  # the index must not be ahead of the log
            return
        try:
            await asyncio.to_thread(self._index.store, ends, waiting)
        except TransientError as error:
            _LOG.warning("%s", error)
            return
        for session in self._sessions:
            session.coverage.release(ends + waiting)
