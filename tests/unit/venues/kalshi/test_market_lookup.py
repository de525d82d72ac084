"""Announced markets are looked up until the venue lists them; their terms come from their event and series."""

import json
from typing import Any

import httpx

from predsurv.core.events import MarketChange
from predsurv.core.market import FeeSchedule
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_lookup import ATTEMPTS_MAX, RETRY_INTERVAL, MarketLookup
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.terms_lookup import TICKERS_MAX, TermsLookup
from predsurv.venues.kalshi.wire import LifecycleBody
from tests.kit.event_list import EventList
from tests.kit.kalshi_frames import NOW
from tests.kit.scripted_kalshi_rest import Pages

SERIES = {"ticker": "KXN", "category": "Crypto", "tags": [], "fee_type": "quadratic", "fee_multiplier": 0.5}
EVENT = {"event_ticker": "KXN-26", "series_ticker": "KXN", "title": "Up?", "mutually_exclusive": True}


class Bench:
    """A lookup at a venue that lists ``rows``."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.requested: list[list[str]] = []
        self.pages = Pages(markets=[self.answer], events=[{"events": [EVENT], "cursor": ""}])
        self.pages.set(series__KXN=[{"series": SERIES}])
        self.directory = EventDirectory()
        self.reader = LifecycleReader(self.directory)
        rest = self.pages.rest()
        self.lookup = MarketLookup(TermsLookup(rest, self.pages.clock, self.directory), self.pages.clock, self.reader)
        self.sink = EventList()

    def answer(self, request: httpx.Request) -> httpx.Response:
        names = request.url.params["tickers"].split(",")
        self.requested.append(names)
        found = [self.rows[name] for name in names if name in self.rows]
        return httpx.Response(200, content=json.dumps({"markets": found, "cursor": ""}).encode())

    def announce(self, ticker: str, kind: str = "activated") -> None:
        self.reader.market_events(LifecycleBody(ticker, kind), NOW)

    def row(self, ticker: str, **more: Any) -> None:
        self.rows[ticker] = {"ticker": ticker, "event_ticker": "KXN-26", "status": "active", "title": ticker, **more}

    async def rounds(self, count: int) -> list[tuple[str, str]]:
        """Look up ``count`` times, each when a retry is due; return the changes."""
        for _ in range(count):
            await self.lookup.round(self.sink)
            await self.pages.clock.sleep(RETRY_INTERVAL)
        return self.sink.changes()


async def test_an_announced_market_gets_its_whole_record() -> None:
    bench = Bench()
    bench.announce("KXN-26-X")
    bench.row("KXN-26-X", close_time="2027-01-01T00:00:00Z")
    await bench.lookup.round(bench.sink)
    (event,) = bench.sink.take()
    assert isinstance(event, MarketChange)
    assert event.kind == "listed"
    market = event.market
    assert market is not None
    assert (market.market_id, market.status, market.category) == ("KXN-26-X", "active", "Crypto")
    assert market.fee == FeeSchedule("kalshi", 35_000)
    assert market.mutually_exclusive
    assert not {"fee", "category", "close_time"} & {*market.assumed}
    assert await bench.rounds(2) == [], "once"
    assert len(bench.requested) == 1


async def test_a_market_that_is_not_listed_yet_is_asked_for_again() -> None:
    bench = Bench()
    bench.announce("KXN-26-X", "created")
    assert await bench.rounds(3) == []
    bench.row("KXN-26-X")
    assert await bench.rounds(1) == [("listed", "KXN-26-X")]


async def test_a_market_that_is_never_listed_is_given_up() -> None:
    bench = Bench()
    bench.announce("KXN-26-X")
    await bench.rounds(ATTEMPTS_MAX + 5)
    assert len(bench.requested) == ATTEMPTS_MAX
    assert not bench.reader.unlisted


async def test_a_venue_that_cannot_be_asked_is_asked_again() -> None:
    bench = Bench()
    bench.announce("KXN-26-X")
    bench.row("KXN-26-X")
    bench.pages.set(markets=[httpx.Response(400), b"<html>", bench.answer])
    assert await bench.rounds(3) == [("listed", "KXN-26-X")]


async def test_many_new_markets_take_few_requests_and_know_their_series_by_then() -> None:
    bench = Bench()
    for number in range(TICKERS_MAX + 20):
        bench.announce(f"KXN-26-{number}")
        bench.row(f"KXN-26-{number}")
    assert len(await bench.rounds(2)) == TICKERS_MAX + 20
    assert [len(names) for names in bench.requested] == [TICKERS_MAX, 20]
    assert bench.pages.paths() == ["/markets", "/series/KXN", "/events", "/markets"]


async def test_a_new_market_does_not_wait_for_many_that_are_not_listed() -> None:
    bench = Bench()
    for number in range(3 * TICKERS_MAX):
        bench.announce(f"KXN-26-{number}")
    await bench.rounds(4)
    bench.announce("KXN-26-NEW")
    bench.row("KXN-26-NEW")
    assert await bench.rounds(1) == [("listed", "KXN-26-NEW")]


async def test_no_market_is_given_up_while_the_venue_cannot_be_reached() -> None:
    bench = Bench()
    bench.announce("KXN-26-X")
    bench.row("KXN-26-X")
    bench.pages.set(markets=[httpx.Response(503)])
    assert await bench.rounds(2 * ATTEMPTS_MAX) == []
    bench.pages.set(markets=[bench.answer])
    assert await bench.rounds(1) == [("listed", "KXN-26-X")]


async def test_a_series_that_the_venue_does_not_have_is_assumed() -> None:
    bench = Bench()
    bench.pages.set(series__KXN=[httpx.Response(404)], events=[httpx.Response(404)])
    bench.announce("KXN-26-X")
    bench.row("KXN-26-X", price_ranges="?")
    await bench.lookup.round(bench.sink)
    (event,) = bench.sink.take()
    assert isinstance(event, MarketChange)
    assert event.market is not None
    assert {"fee", "category", "mutually_exclusive", "tick_size"} <= {*event.market.assumed}


async def test_a_combination_is_not_looked_up_for_ever() -> None:
    bench = Bench()
    bench.announce("KXN-26-X")
    bench.row("KXN-26-X", mve_collection_ticker="c")
    assert await bench.rounds(ATTEMPTS_MAX) == []
    assert not bench.reader.unlisted
