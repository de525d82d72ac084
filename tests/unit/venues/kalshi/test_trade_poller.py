"""Polled trades are complete from answer to answer, each once and the oldest first; what is missing is declared."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from predsurv.core.events import ChannelChange, Malformed, MarketEvent, Trade
from predsurv.core.num import Price
from predsurv.venues.kalshi.polling_feed import PolledBooks
from predsurv.venues.kalshi.trade_poller import BACKLOG_PAGES_MAX, ROUND_PAGES_MAX, TradePoller
from tests.kit.kalshi_frames import key
from tests.kit.scripted_kalshi_rest import Pages

A, B = "KXA-26", "KXB-26"
T0 = 1_787_000_000
"""Time of the first trade, unix seconds."""


class Venue:
    """A venue with trades, newest first, and a poller that wants those of ``A``."""

    def __init__(self, page: int = 1_000) -> None:
        self.rows: list[dict[str, Any]] = []
        self.page = page
        self.answers: list[httpx.Response] = []
        self.pages = Pages(markets__trades=[self.answer])
        self.books = PolledBooks()
        self.books.watch({key(A)})
        self.events: list[MarketEvent] = []
        self.poller = TradePoller(self.pages.rest(), self.pages.clock, lambda: self.books.book_set.by_ticker)

    def trade(self, number: int, at: float, ticker: str = A, **more: Any) -> None:
        """Add a trade ``at`` seconds after the first."""
        ms = round((T0 + at) * 1_000)
        stamp = date(ms)
        row = {"trade_id": f"t{number}", "ticker": ticker, "yes_price_dollars": "0.4200", "count_fp": "3.50"}
        self.rows.insert(0, {**row, "taker_book_side": "ask", "created_time": stamp, "ms": ms, **more})

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.answers:
            return self.answers.pop(0)
        query = request.url.params
        since, start = int(query.get("min_ts", "0")) * 1_000, int(query.get("cursor", "0"))
        rows = [row for row in self.rows if row["ms"] >= since]
        stop = start + min(self.page, int(query["limit"]))
        cursor = str(stop) if stop < len(rows) else ""
        return httpx.Response(200, content=json.dumps({"trades": rows[start:stop], "cursor": cursor}).encode())

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.events += events

    async def round(self) -> list[str]:
        """Poll once; return the ids of the trades published then."""
        self.events.clear()
        await self.poller.round(self)
        return [str(event.trade_id) for event in self.events if isinstance(event, Trade)]

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, ChannelChange)]


def date(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1_000:03d}Z"


async def test_every_trade_since_the_first_answer_comes_once_and_in_order() -> None:
    venue = Venue()
    venue.trade(1, 0)
    assert await venue.round() == [], "it says where trades begin"
    for number, at in enumerate((0.5, 0.5, 1.25, 2), start=2):
        venue.trade(number, at)
    assert await venue.round() == ["t2", "t3", "t4", "t5"]
    assert await venue.round() == []
    venue.trade(6, 2)
    venue.trade(7, 900)
    assert await venue.round() == ["t6", "t7"], "of equal time and much later"
    assert not venue.reasons()


async def test_a_late_entry_is_not_missed() -> None:
    venue = Venue()
    venue.trade(1, 0)
    await venue.round()
    venue.trade(3, 2)
    assert await venue.round() == ["t3"]
    venue.trade(2, 1)
    venue.rows.sort(key=lambda row: -row["ms"])
    assert await venue.round() == ["t2"]


async def test_trades_of_other_markets_are_left_out_and_of_both_outcomes_told() -> None:
    venue = Venue()
    await venue.round()
    venue.books.watch({key(A), key(A, no=True)})
    venue.trade(1, 1, ticker=B)
    venue.trade(2, 1.25, taker_book_side=None, taker_outcome_side="no", no_price_dollars="0.5800")
    await venue.round()
    trades = [event for event in venue.events if isinstance(event, Trade)]
    assert [(each.key, each.price, each.taker_side) for each in trades] == [
        (key(A), 420_000, "sell"),
        (key(A, no=True), 580_000, "buy"),
    ]
    assert {(each.size, each.ts_venue) for each in trades} == {(3_500_000, (T0 * 1_000 + 1_250) * 1_000_000)}
    assert all(each.ts_recv == venue.pages.clock.now() for each in trades)


async def test_a_trade_told_by_its_no_price_only_is_the_same_trade() -> None:
    venue = Venue()
    await venue.round()
    venue.trade(1, 1, yes_price_dollars=None, no_price_dollars="0.5800", is_block_trade=True)
    await venue.round()
    (trade,) = venue.events
    assert isinstance(trade, Trade)
    assert trade.price == Price(420_000)


async def test_a_backlog_is_read_to_its_end() -> None:
    venue = Venue(page=3)
    venue.trade(0, 0)
    await venue.round()
    for number in range(1, 13):
        venue.trade(number, 10 + number)
    assert await venue.round() == [f"t{number}" for number in range(1, 13)]
    assert not venue.reasons(), "a few pages are no backlog"


async def test_a_long_backlog_is_declared_until_it_is_read() -> None:
    venue = Venue(page=2)
    venue.trade(0, 0)
    await venue.round()
    count = 2 * ROUND_PAGES_MAX + 3
    for number in range(1, count + 1):
        venue.trade(number, 10 + number)
    assert await venue.round() == []
    assert venue.reasons() == ["overflow"]
    venue.trade(99, 900)
    assert await venue.round() == [f"t{number}" for number in range(1, count + 1)]
    assert venue.reasons() == ["polled"]
    assert await venue.round() == ["t99"]


async def test_what_was_missed_in_an_outage_is_fetched_after_it() -> None:
    venue = Venue()
    venue.trade(0, 0)
    await venue.round()
    venue.answers = [httpx.Response(500)] * 5
    venue.trade(1, 5)
    assert await venue.round() == []
    assert venue.reasons() == ["disconnect"]
    venue.answers = [httpx.Response(500)] * 5
    assert await venue.round() == []
    assert venue.reasons() == [], "said once"
    venue.trade(2, 6)
    assert await venue.round() == ["t1", "t2"]
    assert venue.reasons() == ["polled"]


async def test_an_outage_in_the_middle_of_a_backlog_loses_and_doubles_nothing() -> None:
    venue = Venue(page=2)
    venue.trade(0, 0)
    await venue.round()
    for number in range(1, 8):
        venue.trade(number, 10 + number)
    first = venue.answer(httpx.Request("GET", "http://v/?limit=1000&min_ts=0"))
    venue.answers = [first, *[httpx.Response(500)] * 5]
    assert await venue.round() == []
    venue.trade(8, 19)
    assert await venue.round() == [f"t{number}" for number in range(1, 9)]


async def test_a_backlog_without_end_is_given_up() -> None:
    venue = Venue(page=1)
    venue.trade(0, 0)
    await venue.round()
    for number in range(1, BACKLOG_PAGES_MAX + 50):
        venue.trade(number, 10 + number)
    seen: list[str] = []
    for _ in range(BACKLOG_PAGES_MAX // ROUND_PAGES_MAX):
        seen += await venue.round()
    assert len(seen) == BACKLOG_PAGES_MAX
    assert venue.reasons() == ["polled"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_trades_that_the_venue_refuses_are_not_offered(status: int) -> None:
    venue = Venue()
    venue.answers = [httpx.Response(status)]
    assert not await venue.poller.round(venue)
    assert venue.reasons() == ["not_offered"]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"trades":5}', b"[" * 200_000])
async def test_an_unreadable_answer_is_declared(body: bytes) -> None:
    venue = Venue()
    await venue.round()
    venue.answers = [httpx.Response(200, content=body)]
    await venue.round()
    assert venue.reasons() == ["decode_error"]
    venue.trade(1, 1)
    assert await venue.round() == ["t1"]


@pytest.mark.parametrize(
    "more", [{"created_time": "soon"}, {"count_fp": "0.00"}, {"yes_price_dollars": "1.5"}, {"trade_id": 5}]
)
async def test_an_unreadable_trade_is_malformed_and_costs_no_other(more: dict[str, Any]) -> None:
    venue = Venue()
    await venue.round()
    venue.trade(1, 1)
    venue.trade(2, 2, **more)
    assert await venue.round() == ["t1"]
    assert sum(isinstance(event, Malformed) for event in venue.events) == 1
