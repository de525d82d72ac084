"""A whole book of one instrument as one object, which the recorder takes for the ``BookSnapshot`` that it says.

``PackedBook`` is the compiled implementation of ``PythonPackedBook`` (``csrc/``) where there was a C compiler at
installation: its levels are native integers, so that nothing between a frame and the log makes an object of a level.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from predsurv.core.events import BookSnapshot, Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.native import speedups


class PythonPackedBook:
    """What ``snapshot`` says; iterating gives it.

    Raises ValueError for levels that are not best first, or of which one is empty.
    """

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: BookSnapshot, /) -> None:
        if not (_in_order(snapshot.bids, 1) and _in_order(snapshot.asks, -1)):
            raise ValueError("levels come best first, and none is empty")
        self._snapshot = snapshot

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[BookSnapshot]:
        return iter((self._snapshot,))

    @property
    def key(self) -> InstrumentKey:
        """Return the instrument."""
        return self._snapshot.key

    @property
    def ts_recv(self) -> int:
        """Return when it was received, ns UTC."""
        return self._snapshot.ts_recv

    @property
    def ts_venue(self) -> int | None:
        """Return the venue's time, ns UTC, None when it gave none."""
        return self._snapshot.ts_venue

    @property
    def epoch(self) -> int:
        """Return the generation of its connection."""
        return self._snapshot.epoch


def _in_order(levels: tuple[Level, ...], sign: int) -> bool:
    ranks = [sign * price for price, _ in levels]
    return ranks == sorted(set(ranks), reverse=True) and all(size for _, size in levels)


if TYPE_CHECKING:
    PackedBook = PythonPackedBook
else:
    PackedBook = PythonPackedBook if speedups is None else speedups.NativePackedBook
