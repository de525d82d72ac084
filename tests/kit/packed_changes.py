"""Events with their level changes put together and their books packed, as a feed does for who asks."""

from collections.abc import Sequence
from itertools import groupby

from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent
from predsurv.core.level_changes import LevelChanges, PackedEvent
from predsurv.core.packed_book import PackedBook


def packed(events: Sequence[MarketEvent]) -> list[PackedEvent]:
    """Return ``events``, books packed, changes that follow one another with the same time and epoch put together."""
    out: list[PackedEvent] = []
    for alike, group in groupby(events, _mark):
        listed = list(group)
        if alike is None:
            out += [PackedBook(each) if isinstance(each, BookSnapshot) else each for each in listed]
        else:
            out.append(LevelChanges([each for each in listed if isinstance(each, BookDelta)]))
    return out


def _mark(event: MarketEvent) -> tuple[int, int] | None:
    return (event.ts_recv, event.epoch) if isinstance(event, BookDelta) else None
