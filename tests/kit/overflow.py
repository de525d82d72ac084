"""Whether a streaming feed is dropping frames, which only tests need to know while they make it do so."""

from predsurv.venues.streaming.feed import StreamingFeed
from predsurv.venues.streaming.queue import _QueuedOverflow


def overflowing(feed: StreamingFeed) -> bool:
    """Return whether frames of some connection are being dropped because ``batches`` is not read fast enough."""
    return any(isinstance(item, _QueuedOverflow) for item in feed._context.queue._items)
