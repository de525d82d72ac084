"""The market listing, page by page, from a server that has recorded rows and from scripted answers."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from predsurv.config import Config, PolymarketConfig, VenuesConfig
from predsurv.core.errors import PermanentError, PredsurvError, TransientError, WireError
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.net.clock import ManualClock, SystemClock
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Catalog, MarketQuery
from predsurv.scan.job import ScanJob, VenueScan, scan_venues
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.polymarket.catalog import PolymarketCatalog
from predsurv.venues.polymarket.gamma_page import ListingPage, read_listing
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.venue import PolymarketVenue
from tests.kit.payloads import Payloads
from tests.kit.recorded_polymarket import RecordedPolymarket

EVERYTHING = MarketQuery(include_closed=True)
S = 1_000_000_000


@pytest.fixture
async def server(payloads: Payloads) -> AsyncIterator[RecordedPolymarket]:
    running = RecordedPolymarket(payloads)
    await running.start()
    yield running
    await running.aclose()


@pytest.fixture
async def recorded(server: RecordedPolymarket) -> AsyncIterator[PolymarketCatalog]:
    clock = SystemClock()
    http = Http(clock, lambda: 0.0)
    yield PolymarketCatalog(server.http_url, http, TokenBucket(clock, tokens=100, period=S, burst=100), clock)
    await http.aclose()


def scripted(answer: Callable[[dict[str, list[str]]], httpx.Response | dict[str, Any]]) -> PolymarketCatalog:
    def respond(request: httpx.Request) -> httpx.Response:
        reply = answer(parse_qs(urlsplit(str(request.url)).query))
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json=reply)

    clock = ManualClock(jumps=True)
    http = Http(clock, lambda: 0.0, transport=httpx.MockTransport(respond))
    return PolymarketCatalog("http://gamma.test", http, TokenBucket(clock, tokens=9, period=S, burst=9), clock)


def row(number: int, **changes: Any) -> dict[str, Any]:
    tokens = json.dumps([f"{number}1", f"{number}2"])
    return {"conditionId": f"0xc{number}", "outcomes": '["Yes","No"]', "clobTokenIds": tokens, **changes}


async def read(catalog: Catalog, query: MarketQuery = EVERYTHING) -> list[Market]:
    return [market async for market in catalog.markets(query)]


async def test_a_recorded_listing_is_read_to_its_end(recorded: PolymarketCatalog, server: RecordedPolymarket) -> None:
    markets = await read(recorded)
    assert [market.market_id for market in markets] == [row["conditionId"] for row in server.recordings.markets]
    assert recorded.pages == 3
    assert not recorded.issues
    first = parse_qs(urlsplit(server.requests[0]).query)
    assert first == {"limit": ["100"], "include_tag": ["true"]}
    assert parse_qs(urlsplit(server.requests[1]).query)["after_cursor"] == ["c4"]


async def test_events_with_a_market_left_out_are_incomplete() -> None:
    def of(event: str) -> list[dict[str, Any]]:
        return [{"id": event, "negRisk": True, "negRiskAugmented": False}]

    rows = [
        row(1, events=of("whole")),
        row(2, events=of("unread"), outcomes=7),
        row(3, events=[{"id": 31, "negRisk": True}], conditionId=7),
        row(4, events=of("early"), clobTokenIds="[]"),
        row(5, events=of("over"), clobTokenIds="[]", closed=True),
        row(6, events=of("three"), outcomes='["A","B","C"]', clobTokenIds='["61","62","63"]'),
        row(7, events=of("one"), outcomes='["A"]', clobTokenIds='["71"]'),
        row(8, events=of("later"), version="v3"),
    ]
    catalog = scripted(lambda _: {"markets": rows})
    assert [market.event_id for market in await read(catalog)] == ["whole"]
    assert catalog.incomplete_events == {"unread", "31", "early", "three", "one", "later"}
    assert len(catalog.issues) == 2


async def test_every_row_of_the_listing_is_a_market_or_counted_with_its_reason() -> None:
    rows = [
        row(1, outcomes='["A","B","C"]', clobTokenIds='["1","2","3"]'),
        row(2, outcomes='["Only"]', clobTokenIds='["5"]'),
        row(3),
        row(4, clobTokenIds=None),
        row(5, clobTokenIds=None, closed=True),
        row(6, version="v7"),
        row(7, outcomes=5),
    ]
    catalog = scripted(lambda _: {"markets": rows})
    assert len(await read(catalog, MarketQuery())) == 1
    assert catalog.left_out == {
        "more than two outcomes": 1,
        "fewer than two outcomes": 1,
        "no tokens yet": 1,
        "unknown version": 1,
        "unreadable": 1,
    }


async def test_unreadable_fields_are_counted_and_cost_no_market() -> None:
    schedule = {"exponent": 0.5, "rate": 0.025, "takerOnly": True}
    odd = {"orderMinSize": "many", "endDate": "soon", "feesEnabled": True, "feeSchedule": schedule}
    rows = [row(number, feesEnabled=False) for number in range(180)] + [
        row(number, **odd) for number in range(180, 380)
    ]
    catalog = scripted(lambda _: {"markets": rows})
    markets = await read(catalog)
    assert len(markets) == 380
    assert not catalog.left_out
    assert {(issue.where, issue.kept) for issue in catalog.issues} == {
        ("field orderMinSize", 200),
        ("field endDate", 200),
    }
    assert markets[-1].assumed == ("close_time", "min_order_size", "tick_size")
    assert markets[-1].fee.exponent == Decimal("0.5")


async def test_the_query_is_passed_on_and_checked(recorded: PolymarketCatalog, server: RecordedPolymarket) -> None:
    least = Money(10_000_000 * 1_000_000)
    markets = await read(recorded, MarketQuery(min_volume=least, min_liquidity=Money(500_000)))
    assert {market.status for market in markets} == {"active"}
    assert all((market.volume or 0) >= least for market in markets)
    asked = parse_qs(urlsplit(server.requests[0]).query)
    assert (asked["closed"], asked["volume_num_min"], asked["liquidity_num_min"]) == (["false"], ["10000000"], ["0.5"])


async def test_a_limit_ends_the_listing(recorded: PolymarketCatalog) -> None:
    assert len(await read(recorded, MarketQuery(limit=3, include_closed=True))) == 3


async def test_a_row_on_two_pages_counts_once() -> None:
    pages: dict[str, dict[str, Any]] = {
        "": {"markets": [row(1), row(2)], "next_cursor": "x"},
        "x": {"markets": [row(2), row(3)]},
    }
    markets = await read(scripted(lambda query: pages[query.get("after_cursor", [""])[0]]))
    assert [market.market_id for market in markets] == ["0xc1", "0xc2", "0xc3"]


async def test_short_and_empty_pages_are_not_the_end() -> None:
    pages: dict[str, dict[str, Any]] = {
        "": {"markets": [], "next_cursor": "x"},
        "x": {"markets": [row(1)], "next_cursor": "y"},
        "y": {"markets": [row(2)], "next_cursor": None},
    }
    catalog = scripted(lambda query: pages[query.get("after_cursor", [""])[0]])
    assert len(await read(catalog)) == 2
    assert catalog.pages == 3


async def test_a_repeated_cursor_is_an_error() -> None:
    with pytest.raises(PermanentError, match="circles"):
        await read(scripted(lambda _: {"markets": [row(1)], "next_cursor": "x"}))


async def test_an_unreadable_row_is_an_issue() -> None:
    rows = [row(1), row(2, clobTokenIds="[1"), {"conditionId": 5}, "text", row(3, conditionId="a\x1bb"), row(4)]
    catalog = scripted(lambda _: {"markets": rows})
    assert [market.market_id for market in await read(catalog)] == ["0xc1", "0xc4"]
    assert [issue.where for issue in catalog.issues] == [f"page 1 row {number}" for number in (2, 3, 4, 5)]
    assert not any("\x1b" in issue.detail for issue in catalog.issues)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":"x"}', b'{"markets":{}}', b"[" * 100_000])
async def test_unreadable_page_is_an_error(body: bytes) -> None:
    with pytest.raises(WireError, match="page 1"):
        await read(scripted(lambda _: httpx.Response(200, content=body)))


@pytest.mark.parametrize(("status", "kind"), [(422, PermanentError), (403, PermanentError), (503, TransientError)])
async def test_refusals_are_raised(status: int, kind: type[PredsurvError]) -> None:
    with pytest.raises(kind, match=str(status)):
        await read(scripted(lambda _: httpx.Response(status, json={"error": "no"})))


async def test_transient_failures_are_retried() -> None:
    answers: Iterator[httpx.Response | dict[str, Any]] = iter(
        [httpx.Response(500), httpx.Response(429), {"markets": [row(1)]}]
    )
    assert len(await read(scripted(lambda _: next(answers)))) == 1


@pytest.mark.parametrize("broken", [b"\\ud83d", b"\xff", b"\\x", b"\x07"])
async def test_a_title_with_a_broken_character_costs_neither_its_market_nor_the_scan(broken: bytes) -> None:
    body = json.dumps({"markets": [row(1), row(2, question="Will @ it?"), row(3)]}).encode().replace(b"@", broken)
    catalog = scripted(lambda _: httpx.Response(200, content=body))
    markets = await read(catalog)
    assert [market.market_id for market in markets] == ["0xc1", "0xc2", "0xc3"]
    assert markets[1].question.startswith("Will ")
    assert [(issue.where, issue.kept) for issue in catalog.issues] == [("field text", 1)]
    assert not catalog.left_out


async def test_a_scan_that_fails_half_way_leaves_the_old_universe(
    server: RecordedPolymarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(
        venues=VenuesConfig(polymarket=PolymarketConfig(gamma_url=server.http_url, clob_url=server.http_url))
    )
    venue = PolymarketVenue(config, SystemClock(), lambda: 0.0)

    async def scanned() -> VenueScan:
        sink = lambda name: UniverseWriter(tmp_path, name, 1_800_000_000_000_000_000)  # noqa: E731
        (result,) = await scan_venues([venue], ScanJob({VENUE: EVERYTHING}, sink, SystemClock(), lambda _: None))
        return result

    first = await scanned()
    assert first.path is not None
    before = first.path.read_bytes()
    pages = iter([server.recordings.markets[:4]])

    def page(body: bytes) -> ListingPage:
        return read_listing(body) if next(pages, None) else read_listing(b"{")

    monkeypatch.setattr("predsurv.venues.polymarket.catalog.read_listing", page)
    second = await scanned()
    assert second.path is None
    assert second.failure is not None
    assert "\n" not in second.failure
    assert first.path.read_bytes() == before
    await venue.aclose()
