"""A wall clock that never goes back, and the news that the machine's own jumped.

Kept apart because rows are stamped with wall time while intervals run on the monotonic clock: the
two together are the only witness of a jump, and a recording in which time ran twice could not be
put in order again by anybody.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import MarketEvent
from predsurv.ports import Clock

STEP_MAX: Final = 1_000_000_000
"""A change of wall against monotonic time by more than this (ns) at once is a jump; less is the clock being steered."""

SLEW: Final = 10
"""After a step back time runs slower by one part in this many, until the wall clock has caught up."""

TOLERANCE: Final = 50_000_000
"""Steps back below this (ns) are waited out instead."""


class SteadyClock:
    """Wall time for recording: it follows jumps forward, and answers jumps back by going slower."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic()
        self._wall = self._now = clock.now()
        self._jumped = False

    def not_before(self, floor: int) -> None:
        """Go on after ``floor`` (ns UTC): an earlier run has accounted for the time up to there."""
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
        """How far (ns) the last answer was ahead of the machine's clock; 0 unless that stepped back."""
        return self._now - self._wall

    def jumped(self) -> bool:
        """Return whether the machine's clock jumped since the last call."""
        self.now()
        jumped, self._jumped = self._jumped, False
        return jumped

    def stamp(self, batch: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        """Return events that were stamped by the machine's clock with this one's time."""
        now, ahead = self.now(), self.ahead
        if not ahead:
            return batch
        return [replace(event, ts_recv=_moved(event.ts_recv, now, ahead)) for event in batch]


def _moved(ts: int, now: int, ahead: int) -> int:
    # Nobody receives in the future: such a stamp is from before the step back.
    return now if ts > now - ahead else ts + ahead
