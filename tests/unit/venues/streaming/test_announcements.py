"""What the connection for announcements may say, and when announcements may have been missed."""

from predsurv.core.events import BookSnapshot, ChannelChange, CoverageReason, Dropped, Gap, GapReason, MarketEvent
from predsurv.venues.streaming.announcements import AnnouncementFilter
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.session import ConnectionSession, DroppedFrames
from tests.kit.toy_stream import VENUE, A, ToyCodec


def change(ts: int, reason: CoverageReason) -> ChannelChange:
    return ChannelChange(VENUE, ts, "lifecycle", reason)


def book(ts: int, epoch: int = 1) -> BookSnapshot:
    return BookSnapshot(A, ts, None, epoch, None, (), ())


def gap(ts: int, reason: GapReason, epoch: int = 1) -> Gap:
    return Gap(A, ts, reason, epoch)


def said(*events: MarketEvent) -> list[MarketEvent]:
    out: list[MarketEvent] = []
    passes = AnnouncementFilter(VENUE)
    for event in events:
        passes([event], out)
    return out


def test_announcements_that_were_dropped_are_declared_and_books_are_not() -> None:
    session = ConnectionSession(VENUE, 1, ToyCodec(), StreamPolicy(), 0, event_filter=AnnouncementFilter(VENUE))
    session.subscriptions.change({A}, frozenset(), 0)
    out: list[MarketEvent] = []
    session.receive([b"book a"], 2, 2, out)
    assert out == [change(2, "live")], "its books are those of other connections"
    session.overflow = DroppedFrames(7)
    session.resync(session.overflow, 9, 9, out)
    assert out[1:] == [Dropped(VENUE, 9, 7), change(9, "overflow")], "a market may have been announced unheard"
    session.receive([b"book a"], 11, 11, out)
    assert out[3:] == [change(11, "live")]


def test_the_channel_is_lost_from_the_last_data_on_and_live_again_with_the_next_book() -> None:
    assert said(book(5), book(6), gap(20, "disconnect"), book(30, 2)) == [
        change(5, "live"),
        change(20, "disconnect"),
        change(30, "live"),
    ]


def test_a_connection_that_was_replaced_in_time_loses_nothing() -> None:
    assert said(book(5), book(8, 2), gap(9, "disconnect")) == [change(5, "live")]
    assert said(book(5), book(8, 2), gap(9, "stall"), gap(9, "disconnect", 2)) == [
        change(5, "live"),
        change(9, "disconnect"),
    ]


def test_a_fault_of_the_one_book_that_it_carries_is_no_loss() -> None:
    assert said(book(5), gap(6, "hash_mismatch"), gap(7, "decode_error"), book(8)) == [change(5, "live")]


def test_a_connection_that_never_worked_cannot_be_lost() -> None:
    assert said(gap(6, "disconnect")) == []
