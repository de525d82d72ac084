"""Events with their level changes put together, as a feed does for who asks."""

from collections.abc import Sequence
from itertools import groupby

from predsurv.core.events import BookDelta, MarketEvent
from predsurv.core.level_changes import LevelChanges, PackedEvent


def packed(events: Sequence[MarketEvent]) -> list[PackedEvent]:
    """Return ``events`` with all changes that follow one another with the same time and epoch put together."""
    out: list[PackedEvent] = []
    for alike, group in groupby(events, _mark):
        listed = list(group)
        out += listed if alike is None else [LevelChanges([each for each in listed if isinstance(each, BookDelta)])]
    return out


def _mark(event: MarketEvent) -> tuple[int, int] | None:
    return (event.ts_recv, event.epoch) if isinstance(event, BookDelta) else None
