"""A wall clock that never goes back, and detection of jumps of the machine's own.

A jump shows as a change of wall against monotonic time. Rows are stamped with wall time, so a recording
in which it ran twice could not be sorted any more.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import BookDelta, Gap, MarketEvent, Trade
from predsurv.core.level_changes import LevelChanges, PackedEvent, each_event
from predsurv.ports import Clock

STEP_MAX: Final = 1_000_000_000
"""A change of wall against monotonic time by more than this (ns) at once is a jump; less is the clock being slewed."""

SLEW: Final = 10
"""After a step back this clock runs slower by one part in this many, until the wall clock has caught up."""

TOLERANCE: Final = 50_000_000
"""For steps back below this (ns) this clock stands still instead."""

OFFSET_WINDOW: Final = 60_000_000_000
"""How long (ns) a message counts for ``ClockOffset``, at least; twice as long at most."""


STILL_MAX: Final = 5_000_000_000
"""Without a look at the clock for longer (ns) the process stood still: it was stopped, or its event loop was stuck."""


class SteadyClock:
    """Wall time that never decreases: follows jumps forward at once, and runs slower after jumps back.

    ``steps``: how often the machine's clock jumped so far.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._still = 0
        self._monotonic = clock.monotonic()
        self._wall = self._now = clock.now()
        self._jumped = 0
        self.steps = 0

    def not_before(self, floor: int) -> None:
        """Return no time before ``floor`` (ns UTC): an earlier run has accounted for the time up to there."""
        self._now = max(self._now, floor)

    def now(self) -> int:
        """Return the time in ns UTC, never less than before."""
        monotonic, wall = self._clock.monotonic(), self._clock.now()
        elapsed = monotonic - self._monotonic
        if elapsed > STILL_MAX:
            self._still = elapsed
        jump = wall - self._wall - elapsed
        if abs(jump) > STEP_MAX:
            self._jumped = jump
            self.steps += 1
        self._monotonic, self._wall = monotonic, wall
        slowed = self._now + elapsed - elapsed // SLEW
        self._now = slowed if wall < slowed - TOLERANCE else max(wall, self._now)
        return self._now

    @property
    def time(self) -> int:
        """Return the last time returned, ns UTC."""
        return self._now

    @property
    def ahead(self) -> int:
        """Return how far (ns) the last time returned was ahead of the machine's clock; 0 unless that stepped back."""
        return self._now - self._wall

    def jumped(self) -> int:
        """Return how far (ns) the machine's clock jumped last since the previous call; 0 when it did not."""
        self.now()
        jumped, self._jumped = self._jumped, 0
        return jumped

    def stood_still(self) -> int:
        """Return for how long (ns) nobody looked at the clock, if too long, since the last call; 0 otherwise."""
        still, self._still = self._still, 0
        return still

    def stamp(self, batch: Sequence[PackedEvent]) -> Sequence[PackedEvent]:
        """Return events stamped by the machine's clock with this clock's time instead.

        Those that waited in a queue while the machine's clock was set need not be in order: the recorder moves them up
        to its watermark.
        """
        now, ahead = self.now(), self.ahead
        if not ahead:
            return batch
        return [_moved(event, now, ahead) for event in each_event(batch)]


def _moved(event: MarketEvent, now: int, ahead: int) -> MarketEvent:
    if event.ts_recv <= now - ahead:
        return replace(event, ts_recv=event.ts_recv + ahead)
    # A receive time in the future is from before the step back: that of a gap is when it began, by this clock too.
    return event if isinstance(event, Gap) else replace(event, ts_recv=now)


class ClockOffset:
    """How far the machine's clock is ahead of a venue's, by the fastest of its recent messages.

    The way of that message is part of the figure: the clock is ahead by this much or less, and one that is behind by
    more than the way shows as a negative figure. Only changes of books and trades count, which are sent when they
    happen; of a venue that is polled the figure has the time between polls in it.
    """

    def __init__(self) -> None:
        self._began = 0
        self._now: int | None = None
        self._before: int | None = None

    def observe(self, batch: Sequence[PackedEvent], now: int, monotonic: int) -> None:
        """Take in the first dated message of a batch with the machine's own times; ``now``: by its clock, ns UTC.

        One that waited since before the clock was set tells nothing of the clock as it is.
        """
        for event in batch[:4]:
            if isinstance(event, BookDelta | LevelChanges | Trade) and event.ts_venue is not None:
                self._turn(monotonic)
                ahead = event.ts_recv - event.ts_venue
                if abs(now - event.ts_recv) <= STEP_MAX:
                    self._now = ahead if self._now is None else min(self._now, ahead)
                return

    def reading(self, monotonic: int) -> int | None:
        """Return the offset in ns; None while no message of the last OFFSET_WINDOW tells it."""
        self._turn(monotonic)
        return min((each for each in (self._before, self._now) if each is not None), default=None)

    def forget(self) -> None:
        """Start anew: the machine's clock was set, or went on while the process slept."""
        self._now = self._before = None

    def _turn(self, monotonic: int) -> None:
        age = monotonic - self._began
        if age >= OFFSET_WINDOW:
            self._before = self._now if age < 2 * OFFSET_WINDOW else None
            self._now, self._began = None, monotonic
