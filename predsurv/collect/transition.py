"""The transition from the recorded set of instruments to a new one, make before break.

Arriving instruments are subscribed first; those they replace leave once the new books are there.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.ids import InstrumentKey

BOOKS_WAIT_MAX: Final = 10_000_000_000
"""How long (ns) the books of arriving instruments are waited for before others have to leave for them."""

SPARE_PART: Final = 10
"""During a transition one part in this many may be recorded beyond the capacity."""

NOT_CHOSEN: Final = 0
"""The probability stated of what is recorded without having been chosen for the period: until others are there."""

Recorded = Mapping[InstrumentKey, RecordedInstrument]


class SubscriptionTransition(Struct):
    """The way to ``target`` (inclusion in micros by instrument), in waves of at most ``spare`` beyond ``capacity``.

    ``requested``: what arrived on the way; its books are waited for until ``wait_until`` (monotonic ns).
    """

    target: dict[InstrumentKey, int]
    capacity: int
    requested: frozenset[InstrumentKey] = frozenset()
    wait_until: int = 0

    @property
    def spare(self) -> int:
        """How many may be recorded beyond the capacity while the transition lasts."""
        return max(1, self.capacity // SPARE_PART)

    @property
    def free(self) -> int:
        """How many places the target leaves."""
        return max(0, self.capacity - len(self.target))

    def remove(self, key: InstrumentKey) -> None:
        """Take an instrument off the target: its market closed, or another needs the place."""
        self.target.pop(key, None)

    def admit(self, keys: Iterable[InstrumentKey], inclusion: int) -> list[InstrumentKey]:
        """Add ``keys`` to the target while it has free places; return those that were added."""
        admitted = [key for key in keys if key not in self.target][: self.free]
        self.target |= dict.fromkeys(admitted, inclusion)
        return admitted

    def next_set(self, recorded: Recorded, now: int) -> dict[InstrumentKey, int] | None:
        """Return the whole set to record from ``now`` (monotonic ns) on, None when nothing changes yet."""
        waiting = self._waits(recorded, now)
        arriving = [key for key in self.target if key not in recorded]
        leaving = [key for key in recorded if key not in self.target]
        limit = self.capacity + self.spare
        room = max(0, limit - len(recorded))
        wave = arriving[: room if waiting else max(self.spare, room)]
        if wave:
            leaving = leaving[: max(0, len(recorded) + len(wave) - limit)]
        elif waiting:
            leaving = []
        if not wave and not leaving and not self._differs(recorded):
            return None
        gone = frozenset(leaving)
        stays = {key: self.target.get(key, NOT_CHOSEN) for key in recorded if key not in gone}
        return stays | {key: self.target[key] for key in wave}

    def request(self, arriving: Iterable[InstrumentKey], now: int) -> None:
        """Note that ``arriving`` are being subscribed; from ``now`` (monotonic ns) on their books are waited for."""
        keys = frozenset(arriving)
        if keys:
            self.requested, self.wait_until = self.requested | keys, now + BOOKS_WAIT_MAX

    def _waits(self, recorded: Recorded, now: int) -> bool:
        return now < self.wait_until and any(
            key in recorded and not recorded[key].book.trusted for key in self.requested
        )

    def _differs(self, recorded: Recorded) -> bool:
        return any(each.inclusion != self.target.get(key, NOT_CHOSEN) for key, each in recorded.items())
