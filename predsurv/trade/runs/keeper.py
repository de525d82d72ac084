"""What a run leaves in its folder while it goes on and when it ends: journal, inputs, results, how it ended."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

from msgspec.structs import replace

from predsurv.trade.journal import Entry, OrderJournal
from predsurv.trade.results.measures import RunMeasures
from predsurv.trade.results.result import RunResult
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.frames import FrameWriter
from predsurv.trade.runs.info import EVENTS_FILE, INFO_FILE, MARKETS_FILE, RESULTS_FILE, DataFingerprint, RunInfo
from predsurv.trade.runs.inputs import KnownBefore, RunInput
from predsurv.trade.stats import RunStats

_LOG: Final = logging.getLogger(__name__)


class RunInputs:
    """What a paper run's decisions depend on, written while it goes on; see ``trade.runs.inputs``."""

    def __init__(self, folder: RunFolder, known: Iterable[KnownBefore]) -> None:
        markets = FrameWriter(folder.file(MARKETS_FILE))
        for each in known:
            markets.append(each)
        markets.close()
        self._lost_markets = markets.lost
        self._events = FrameWriter(folder.file(EVENTS_FILE))

    @property
    def lost(self) -> str:
        """Why the run cannot be replayed whole, "" when it can."""
        return self._lost_markets or self._events.lost

    def append(self, given: RunInput) -> None:
        """Add an input, before it is processed."""
        self._events.append(given)

    def end_chunk(self) -> None:
        """Let what was added so far be written."""
        self._events.end_chunk()

    def close(self) -> str:
        """Write the rest and return the digest of all inputs, in hex."""
        return self._events.close()


class RunKeeper:
    """Keeps one run in ``folder``. ``journal``: a copy of the run's entries, None where the run's journal is there."""

    def __init__(
        self,
        folder: RunFolder,
        info: RunInfo,
        measures: RunMeasures,
        journal: OrderJournal | None = None,
        inputs: RunInputs | None = None,
    ) -> None:
        self.folder, self.info, self.measures = folder, info, measures
        self._journal, self._inputs = journal, inputs
        folder.hold()
        folder.write(INFO_FILE, info)

    def keep(self, entry: Entry) -> None:
        """Keep a journal entry."""
        self.measures.on_entry(entry)
        if self._journal is not None:
            self._journal.append(entry)

    @property
    def next_at(self) -> int:
        """The time (ns UTC) from which ``on_tick`` takes a sample."""
        return self.measures.next_at

    def on_tick(self, ts: int) -> None:
        """Take a sample when one is due at ``ts`` (ns UTC)."""
        self.measures.on_tick(ts)

    def take(self, given: RunInput) -> None:
        """Keep an input, before it is processed."""
        if self._inputs is not None:
            self._inputs.append(given)

    async def checkpoint(self, stats: RunStats) -> None:
        """Put on disk what there is so far; a disk that refuses is told of in the log and tried again next time."""
        result = self._result(stats)
        try:
            await asyncio.to_thread(self.folder.write, RESULTS_FILE, result)
        except OSError as error:
            _LOG.warning("%s: what the run did so far could not be written: %s", self.folder.path, error.strerror)

    def _result(self, stats: RunStats) -> RunResult:
        """Hand over what is buffered, and return the result so far."""
        if self._journal is not None:
            self._journal.flush()
        if self._inputs is not None:
            self._inputs.end_chunk()
        return self.measures.result(self.info.requested, self.info.loaded or stats.last - stats.first)

    def finish(self, stats: RunStats, ended: int, *, complete: bool, exit_code: int) -> RunResult:
        """Write results and how the run ended at ``ended`` (ns UTC), and close everything; raises OSError."""
        self.measures.sample(stats.last)
        result = self._result(stats)
        info = replace(self.info, ended=ended, complete=complete, exit_code=exit_code, loaded=result.loaded)
        if self._inputs is not None:
            digest, lost = self._inputs.close(), self._inputs.lost
            info = replace(info, not_recorded=lost, data=None if lost else DataFingerprint(digest, 1))
        self.folder.write(RESULTS_FILE, result)
        self.folder.write(INFO_FILE, info)
        self.info = info
        self.close()
        return result

    def fail(self, ended: int, exit_code: int) -> None:
        """Say that the run failed at ``ended`` (ns UTC), where ``finish`` could not, if the disk lets us."""
        lost = "its end could not be written"
        info = replace(self.info, ended=ended, complete=False, exit_code=exit_code, not_recorded=lost)
        try:
            self.folder.write(INFO_FILE, info)
        except OSError as error:
            _LOG.warning("%s: how the run ended could not be written: %s", self.folder.path, error.strerror)
            self.folder.end_without_results()

    def close(self) -> None:
        """Close every file; safe to call twice."""
        with ExitStack() as stack:  # each, whatever the disk refuses of another
            stack.callback(self.folder.release)
            if self._inputs is not None:
                stack.callback(self._inputs.close)
            if self._journal is not None:
                stack.callback(self._journal.close)
