"""Swap some recorded instruments for others without a dark place: the new book first, then the old one goes.

Kept apart from steering because it is a small machine of its own: it looks at the books and the
time, says what is to be recorded now, and knows neither a feed nor a plan.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.ids import InstrumentKey

BOOKS_PATIENCE: Final = 10_000_000_000
"""How long (ns) the books of arriving instruments are waited for before others have to leave for them."""

SPARE_PART: Final = 10
"""While instruments are swapped, one part in this many may be recorded beyond the capacity."""

Want = Mapping[InstrumentKey, int]
"""Inclusion probability in micros by instrument."""


class SubscriptionTransition(Struct):
    """The way from what is recorded to ``target``, in waves of at most ``spare`` beyond ``capacity``."""

    target: dict[InstrumentKey, int]
    capacity: int
    asked: frozenset[InstrumentKey] = frozenset()
    patience: int = 0

    @property
    def spare(self) -> int:
        """How many may be recorded beyond the capacity for as long as the swap takes."""
        return max(1, self.capacity // SPARE_PART)

    def forget(self, key: InstrumentKey) -> None:
        """Its market closed meanwhile."""
        self.target.pop(key, None)

    def admit(self, keys: Iterable[InstrumentKey], inclusion: int) -> list[InstrumentKey]:
        """Give places that became free to ``keys``, while there are any; return who got one."""
        free = max(0, self.capacity - len(self.target))
        admitted = [key for key in keys if key not in self.target][:free]
        self.target |= dict.fromkeys(admitted, inclusion)
        return admitted

    def step(self, lines: Mapping[InstrumentKey, RecordedInstrument], now: int) -> dict[InstrumentKey, int] | None:
        """Return the whole set to record from ``now`` (monotonic ns) on, None when nothing changes yet."""
        waiting = now < self.patience and any(key in lines and not lines[key].book.trusted for key in self.asked)
        coming = [key for key in self.target if key not in lines]
        leaving = [key for key in lines if key not in self.target]
        limit = self.capacity + self.spare
        room = max(0, limit - len(lines))
        wave = coming[: room if waiting else max(self.spare, room)]
        if wave:
            leaving = leaving[: max(0, len(lines) + len(wave) - limit)]
            self.asked, self.patience = self.asked | frozenset(wave), now + BOOKS_PATIENCE
        elif waiting or (not leaving and not self._differs(lines)):
            return None
        gone = frozenset(leaving)
        stays = {key: self.target.get(key, line.inclusion) for key, line in lines.items() if key not in gone}
        return stays | {key: self.target[key] for key in wave}

    def _differs(self, lines: Mapping[InstrumentKey, RecordedInstrument]) -> bool:
        return any(line.inclusion != self.target[key] for key, line in lines.items())
