"""The catalogue reads all lists to their end, once, and reports unreadable rows as issues."""

from typing import Any

import httpx
import pytest

from predsurv.core.errors import PermanentError, RateLimited, TransientError, WireError
from predsurv.core.market import FeeSchedule, Market
from predsurv.core.num import Money
from predsurv.ports import MarketQuery
from predsurv.venues.kalshi.catalog import KalshiCatalog
from tests.kit.scripted_kalshi_rest import Pages


def row(ticker: str, **more: Any) -> dict[str, Any]:
    event = ticker.rpartition("-")[0]
    return {"ticker": ticker, "event_ticker": event, "status": "active", "title": ticker, "volume_fp": "1.00", **more}


async def read(pages: Pages, query: MarketQuery | None = None) -> tuple[list[Market], KalshiCatalog]:
    catalog = KalshiCatalog(pages.rest(), pages.clock)
    return [market async for market in catalog.markets(query or MarketQuery())], catalog


async def test_pages_are_read_until_the_cursor_is_empty() -> None:
    pages = Pages(
        markets=[
            {"markets": [row("KXA-1-X"), row("KXA-1-Y")], "cursor": "one"},
            {"markets": [row("KXA-1-Y"), row("KXMVE-1"), row("KXB-2", mve_collection_ticker="c")], "cursor": "two"},
            {"markets": [row("KXC-1-Z")], "cursor": ""},
        ]
    )
    markets, catalog = await read(pages)
    assert [market.market_id for market in markets] == ["KXA-1-X", "KXA-1-Y", "KXC-1-Z"]
    assert not catalog.issues
    asked = [dict(request.url.params) for request in pages.requests if request.url.path.endswith("/markets")]
    first = {"limit": "1000", "mve_filter": "exclude", "status": "open"}
    assert asked == [first, {**first, "cursor": "one"}, {**first, "cursor": "two"}]
    assert catalog.pages == 5, "series, events, and three of markets"


async def test_closed_markets_are_listed_on_request() -> None:
    pages = Pages(markets=[{"markets": [row("KXA-1-X"), row("KXA-1-Y", status="finalized")], "cursor": ""}])
    assert len((await read(pages))[0]) == 1
    assert len((await read(pages, MarketQuery(include_closed=True)))[0]) == 2
    assert "status" not in pages.requests[-1].url.params


async def test_the_query_limits_count_and_volume() -> None:
    rows = [row(f"KXA-1-{number}", volume_fp=f"{number}.00") for number in range(6)]
    pages = Pages(markets=[{"markets": rows, "cursor": "more"}])
    assert len((await read(pages, MarketQuery(limit=2)))[0]) == 2
    busy, _ = await read(Pages(markets=[{"markets": rows}]), MarketQuery(min_volume=Money(4_000_000)))
    assert [market.market_id for market in busy] == ["KXA-1-4", "KXA-1-5"]


async def test_a_repeated_cursor_is_an_error() -> None:
    pages = Pages(markets=[{"markets": [], "cursor": "one"}, {"markets": [], "cursor": "one"}])
    with pytest.raises(PermanentError, match="circles"):
        await read(pages)


async def test_markets_get_the_terms_of_their_event_and_series() -> None:
    pages = Pages(
        series=[
            {
                "series": [
                    {
                        "ticker": "KXA",
                        "category": "Sports",
                        "tags": ["Tennis"],
                        "fee_type": "quadratic",
                        "fee_multiplier": 0.5,
                    },
                    {"ticker": "KXODD", "fee_type": "mystery"},
                    {"ticker": 5},
                ]
            }
        ],
        events=[
            {
                "events": [
                    {"event_ticker": "KXA-1", "series_ticker": "KXA", "title": "Who?", "mutually_exclusive": True},
                    {"event_ticker": "KXA-2", "series_ticker": "KXA", "fee_type_override": "quadratic_with_maker_fees"},
                    {"title": "no ticker"},
                ],
                "cursor": "",
            }
        ],
        series__fee_changes=[
            {
                "series_fee_change_arr": [
                    {"series_ticker": "KXA", "scheduled_ts": "2026-07-03T00:00:00Z"},
                    {"series_ticker": "KXA", "scheduled_ts": "2026-01-03T00:00:00Z"},
                    {"series_ticker": "KXA", "scheduled_ts": "2126-01-03T00:00:00Z"},
                ]
            }
        ],
        markets=[{"markets": [row("KXA-1-X", title=None), row("KXA-2-X"), row("KXA-9-X"), row("KXODD-1-X")]}],
    )
    (one, two, nine, odd), catalog = await read(pages)
    since = 1_783_036_800_000_000_000
    assert one.question == "Who?"
    assert one.mutually_exclusive
    assert not one.exhaustive, "the venue promises at most one winner, not one"
    assert one.fee == FeeSchedule("kalshi", 35_000, since=since)
    assert (one.category, one.tags) == ("Sports", ("Tennis",))
    assert two.fee == FeeSchedule("kalshi", 35_000, maker_rate=8_750, since=since)
    assert nine.fee == one.fee, "an event that is not listed has its series' fees"
    assert odd.fee.maker_rate == 70_000
    assert len(catalog.issues) == 3


async def test_an_unreadable_row_is_an_issue() -> None:
    bad = [
        row("a b"),
        {"ticker": "KXA-1-Q"},
        row("KXA-1-R", price_ranges=[{"start": "0", "end": "1", "step": "NaN"}]),
        7,
    ]
    pages = Pages(markets=[{"markets": [row("KXA-1-X"), *bad, row("KXA-1-Y")], "cursor": ""}])
    markets, catalog = await read(pages)
    assert [market.market_id for market in markets] == ["KXA-1-X", "KXA-1-Y"]
    assert len(catalog.issues) == 4
    assert all("markets, page" in issue.where for issue in catalog.issues)


@pytest.mark.parametrize(
    "body", [b"<html>Just a moment...</html>", b"[]", b'{"markets":{}}', b'{"markets":[', b"[" * 200_000]
)
async def test_an_unreadable_page_is_one_error(body: bytes) -> None:
    with pytest.raises(WireError, match="unreadable"):
        await read(Pages(markets=[body]))


async def test_refusals_are_retried_and_then_raised() -> None:
    busy = httpx.Response(429, json={"error": "too many requests"})
    pages = Pages(markets=[busy, busy, {"markets": [row("KXA-1-X")], "cursor": ""}])
    assert len((await read(pages))[0]) == 1
    with pytest.raises(RateLimited):
        await read(Pages(markets=[busy]))
    with pytest.raises(TransientError):
        await read(Pages(events=[httpx.Response(503)]))


async def test_missing_fee_changes_are_an_issue_only() -> None:
    pages = Pages(series__fee_changes=[httpx.Response(404)], markets=[{"markets": [row("KXA-1-X")], "cursor": ""}])
    markets, catalog = await read(pages)
    assert len(markets) == 1
    assert [issue.where for issue in catalog.issues] == ["fee changes"]


async def test_anonymous_requests_keep_to_three_a_second() -> None:
    pages = Pages(markets=[*({"markets": [], "cursor": str(number)} for number in range(20)), {"cursor": ""}])
    began = pages.clock.now()
    await read(pages)
    assert len(pages.requests) == 24
    assert pages.clock.now() - began >= 7_000_000_000 - 1
