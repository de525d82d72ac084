"""What the connection for announcements may say; the rest of a feed is tested over sockets and by the contract laws."""

from predsurv.core.events import Dropped, MarketEvent
from predsurv.venues.streaming.feed import announcements_only
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.session import ConnectionSession, DroppedFrames
from tests.kit.toy_stream import VENUE, A, ToyCodec


def test_announcements_that_were_dropped_are_declared_and_books_are_not() -> None:
    session = ConnectionSession(VENUE, 1, ToyCodec(), StreamPolicy(), 0, event_filter=announcements_only)
    session.subscriptions.change({A}, frozenset(), 0)
    out: list[MarketEvent] = []
    session.receive([b"book a"], 0, 0, out)
    assert out == [], "its books are those of other connections"
    session.overflow = DroppedFrames(7)
    session.resync(session.overflow, 9, 9, out)
    assert out == [Dropped(VENUE, 9, 7)], "a market may have been announced or settled unheard"
