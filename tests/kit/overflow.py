"""Whether a streaming feed is dropping frames, which only tests need to know while they make it do so."""

from predsurv.venues.streaming.announcements import AnnouncementFilter
from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.queue import _QueuedOverflow


def overflowing(feed: StreamingFeed) -> bool:
    """Return whether frames of some connection with books are being dropped: ``batches`` is not read fast enough.

    The connection for announcements may overflow first; there is no book that would be requested anew.
    """
    items = feed._context.queue._items
    return any(
        isinstance(item, _QueuedOverflow) and not isinstance(item.session.event_filter, AnnouncementFilter)
        for item in items
    )
