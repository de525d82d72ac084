"""Why nothing may be placed at a venue now: several reasons at a time, each lifted by what set it."""

from collections.abc import Callable
from typing import Final, Literal

from predsurv.core.ids import VenueName
from predsurv.core.reconciliation import TradingHeld
from predsurv.ports import Clock

HoldKind = Literal["account", "channel", "heartbeat", "phase", "clock"]
"""What was not compared, does not tell, is not renewed, takes no orders, or is wrong."""

STOOD_STILL: Final = 4_000_000_000
"""A process that did nothing for this long (ns) was stopped, and so were its signs of life."""

_FOREVER: Final = 1 << 62


class LifeSign:
    """Whether this process runs: it stood still where nobody has said for a while that it does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beaten = clock.monotonic()

    def beat(self) -> None:
        """Take note that this process runs."""
        self._beaten = self._clock.monotonic()

    @property
    def reason(self) -> str:
        """Why nothing may be placed, "" where it runs."""
        if self._clock.monotonic() - self._beaten > STOOD_STILL:
            return "this process stood still; the account has to be compared first"
        return ""


class Holds:
    """The reasons of one venue; ``tell`` hears of the first of them whenever that changes, "" for none."""

    def __init__(self, venue: VenueName, clock: Clock, tell: Callable[[TradingHeld], None]) -> None:
        self._venue, self._clock, self._tell = venue, clock, tell
        self._reasons: dict[HoldKind, tuple[str, int]] = {}
        self._told = ""

    @property
    def reason(self) -> str:
        """The first reason in force, "" for none."""
        now = self._clock.monotonic()
        return next((text for text, until in self._reasons.values() if now < until), "")

    def has(self, kind: HoldKind) -> bool:
        """Return whether a reason of this kind is in force."""
        held = self._reasons.get(kind)
        return held is not None and self._clock.monotonic() < held[1]

    def add(self, kind: HoldKind, reason: str, duration: int | None = None) -> None:
        """Let nothing be placed for ``reason``, for a ``duration`` (ns) or until it is lifted."""
        self._reasons[kind] = (reason, _FOREVER if duration is None else self._clock.monotonic() + duration)
        self.refresh()

    def lift(self, kind: HoldKind) -> None:
        """Take note that a reason of this kind is gone."""
        self._reasons.pop(kind, None)
        self.refresh()

    def refresh(self) -> None:
        """Tell what holds now, where that is not what was told last."""
        reason = self.reason
        if reason != self._told:
            self._told = reason
            self._tell(TradingHeld(self._venue, self._clock.now(), reason))
