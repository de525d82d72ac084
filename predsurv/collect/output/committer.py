"""Bring what the sessions recorded to disk and tell them what the disk did.

Kept apart from the job, which decides when: here is what must follow what, so that records, notes
and ledger never disagree.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.output.log_writer import LogWriter
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.session import RecordingSession
from predsurv.core.errors import TransientError
from predsurv.core.records import Record
from predsurv.store.layout import parse_segment
from predsurv.store.seal.seal import SealReport
from predsurv.store.wal import quarantine
from predsurv.store.wal.log import LogFact, LogPaused, LogResumed

_LOG: Final = logging.getLogger(__name__)


class Committer:
    """The way from sessions to disk during one run."""

    def __init__(
        self, sessions: Sequence[RecordingSession], writer: LogWriter, ledger: CoverageIndex, meter: CollectMetrics
    ) -> None:
        self.writer = writer
        self._sessions = sessions
        self._ledger = ledger
        self._meter = meter
        self.on_sealed: Callable[[SealReport], None] = lambda _: None
        self._unsettled: set[int] = set()  # damaged segments; what was taken back for them is not sealed yet
        self._settling: dict[int, frozenset[int]] = {}  # those that are settled once that segment is sealed

    async def commit(self) -> None:
        """Commit what was recorded since the last time, with the notes that belong to it."""
        marks = [session.recorder.mark for session in self._sessions]
        await self._heard(self.writer.write(*self._taken()), marks)

    def rescue(self) -> None:
        """Commit at once, from any thread while the event loop stands still: the process is about to die."""
        self.writer.rescue(*self._taken())

    async def rotate(self) -> None:
        """Account for the time so far, close the open segment for sealing and go on in the next."""
        await self._hand_over()
        for session in self._sessions:
            session.records += session.recorder.cut()
        marks = [session.recorder.mark for session in self._sessions]
        await self.commit()
        names = [session.venue.name for session in self._sessions]
        closed, unsettled = self.writer.closed, frozenset(self._unsettled)
        await self._heard(self.writer.rotate(dict(zip(names, marks, strict=True))), marks)
        if unsettled and self.writer.closed > closed:
            self._settling[self.writer.closed] = unsettled

    async def finish(self) -> None:
        """Account for everything, seal everything and close; the sessions record no more."""
        for session in self._sessions:
            session.records += session.recorder.stop()
        try:
            await self._hand_over()
            await self.commit()
            await asyncio.to_thread(self.writer.finish)
        finally:
            await asyncio.to_thread(self._ledger.close)
        await self.sealed()

    async def sealed(self) -> None:
        """Take note of what was sealed; time of which records turned out to be damaged is a gap."""
        for report, since in self.writer.sealing.done():
            _, number = parse_segment(Path(report.segment))
            await self._settle(number)
            self._meter.sealed(report)
            self.on_sealed(report)
            if not report.damaged:
                continue
            _LOG.warning("%s: damaged: %s; a gap", report.segment, "; ".join(report.damaged))
            self._unsettled.add(number)
            for session in self._sessions:
                began = max(since.get(session.venue.name, 0), self.writer.opened)
                session.records += session.recorder.interrupt("crash", began)
                session.steering.refresh()
        if self._unsettled:
            self.writer.sealing.heard(max(session.recorder.mark for session in self._sessions))

    async def _settle(self, number: int) -> None:
        """Let the mark of damage say what the segments to ``number`` took back; a full disk is asked again later."""
        due = [each for each in self._settling if each <= number]
        segments = frozenset[int]().union(*(self._settling.pop(each) for each in due))
        if not segments:
            return
        try:
            await asyncio.to_thread(quarantine.mark_retracted, self.writer.layout, self.writer.collector, segments)
        except OSError as error:
            _LOG.debug("the mark of damage stays as it is: %s", error)
        else:
            self._unsettled -= segments

    def react(self, fact: LogFact, marks: Sequence[int]) -> None:
        """Let the sessions know what the log says; ``marks`` is how far each had come in what was written."""
        if isinstance(fact, LogPaused):
            _LOG.warning("nothing can be written (%s): a gap until the disk has room again", fact.reason)
            for session, mark in zip(self._sessions, marks, strict=True):
                session.pause(mark)
                self._meter.gaps(session.venue.name, "disk_full", len(session.recorder.fold.lines))
        elif isinstance(fact, LogResumed):
            _LOG.warning("the disk has room again; %d records were let go", fact.refused)
            for session in self._sessions:
                session.recorder.fold.deaf = None
                session.steering.refresh()

    async def _heard(self, writing: Coroutine[Any, Any, Sequence[LogFact]], marks: Sequence[int]) -> None:
        """Wait for the log and tell the sessions what it says; whoever is cancelled meanwhile waits, too."""
        task = asyncio.ensure_future(writing)
        try:
            await asyncio.shield(task)
        finally:
            await asyncio.wait([task])
            for fact in task.result():
                self.react(fact, marks)

    def _taken(self) -> tuple[list[Record], list[tuple[str, bytes]]]:
        taken = [session.take() for session in self._sessions]
        return [record for kept, _ in taken for record in kept], [note for _, notes in taken for note in notes]

    async def _hand_over(self) -> None:
        """Commit, and let the ledger remember who is rotated out; when it cannot, the notes go on doing so."""
        ends = [end for session in self._sessions for end in session.recorder.account.idle()]
        await self.commit()
        if not ends or self.writer.paused is not None:  # what the log does not know yet the ledger must not know
            return
        try:
            await asyncio.to_thread(self._ledger.leave, ends)
        except TransientError as error:
            _LOG.warning("%s", error)
            return
        for session in self._sessions:
            session.recorder.account.hand_over(ends)
