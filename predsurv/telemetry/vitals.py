"""Signs of life that the event loop leaves for other threads: whoever stands still cannot say so himself."""

from typing import Final, Literal

from predsurv.ports import Clock

Phase = Literal["starting", "running", "stopping"]

BEAT_INTERVAL: Final = 250_000_000
"""How often (ns) the event loop leaves a sign of life."""

FROZEN_AFTER: Final = 4_000_000_000
"""An event loop without one for longer (ns) stands still."""


class Vitals:
    """The phase of a run, what it does meanwhile, and when its event loop last turned; read from any thread."""

    def __init__(self, clock: Clock) -> None:
        self.phase: Phase = "starting"
        self.doing = "starting"
        self._clock = clock
        self._beaten = clock.monotonic()

    def beat(self) -> None:
        """Leave a sign of life; to be called by the event loop alone."""
        self._beaten = self._clock.monotonic()

    def age(self) -> int:
        """Return the time (ns) since the last sign of life."""
        return max(0, self._clock.monotonic() - self._beaten)

    @property
    def frozen(self) -> bool:
        """Return whether the event loop stands still."""
        return self.age() > FROZEN_AFTER
