"""Two answers in a row give the changes of a book; a missing one is a gap."""

from typing import Any

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, Connected, Disconnected, Gap, Malformed, MarketEvent
from predsurv.state.book import Book
from predsurv.venues.kalshi.polling_feed import TICKERS_MAX, PolledBooks
from tests.kit.kalshi_frames import NOW, key, wire

A, B = "KXA-26", "KXB-26"


def answer(**books: Any) -> bytes:
    rows = [
        {"ticker": name.replace("_", "-"), "orderbook_fp": {"yes_dollars": yes, "no_dollars": no}}
        for name, (yes, no) in books.items()
    ]
    return wire({"orderbooks": rows})


def polls(*tickers: str) -> PolledBooks:
    made = PolledBooks()
    made.watch({key(ticker) for ticker in tickers})
    return made


def kinds(events: list[MarketEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_first_answers_are_snapshots() -> None:
    feed = polls(A, B)
    body = answer(KXA_26=([["0.0100", "5.00"], ["0.4000", "1.00"]], [["0.5000", "2.00"]]), KXB_26=([], []))
    events = feed.apply_answer([A, B], body, NOW)
    assert kinds(events) == ["Connected", "BookSnapshot", "BookSnapshot"]
    book = events[1]
    assert isinstance(book, BookSnapshot)
    assert book.bids == ((400_000, 1_000_000), (10_000, 5_000_000))
    assert book.asks == ((500_000, 2_000_000),)
    assert book.ts_recv == NOW
    assert book.ts_venue is None
    assert book.seq is None


def test_later_answers_are_differences_and_add_up() -> None:
    feed = polls(A)
    states: list[Any] = [
        ([["0.4000", "1.00"]], [["0.5000", "2.00"]]),
        ([["0.4000", "1.00"]], [["0.5000", "2.00"]]),
        ([["0.3000", "9.00"], ["0.4000", "3.50"]], [["0.5000", "2.00"]]),
        ([["0.6000", "1.00"]], [["0.2000", "4.00"]]),
        ([], []),
    ]
    book = Book(key(A))
    counts = []
    for number, state in enumerate(states):
        events = feed.apply_answer([A], answer(KXA_26=state), NOW + number)
        for event in events:
            if isinstance(event, BookSnapshot | BookDelta):
                book.apply(event)
                assert not book.crossed(), "not even in between"
        counts.append(len(events))
    assert counts == [2, 0, 2, 5, 2]
    assert not len(book.bids)
    assert not len(book.asks)


def test_a_new_outcome_gets_a_snapshot_of_its_own() -> None:
    feed = polls(A)
    state = ([["0.4000", "1.00"]], [["0.5000", "2.00"]])
    feed.apply_answer([A], answer(KXA_26=state), NOW)
    feed.watch({key(A), key(A, no=True)})
    (book,) = feed.apply_answer([A], answer(KXA_26=state), NOW)
    assert isinstance(book, BookSnapshot)
    assert book.key == key(A, no=True)
    assert book.bids == ((500_000, 2_000_000),)
    assert book.asks == ((600_000, 1_000_000),)


def test_a_failed_poll_is_a_gap_and_a_new_connection() -> None:
    feed = polls(A)
    state: Any = ([["0.4000", "1.00"]], [])
    feed.apply_answer([A], answer(KXA_26=state), NOW)
    lost = feed.apply_failure("no answer\x1b", NOW + 1)
    assert kinds(lost) == ["Gap", "Disconnected"]
    assert isinstance(lost[1], Disconnected)
    assert "\x1b" not in lost[1].reason
    assert feed.apply_failure("still", NOW + 2) == []
    back = feed.apply_answer([A], answer(KXA_26=state), NOW + 3)
    assert kinds(back) == ["Connected", "BookSnapshot"]
    assert [event.epoch for event in back if isinstance(event, Connected | BookSnapshot)] == [2, 2]


def test_a_book_missing_in_an_answer_is_a_gap() -> None:
    feed = polls(A, B)
    feed.apply_answer([A, B], answer(KXA_26=([], []), KXB_26=([], [])), NOW)
    (gap,) = feed.apply_answer([A, B], answer(KXA_26=([], [])), NOW)
    assert isinstance(gap, Gap)
    assert (gap.key, gap.reason) == (key(B), "stall")


def test_a_refused_request_invalidates_its_own_books_only() -> None:
    feed = polls(A, B)
    feed.apply_answer([A, B], answer(KXA_26=([], []), KXB_26=([], [])), NOW)
    assert [event.key for event in feed.apply_refusal([B], NOW) if isinstance(event, Gap)] == [key(B)]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"orderbooks":[{}]}', b"[" * 200_000, b'{"orderbooks":']
)
def test_an_unreadable_answer_is_a_gap(body: bytes) -> None:
    feed = polls(A)
    feed.apply_answer([A], answer(KXA_26=([], [])), NOW)
    assert kinds(feed.apply_answer([A], body, NOW)) == ["Malformed", "Gap"]


def test_a_malformed_book_invalidates_itself_only() -> None:
    feed = polls(A, B)
    whole: Any = ([["0.4000", "1.00"]], [])
    feed.apply_answer([A, B], answer(KXA_26=whole, KXB_26=whole), NOW)
    crossed = ([["0.6000", "1.00"]], [["0.5000", "1.00"]])
    events = feed.apply_answer([A, B], answer(KXA_26=crossed, KXB_26=([["0.4000", "2.00"]], [])), NOW)
    assert kinds(events) == ["Malformed", "Gap", "BookDelta"]
    assert isinstance(events[0], Malformed)
    assert isinstance(events[2], BookDelta)
    assert events[2].key == key(B)


def test_requests_hold_a_hundred_books() -> None:
    feed = polls(*(f"KX{number:03d}" for number in range(250)))
    assert [len(chunk) for chunk in feed.ticker_chunks()] == [TICKERS_MAX, TICKERS_MAX, 50]


def test_an_unwanted_book_gets_no_events() -> None:
    feed = polls(A, B)
    feed.apply_answer([A, B], answer(KXA_26=([], []), KXB_26=([], [])), NOW)
    feed.watch({key(A)})
    assert feed.ticker_chunks() == [[A]]
    assert not feed.apply_answer([A, B], answer(KXA_26=([], []), KXB_26=([["0.4000", "1.00"]], [])), NOW)
