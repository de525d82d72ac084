"""A wall clock that never goes back, and detection of jumps of the machine's own.

A jump shows as a change of wall against monotonic time. Rows are stamped with wall time, so a recording
in which it ran twice could not be sorted any more.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import MarketEvent
from predsurv.ports import Clock

STEP_MAX: Final = 1_000_000_000
"""A change of wall against monotonic time by more than this (ns) at once is a jump; less is the clock being slewed."""

SLEW: Final = 10
"""After a step back this clock runs slower by one part in this many, until the wall clock has caught up."""

TOLERANCE: Final = 50_000_000
"""For steps back below this (ns) this clock stands still instead."""


class SteadyClock:
    """Wall time that never decreases: follows jumps forward at once, and runs slower after jumps back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic()
        self._wall = self._now = clock.now()
        self._jumped = False

    def not_before(self, floor: int) -> None:
        """Return no time before ``floor`` (ns UTC): an earlier run has accounted for the time up to there."""
        self._now = max(self._now, floor)

    def now(self) -> int:
        """Return the time in ns UTC, never less than before."""
        monotonic, wall = self._clock.monotonic(), self._clock.now()
        elapsed = monotonic - self._monotonic
        if abs(wall - self._wall - elapsed) > STEP_MAX:
            self._jumped = True
        self._monotonic, self._wall = monotonic, wall
        slowed = self._now + elapsed - elapsed // SLEW
        self._now = slowed if wall < slowed - TOLERANCE else max(wall, self._now)
        return self._now

    @property
    def ahead(self) -> int:
        """Return how far (ns) the last time returned was ahead of the machine's clock; 0 unless that stepped back."""
        return self._now - self._wall

    def jumped(self) -> bool:
        """Return whether the machine's clock jumped since the last call."""
        self.now()
        jumped, self._jumped = self._jumped, False
        return jumped

    def stamp(self, batch: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        """Return events stamped by the machine's clock with this clock's time instead."""
        now, ahead = self.now(), self.ahead
        if not ahead:
            return batch
        return [replace(event, ts_recv=_moved(event.ts_recv, now, ahead)) for event in batch]


def _moved(ts: int, now: int, ahead: int) -> int:
    # A receive time in the future is from before the step back.
    return now if ts > now - ahead else ts + ahead
