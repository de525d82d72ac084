"""Level changes of one connection, received at one time, as one object, which the recorder takes for an event each.

``LevelChanges`` is the compiled implementation of ``PythonLevelChanges`` (``csrc/``) where there was a C compiler at
installation: rows of native integers, so that nothing between a frame and the log makes an object of a change.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from predsurv.core.events import BookDelta, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.native import speedups
from predsurv.core.packed_book import PackedBook
from predsurv.core.records import Record

CHANGES_MAX: Final = 1_024
"""Most changes that a reader puts into one object."""


class PythonLevelChanges:
    """What ``deltas`` say, in their order: at least one, all with the same ``ts_recv`` and ``epoch``.

    Iterating gives the deltas. Raises ValueError for anything else.
    """

    __slots__ = ("_deltas",)

    def __init__(self, deltas: Sequence[BookDelta], /) -> None:
        if len({(delta.ts_recv, delta.epoch) for delta in deltas}) != 1:
            raise ValueError("changes are of one connection and one time")
        self._deltas = tuple(deltas)

    def __len__(self) -> int:
        return len(self._deltas)

    def __iter__(self) -> Iterator[BookDelta]:
        return iter(self._deltas)

    @property
    def ts_recv(self) -> int:
        """Return when they were received, ns UTC."""
        return self._deltas[0].ts_recv

    @property
    def ts_venue(self) -> int | None:
        """Return the venue's time of the first, ns UTC, None when it gave none."""
        return self._deltas[0].ts_venue

    def count(self, counts: dict[InstrumentKey, int], /) -> None:
        """Add the number of changes of each instrument to ``counts``."""
        for delta in self._deltas:
            counts[delta.key] = counts.get(delta.key, 0) + 1


if TYPE_CHECKING:
    LevelChanges = PythonLevelChanges
else:
    LevelChanges = PythonLevelChanges if speedups is None else speedups.NativeLevelChanges


PackedEvent = MarketEvent | LevelChanges | PackedBook
"""An event of a feed that was asked for native integers: level changes put together, books with packed levels."""

PackedRecord = Record | LevelChanges | PackedBook
"""A record on its way to the log, where changes are records one by one."""

_PACKED: Final = frozenset({LevelChanges, PackedBook})


def python_count_of(items: Sequence[PackedEvent | PackedRecord], /) -> int:
    """Return how many events or records ``items`` are, each change counted."""
    runs = list(map(type, items)).count(LevelChanges)
    if not runs:
        return len(items)
    return len(items) - runs + sum(len(item) for item in items if type(item) is LevelChanges)


CountOf = Callable[[Sequence[PackedEvent | PackedRecord]], int]
count_of: CountOf = python_count_of if speedups is None else speedups.count_of


def each_event(events: Sequence[PackedEvent]) -> Sequence[MarketEvent]:
    """Return ``events`` with one for each change, and every book as a snapshot."""
    return cast("Sequence[MarketEvent]", _each(events))


def each_record(records: Sequence[PackedRecord]) -> Sequence[Record]:
    """Return ``records`` with one for each change, and every book as a snapshot."""
    return cast("Sequence[Record]", _each(records))


def _each(items: Sequence[object]) -> Sequence[object]:
    if _PACKED.isdisjoint(map(type, items)):
        return items
    return [each for item in items for each in (cast("Iterable[object]", item) if type(item) in _PACKED else (item,))]
