"""What the connection for announcements may say, and whether there is one: the lifecycle channel of a feed.

Its books are those of other connections, but a book is how a connection shows that it works, and a gap that it lost
something: announcements have no numbers, so what was announced meanwhile is not known.
"""

from collections.abc import Sequence
from typing import Final

from predsurv.core.events import (
    BookSnapshot,
    ChannelChange,
    CoverageReason,
    Dropped,
    Gap,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Unknown,
)
from predsurv.core.ids import VenueName
from predsurv.core.level_changes import PackedEvent
from predsurv.core.packed_book import PackedBook

_ANNOUNCEMENTS: Final = (MarketChange, MarketResolved, Malformed, Unknown, Dropped)
_LOSSES: Final = frozenset({"disconnect", "stall", "overflow"})
"""Gaps that are about the connection; the others are about the one book that it carries."""


class AnnouncementFilter:
    """The event filter of one place and of all the connections that follow one another in it.

    Two are open while one replaces the other, so the channel is lost with the last of them.
    """

    def __init__(self, venue: VenueName) -> None:
        self._venue = venue
        self._working: set[int] = set()  # epochs

    def __call__(self, events: Sequence[PackedEvent], out: list[MarketEvent]) -> None:
        """Append what ``events`` say about markets, and the changes of the channel."""
        for event in events:
            if isinstance(event, _ANNOUNCEMENTS):
                out.append(event)
            elif isinstance(event, BookSnapshot | PackedBook):
                if not self._working:
                    out.append(self._change(event.ts_recv, "live"))
                self._working.add(event.epoch)
            elif isinstance(event, Gap) and event.epoch in self._working and event.reason in _LOSSES:
                self._working.remove(event.epoch)
                if not self._working:
                    out.append(self._change(event.ts_recv, event.reason))

    def _change(self, ts: int, reason: CoverageReason) -> ChannelChange:
        return ChannelChange(self._venue, ts, "lifecycle", reason)
