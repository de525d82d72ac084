"""Account for every instrument's time, and remember what a restart has to know of it.

Kept apart from the reducer in ``state`` because the notes for a restart are the recorder's own
need: nobody else outlives a crash.
"""

from collections.abc import Iterable
from typing import Final

from predsurv.core.events import BookSnapshot, Gap, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage, CoverageReason
from predsurv.state.coverage import CoverageReducer

CLAIM_HELD: Final = 150_000_000_000
"""For how long (ns) time is not claimed as covered in writing: so late may a feed find out that it had stalled."""

Note = tuple[InstrumentKey, Coverage | None]
"""What is open for an instrument from now on (an interval that ends where it starts), None when nothing is."""


class CoverageTracker:
    """Coverage of one feed's instruments with a list of what changed since it was last noted down."""

    def __init__(self, covered: CoverageReason) -> None:
        self._reducer = CoverageReducer(covered)
        self._touched: dict[InstrumentKey, Coverage | None] = {}
        self._idle: dict[InstrumentKey, None] = {}

    def apply(self, event: BookSnapshot | Gap | Wanted | Unwanted) -> list[Coverage]:
        """Fold an event; return the intervals it closed."""
        before = self._reducer.opened(event.key)
        closed = self._reducer.apply(event)
        after = self._reducer.opened(event.key)
        if after != before:
            self._touched[event.key] = after
            if after is not None and after.reason == "rotated_out":
                self._idle[event.key] = None
        return closed

    def resume(self, intervals: Iterable[Coverage]) -> None:
        """Take up gaps that an earlier run, or an earlier turn, left open."""
        for interval in intervals:
            self._reducer.resume(interval.key, interval.start, interval.reason)
            self._touched[interval.key] = self._reducer.opened(interval.key)
            if interval.reason == "rotated_out":
                self._idle[interval.key] = None

    def split(self, key: InstrumentKey, at: int) -> list[Coverage]:
        """End the open interval at ``at`` and go on with another of the same kind."""
        closed = self._reducer.split(key, at)
        self._touched[key] = self._reducer.opened(key)
        return closed

    def cut(self, mark: int) -> list[Coverage]:
        """Write down all time that is settled at ``mark``, except that of instruments rotated out.

        The last CLAIM_HELD of covered time is not settled yet.
        """
        closed = self._reducer.cut(mark, held=CLAIM_HELD)
        # Also who is not wanted yet, such as what a crash left open before the first plan.
        self._touched |= {interval.key: self._reducer.opened(interval.key) for interval in closed}
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

    def tracks(self, key: InstrumentKey) -> bool:
        """Return whether it is known here how far the time of ``key`` is accounted for."""
        return self._reducer.opened(key) is not None

    def lay_off(self, keys: Iterable[InstrumentKey]) -> None:
        """Treat instruments of which nothing is to be written for now as rotated out since their last tile."""
        for key in keys:
            interval = self._reducer.opened(key)
            if interval is not None:
                self.apply(Unwanted(key, interval.start, "rotated_out"))

    def idle(self) -> list[tuple[InstrumentKey, int]]:
        """Return who is rotated out and since when (ns UTC): somebody else may remember that."""
        found: list[tuple[InstrumentKey, int]] = []
        for key in list(self._idle):
            interval = self._reducer.opened(key)
            if interval is None or interval.reason != "rotated_out":
                del self._idle[key]
            else:
                found.append((key, interval.start))
        return found

    def hand_over(self, ends: Iterable[tuple[InstrumentKey, int]]) -> None:
        """Forget those of ``ends`` that are still rotated out since then: they are remembered elsewhere now."""
        for key, since in ends:
            interval = self._reducer.opened(key)
            if interval is not None and (interval.reason, interval.start) == ("rotated_out", since):
                self._reducer.release(key)
                self._idle.pop(key, None)
                self._touched[key] = None

    def drain(self) -> list[Note]:
        """Return what changed in the open intervals since the last call."""
        notes = list(self._touched.items())
        self._touched = {}
        return notes
