"""Account for every instrument's time, and remember what a restart has to know of it.

Kept apart from the reducer in ``state`` because the notes for a restart are the recorder's own
need: nobody else outlives a crash.
"""

from collections.abc import Iterable

from predsurv.core.events import BookSnapshot, Gap, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage, CoverageReason
from predsurv.state.coverage import CoverageReducer

Note = tuple[InstrumentKey, Coverage | None]
"""What is open for an instrument from now on (an interval that ends where it starts), None when nothing is."""


class Account:
    """Coverage of one feed's instruments with a list of what changed since it was last noted down."""

    def __init__(self, covered: CoverageReason) -> None:
        self._reducer = CoverageReducer(covered)
        self._touched: dict[InstrumentKey, Coverage | None] = {}

    def apply(self, event: BookSnapshot | Gap | Wanted | Unwanted) -> list[Coverage]:
        """Fold an event; return the intervals it closed."""
        before = self._reducer.opened(event.key)
        closed = self._reducer.apply(event)
        after = self._reducer.opened(event.key)
        if after != before:
            self._touched[event.key] = after
        return closed

    def resume(self, intervals: Iterable[Coverage]) -> None:
        """Take up gaps that an earlier run left open."""
        for interval in intervals:
            self._reducer.resume(interval.key, interval.start, interval.reason)
            self._touched[interval.key] = self._reducer.opened(interval.key)

    def cut(self, mark: int, keys: Iterable[InstrumentKey]) -> list[Coverage]:
        """Write down all time up to ``mark``, except that of instruments rotated out; ``keys`` are the others."""
        closed = self._reducer.cut(mark)
        self._touched |= {key: self._reducer.opened(key) for key in keys}
        return closed

    def shut(self, key: InstrumentKey, mark: int) -> list[Coverage]:
        """Close an instrument's time because the recorder stops; the next run takes it up from here."""
        interval = self._reducer.opened(key)
        if interval is None:
            return []
        closed = self._reducer.apply(Unwanted(key, mark, "shutdown"))
        at = max(mark, interval.start)
        self._touched[key] = Coverage(key, at, at, "gap", "shutdown", 0)
        return closed

    def forget(self, keys: Iterable[InstrumentKey]) -> None:
        """Let go of instruments that nobody will want again: their account ends where it was last written down."""
        for key in keys:
            interval = self._reducer.opened(key)
            if interval is not None:
                self._reducer.apply(Unwanted(key, interval.start, "shutdown"))
                self._touched[key] = None

    def drain(self) -> list[Note]:
        """Return what changed in the open intervals since the last call."""
        notes = list(self._touched.items())
        self._touched = {}
        return notes
