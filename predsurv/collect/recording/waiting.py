"""Instruments whose markets opened while recording and that have found no place so far.

Their time is a ``no_capacity`` gap until they are recorded or their market is over. Thousands may wait for weeks, so
they are not kept in the checkpoint: once their beginning is in the coverage index, the tracker releases them as it
does with those rotated out. What is kept here says since when, so that the gap can be written without asking the index.
"""

from collections.abc import Iterable, Iterator, Mapping

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.core.events import Unwanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage
from predsurv.state.coverage import open_gap


class WaitingInstruments:
    """The instruments that wait for a place, on top of the recorder's open intervals."""

    def __init__(self, coverage: CoverageTracker) -> None:
        self._coverage = coverage
        self._since: dict[InstrumentKey, int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._since

    def __iter__(self) -> Iterator[InstrumentKey]:
        return iter(self._since)

    def __len__(self) -> int:
        return len(self._since)

    def add(self, key: InstrumentKey, since: int) -> None:
        """Let an instrument without any earlier coverage wait from ``since`` (ns UTC) on."""
        self._since[key] = since
        self._track(key)

    def restore(self, since: Mapping[InstrumentKey, int]) -> None:
        """Take over those that an earlier run left waiting, by when they began to (ns UTC)."""
        self._since |= since

    def place(self, keys: Iterable[InstrumentKey]) -> None:
        """Stop waiting: those of ``keys`` that wait are about to be recorded, which closes their gaps."""
        for key in self._tracked(keys):
            del self._since[key]

    def postpone(self, keys: Iterable[InstrumentKey]) -> None:
        """Move those of ``keys`` that wait behind all others."""
        for key in keys:
            if key in self._since:
                self._since[key] = self._since.pop(key)

    def leave(self, keys: Iterable[InstrumentKey], watermark: int) -> list[Coverage]:
        """Stop waiting at ``watermark`` (ns UTC): those of ``keys`` that wait can never be recorded."""
        closed: list[Coverage] = []
        for key in self._tracked(keys):
            closed += self._coverage.apply(Unwanted(key, watermark, "rotated_out"))
            del self._since[key]
        return closed

    def cut(self, watermark: int) -> list[Coverage]:
        """Write all waiting until ``watermark`` (ns UTC), and go on."""
        closed: list[Coverage] = []
        for key in self._tracked(self._since):
            closed += self._coverage.split(key, watermark)
            self._since[key] = max(self._since[key], watermark)
        return closed

    def _tracked(self, keys: Iterable[InstrumentKey]) -> list[InstrumentKey]:
        """Return those of ``keys`` that wait, with an open interval each."""
        waiting = [key for key in keys if key in self._since]
        for key in self._coverage.untracked(waiting):
            self._track(key)
        return waiting

    def _track(self, key: InstrumentKey) -> None:
        self._coverage.resume([open_gap(key, self._since[key], "no_capacity")])
