"""Coverage of one feed's instruments, and which open intervals changed since the last checkpoint.

On top of the reducer in ``state`` this knows what a restart needs: a checkpoint of every open interval.
"""

from collections.abc import Iterable

from predsurv.core.events import BookSnapshot, ChannelChange, CoverageReason, Gap, GapReason, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.packed_book import PackedBook
from predsurv.core.records import Coverage
from predsurv.state.coverage import COVERED_DELAY, IDLE, CoverageReducer, open_gap

OpenIntervalChange = tuple[InstrumentKey, Coverage | None]
"""The open interval that an instrument has from now on (it ends where it starts), None when it has none."""

CoverageEnd = tuple[InstrumentKey, int]
"""An instrument and where its coverage ended, ns UTC."""


class CoverageTracker:
    """A coverage reducer with a list of the open intervals that changed since ``take_changes``.

    ``channels``: how the other channels were observed in the time that is still open. ``open_interval``: that of an
    instrument, ending where it starts; None when it is not tracked.
    """

    def __init__(self, covered: CoverageReason) -> None:
        self._reducer = CoverageReducer(covered)
        self._changed: dict[InstrumentKey, Coverage | None] = {}
        self.channels = self._reducer.channels
        self.open_interval = self._reducer.open_interval

    def want(self, event: Wanted, resume_from: int | None) -> list[Coverage]:
        """Start or go on recording an instrument; return the intervals this closed.

        ``resume_from``: where the coverage of an instrument that is not tracked ended (ns UTC), None when it
        was never recorded; ignored for one that is tracked.
        """
        closed = self._reducer.want(event, resume_from)
        self._changed[event.key] = self._reducer.open_interval(event.key)
        return closed

    def apply(self, event: BookSnapshot | PackedBook | Gap | Unwanted | ChannelChange) -> list[Coverage]:
        """Fold an event; return the intervals it closed."""
        if isinstance(event, ChannelChange):
            return self._reducer.apply(event)
        before = self._reducer.open_interval(event.key)
        closed = self._reducer.apply(event)
        after = self._reducer.open_interval(event.key)
        if after != before:
            self._changed[event.key] = after
        return closed

    def resume(self, gaps: Iterable[Coverage]) -> None:
        """Track the open ``gaps`` that an earlier run left; raises ValueError for an instrument tracked already."""
        for interval in gaps:
            self._reducer.resume(interval.key, interval.start, interval.reason)
            self._changed[interval.key] = self._reducer.open_interval(interval.key)

    def split(self, key: InstrumentKey, at: int) -> list[Coverage]:
        """Close the open interval at ``at`` and open another of the same kind there."""
        closed = self._reducer.split(key, at)
        self._changed[key] = self._reducer.open_interval(key)
        return closed

    def cut(self, watermark: int) -> list[Coverage]:
        """Close all time that is final at ``watermark``, except that of ``IDLE`` instruments.

        The last COVERED_DELAY of covered time is not final yet.
        """
        closed = self._reducer.cut(watermark, held=COVERED_DELAY)
        # Also of instruments that are not wanted yet, such as those a crash left open before the first plan.
        self._changed |= {interval.key: self._reducer.open_interval(interval.key) for interval in closed}
        return closed

    def close(self, key: InstrumentKey, watermark: int) -> list[Coverage]:
        """Close an instrument's coverage because the recorder stops; the next run resumes it from there."""
        interval = self._reducer.open_interval(key)
        if interval is None:
            return []
        closed = self._reducer.apply(Unwanted(key, watermark, "shutdown"))
        self._changed[key] = open_gap(key, max(watermark, interval.start), "shutdown")
        return closed

    def untracked(self, keys: Iterable[InstrumentKey]) -> list[InstrumentKey]:
        """Return those of ``keys`` without an open interval: the end of their coverage, if any, is stored elsewhere."""
        return [key for key in keys if self._reducer.open_interval(key) is None]

    def set_rotated_out(self, keys: Iterable[InstrumentKey]) -> None:
        """Count the open interval of each of ``keys`` as ``rotated_out`` from its start: nothing is written of it."""
        for key in keys:
            interval = self._reducer.open_interval(key)
            if interval is not None:
                self.apply(Unwanted(key, interval.start, "rotated_out"))

    def idle(self, reason: GapReason) -> list[CoverageEnd]:
        """Return the instruments that are ``IDLE`` for ``reason``, and since when (ns UTC)."""
        intervals = self._reducer.open_intervals()
        return [(each.key, each.start) for each in intervals if each.reason == reason]

    def release(self, ends: Iterable[CoverageEnd]) -> None:
        """Stop tracking those of ``ends`` that are still ``IDLE`` since then: they are stored elsewhere now.

        ``want`` asks for the stored end when one of them is recorded again.
        """
        for key, since in ends:
            interval = self._reducer.open_interval(key)
            if interval is not None and interval.reason in IDLE and interval.start == since:
                self._reducer.release(key)
                self._changed[key] = None

    def take_changes(self) -> list[OpenIntervalChange]:
        """Return what changed in the open intervals since the last call."""
        changes = list(self._changed.items())
        self._changed = {}
        return changes
