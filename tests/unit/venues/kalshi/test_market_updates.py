"""Without announcements new and changed markets are found in the venue's list of changes."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from predsurv.collect.selection.candidates import CandidateSet
from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_updates import LOOKBACK, UPDATES_INTERVAL, MarketUpdates
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.terms_lookup import TermsLookup
from predsurv.venues.kalshi.wire import LifecycleBody
from tests.kit import patience
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


async def test_a_market_that_came_and_went_unheard_is_told_as_a_whole_once() -> None:
    bench = Bench(announced=True)
    await bench.round()
    opened, closed, settled = (bench.date(seconds) for seconds in (5, 200, 230))
    await bench.clock.sleep(300 * S)
    bench.set(X, "finalized", result="no", settlement_value_dollars="0.0000", open_time=opened, close_time=closed)
    bench.rows[X]["settlement_ts"] = settled
    over, resolved = await bench.events()
    assert isinstance(over, MarketChange)
    assert over.market is not None
    assert (over.kind, over.market.market_id, over.market.status) == ("closed", X, "resolved")
    assert (over.opened, over.closed, over.ts_venue) == (at(opened), at(closed), at(closed))
    assert isinstance(resolved, MarketResolved)
    assert resolved.ts_venue == at(settled)
    assert dict(resolved.payouts) == {X: 0, f"{X}:no": 1_000_000}
    assert await bench.events() == [], "the list repeats it"


async def test_a_market_that_is_determined_is_over_and_its_settlement_follows() -> None:
    bench = Bench(announced=True)
    bench.set(X, "determined", result="yes", settlement_value_dollars="1.0000", close_time=bench.date(-5))
    assert await bench.round() == [("closed", X)]
    bench.set(X, "finalized", result="yes", settlement_value_dollars="1.0000")
    (resolved,) = await bench.events()
    assert isinstance(resolved, MarketResolved)


@pytest.mark.parametrize("status", ["determined", "finalized"])
async def test_a_market_is_over_although_its_result_is_missing(status: str) -> None:
    bench = Bench()
    bench.set(X, "active")
    assert await bench.round() == [("activated", X)]
    bench.set(X, status, close_time=bench.date(-5))
    assert await bench.round() == [("closed", X)]
    assert await bench.round() == []
    bench.set(X, "finalized", result="yes", settlement_value_dollars="1.0000")
    (resolved,) = await bench.events()
    assert isinstance(resolved, MarketResolved)


@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize(("status", "kind"), [("active", "activated"), ("inactive", "paused")])
async def test_a_market_whose_close_time_is_moved_after_it_passed_is_a_candidate_again(
    status: str, kind: str, announced: bool
) -> None:
    bench, candidates = Bench(announced=announced), CandidateSet()

    async def kinds() -> list[str]:
        events = [each for each in await bench.events() if isinstance(each, MarketChange)]
        for each in events:
            candidates.apply(each)
        await bench.clock.sleep(UPDATES_INTERVAL)
        return [each.kind for each in events]

    bench.set(X, "active", close_time=bench.date(30))
    assert await kinds() == ["activated"]
    await bench.clock.sleep(30 * S)
    bench.set(X, "closed")
    assert await kinds() == ["closed"]
    assert len(candidates) == 0
    bench.set(X, status)
    assert await kinds() == [], "a row that is older than the last"
    bench.set(X, status, close_time=bench.date(900))
    assert await kinds() == [kind]
    assert len(candidates) == 1
    bench.set(X, "active")
    await kinds()
    assert [each.tradable for each in candidates.candidates()] == [True, True]
    bench.set(X, "determined", result="yes", close_time=bench.date(-5))
    assert await kinds() == ["closed"]
    assert len(candidates) == 0


async def test_a_machine_whose_clock_is_ahead_of_the_venue_hears_of_changes() -> None:
    bench = Bench()
    ahead = 300
    bench.set(X, "active", at=bench.clock.now() - ahead * S, updated_time=bench.date(-ahead))
    assert await bench.round() == [("activated", X)]
    bench.set(Y, "active", at=bench.clock.now() - ahead * S, updated_time=bench.date(-ahead))
    assert await bench.round() == [("activated", Y)]


async def test_a_market_that_closed_early_ended_no_later_than_it_settled() -> None:
    bench = Bench(announced=True)
    bench.set(X, "finalized", result="yes", settlement_value_dollars="1.0000", settlement_ts=bench.date(-5))
    over, _ = await bench.events()
    assert isinstance(over, MarketChange)
    assert over.closed == at(bench.date(-5)), "its close time was to be later"


async def test_the_life_of_a_market_is_told_even_if_the_stream_settled_it_first() -> None:
    bench = Bench(announced=True)
    said(bench, "determined", result="yes", determination_ts=1)
    said(bench, "settled", settled_ts=2)
    bench.set(X, "finalized", result="yes", settlement_value_dollars="1.0000", close_time=bench.date(-5))
    assert await bench.round() == [("closed", X)]
    assert await bench.events() == []


async def test_a_list_that_is_behind_the_stream_does_not_open_a_market_again() -> None:
    bench = Bench(announced=True)
    bench.set(X, "active")
    said(bench, "determined", result="yes", determination_ts=1)
    assert await bench.round() == []


async def test_a_market_found_open_says_since_when() -> None:
    bench = Bench(announced=True)
    opened = bench.date()
    bench.set(X, "active", open_time=opened)
    (found,) = await bench.events()
    assert isinstance(found, MarketChange)
    assert found.opened == at(opened)


async def test_every_page_counts_and_a_page_that_fails_is_asked_for_again() -> None:
    bench = Bench(announced=True)
    bench.set(X, "active")
    bench.set(Y, "active")
    broken = True

    def answer(request: httpx.Request) -> httpx.Response:
        if broken and "cursor" in request.url.params:
            return httpx.Response(404)
        row = bench.rows[Y if "cursor" in request.url.params else X]
        cursor = "" if "cursor" in request.url.params else "next"
        return httpx.Response(200, content=json.dumps({"markets": [row], "cursor": cursor}).encode())

    bench.pages.set(markets=[answer])
    assert await bench.round() == [("activated", X)]
    broken = False
    assert await bench.round() == [("activated", Y)]


async def test_changes_are_asked_for_at_once_when_a_connection_opens_and_once_a_minute_otherwise() -> None:
    bench, asked = Bench(announced=True), list[int]()

    def answer(_: httpx.Request) -> httpx.Response:
        asked.append(bench.clock.monotonic() // S)
        if len(asked) == 3:
            bench.reader.connections += 1  # while the answer is under way
        return bench.answer(_)

    bench.pages.set(markets=[answer])
    running = asyncio.create_task(bench.updates.run(bench.sink))
    for _ in range(50):
        await asyncio.sleep(0)
    assert asked == [], "nothing was missed before the first connection"
    bench.reader.connections += 1
    await patience.until(lambda: len(asked) >= 5)
    running.cancel()
    assert [after - before for before, after in pairwise(asked[:5])] == [60, 60, UPDATES_INTERVAL // S, 60]


def at(date: str) -> int:
    return int(datetime.fromisoformat(date).timestamp()) * S
