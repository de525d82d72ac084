"""Without announcements new and changed markets are found in the venue's list of changes."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_updates import LOOKBACK, UPDATES_INTERVAL, MarketUpdates
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.terms_lookup import TermsLookup
from predsurv.venues.kalshi.wire import LifecycleBody
from tests.kit.event_list import EventList
from tests.kit.scripted_kalshi_rest import Pages

S = 1_000_000_000
X, Y = "KXN-26-X", "KXN-26-Y"


class Bench:
    """Updates from a venue whose list of changes has ``rows``."""

    def __init__(self, *, announced: bool = False) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.pages = Pages(markets=[self.answer])
        self.clock = self.pages.clock
        directory, rest = EventDirectory(), self.pages.rest()
        self.terms = TermsLookup(rest, self.clock, directory)
        self.reader = LifecycleReader(directory)
        self.updates = MarketUpdates(rest, self.terms, self.clock, self.reader, announced=announced)
        self.sink = EventList()

    def answer(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        named = query.get("tickers", "").split(",") if "tickers" in query else []
        since = int(query.get("min_updated_ts", query.get("min_created_ts", "0"))) * S
        rows = [row for row in self.rows.values() if row["ticker"] in named or (not named and row["at"] >= since)]
        return httpx.Response(200, content=json.dumps({"markets": rows, "cursor": ""}).encode())

    def set(self, ticker: str, status: str, **more: Any) -> None:
        """Change a market now; it is created with its first change."""
        created = self.rows.get(ticker, {}).get("created_time", self.date())
        row = {"ticker": ticker, "event_ticker": "KXN-26", "title": ticker, "close_time": self.date(300)}
        before = self.rows.get(ticker, {})
        known = {**row, "created_time": created, **before, "status": status, "at": self.clock.now()}
        self.rows[ticker] = {**known, **more}

    def date(self, seconds: int = 0) -> str:
        return datetime.fromtimestamp(self.clock.now() // S + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def round(self) -> list[tuple[str, str]]:
        await self.updates.round(self.sink)
        await self.clock.sleep(UPDATES_INTERVAL)
        return self.sink.changes()

    async def events(self) -> Sequence[MarketEvent]:
        await self.updates.round(self.sink)
        return self.sink.take()


async def test_a_market_made_while_recording_is_heard_of_with_its_whole_record() -> None:
    bench = Bench()
    assert await bench.round() == []
    bench.set(X, "active")
    (event,) = await bench.events()
    assert isinstance(event, MarketChange)
    assert event.kind == "activated"
    assert event.market is not None
    assert (event.market.market_id, event.market.status) == (X, "active")
    assert await bench.round() == [], "once, although the list repeats it"


async def test_a_market_announced_ahead_is_heard_of_again_when_it_opens() -> None:
    bench = Bench()
    bench.set(X, "initialized", open_time=bench.date(60))
    assert await bench.round() == [("created", X)]
    assert await bench.round() == []
    await bench.clock.sleep(60 * S)
    bench.rows[X]["status"] = "active"  # no change in the venue's own list of changes
    bench.rows[X]["at"] = 0
    assert await bench.round() == [("activated", X)]


async def test_a_market_that_opens_late_is_asked_for_until_it_does() -> None:
    bench = Bench()
    bench.set(X, "initialized", open_time=bench.date(5))
    assert await bench.round() == [("created", X)]
    for _ in range(4):
        assert await bench.round() == []
    bench.rows[X]["status"] = "active"
    assert await bench.round() == [("activated", X)]


async def test_changes_come_with_the_record_and_what_is_over_without() -> None:
    bench = Bench()
    bench.set(X, "active")
    bench.set(Y, "active")
    assert await bench.round() == [("activated", X), ("activated", Y)]
    bench.set(X, "active", close_time=bench.date(900))
    (moved,) = await bench.events()
    assert isinstance(moved, MarketChange)
    assert moved.market is not None
    assert moved.market.close_time == (bench.clock.now() // S + 900) * S
    bench.set(X, "inactive")
    bench.set(Y, "closed")
    assert await bench.round() == [("paused", X), ("listed", X), ("closed", Y)]


async def test_a_market_that_was_changed_before_the_start_is_listed_and_not_announced() -> None:
    bench = Bench()
    bench.set(X, "active", created_time=bench.date(-LOOKBACK // S - 60))
    assert await bench.round() == [("listed", X)]


async def test_what_changed_during_an_outage_is_found_after_it() -> None:
    bench = Bench()
    await bench.round()
    bench.pages.set(markets=[httpx.Response(503)])
    assert await bench.round() == [("lifecycle", "disconnect")]
    bench.set(X, "active")
    await bench.clock.sleep(3_600 * S)
    assert await bench.round() == []
    bench.pages.set(markets=[bench.answer])
    assert await bench.round() == [("activated", X), ("lifecycle", "polled")]


async def test_a_venue_that_lists_no_changes_still_tells_new_markets() -> None:
    bench = Bench()

    def refuses(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400) if "min_updated_ts" in request.url.params else bench.answer(request)

    bench.pages.set(markets=[refuses])
    assert await bench.round() == [("lifecycle", "not_offered")]
    bench.set(X, "active")
    assert await bench.round() == [("activated", X), ("lifecycle", "polled")]


def said(bench: Bench, kind: str, ticker: str = X, **more: Any) -> None:
    """Let the stream announce something."""
    assert bench.reader.market_events(LifecycleBody(ticker, kind, **more), bench.clock.now())


async def test_what_the_stream_announced_is_no_news() -> None:
    bench = Bench(announced=True)
    bench.set(X, "initialized", open_time=bench.date(3_600))
    said(bench, "created")
    for each in await bench.terms.by_ticker([X]):  # as announced markets are looked up
        bench.reader.listed(each.market, bench.clock.now())
    assert await bench.round() == []
    bench.set(X, "active")
    said(bench, "activated")
    assert await bench.round() == [("listed", X)], "its whole record as it is now"
    bench.set(X, "inactive")
    said(bench, "deactivated")
    assert await bench.round() == [("listed", X)]
    bench.pages.set(markets=[httpx.Response(503)])
    assert await bench.round() == [], "the stream goes on announcing"


async def test_what_was_announced_while_no_connection_was_open_is_found() -> None:
    bench = Bench(announced=True)
    bench.set(X, "active")
    said(bench, "activated")
    await bench.round()
    bench.set(X, "inactive", close_time=bench.date(60))
    bench.set(Y, "active")
    assert await bench.round() == [("paused", X), ("listed", X), ("activated", Y)]
    bench.set(X, "finalized", result="yes", settlement_value_dollars="1.0000")
    closed, settled = await bench.events()
    assert isinstance(closed, MarketChange)
    assert closed.kind == "closed"
    assert isinstance(settled, MarketResolved)


async def test_the_end_of_a_pause_that_was_not_announced_is_found_whatever_the_list_said_before() -> None:
    bench = Bench(announced=True)
    bench.reader.market_events(LifecycleBody(X, "deactivated"), bench.clock.now())
    bench.set(X, "active", created_time="2026-01-01T00:00:00Z")
    assert await bench.round() == [("activated", X), ("listed", X)]
    assert await bench.round() == []
