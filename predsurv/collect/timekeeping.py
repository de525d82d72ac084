"""Notice when the wall clock jumps.

Kept apart because rows are stamped with wall time while intervals run on the monotonic clock: the
difference of the two is the only witness of a jump.
"""

from typing import Final

from predsurv.ports import Clock

STEP_MAX: Final = 1_000_000_000
"""A change of the difference by more than this (ns) at once is a jump; less is the clock being steered."""


class StepWatch:
    """Compares wall and monotonic time each time it is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()

    def jumped(self) -> int | None:
        """Return the wall time (ns UTC) if it jumped since the last call, else None."""
        now = self._clock.now()
        offset = now - self._clock.monotonic()
        before, self._offset = self._offset, offset
        return now if abs(offset - before) > STEP_MAX else None
