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


async def test_a_row_without_an_identity_is_an_issue() -> None:
    bad = [row("a b"), {"event_ticker": "KXA-1"}, {"ticker": 5, "event_ticker": "KXA-1"}, 7]
    pages = Pages(markets=[{"markets": [row("KXA-1-X"), *bad, row("KXA-1-Y")], "cursor": ""}])
    markets, catalog = await read(pages)
    assert [market.market_id for market in markets] == ["KXA-1-X", "KXA-1-Y"]
    assert len(catalog.issues) == 4
    assert all("markets, page" in issue.where and not issue.kept for issue in catalog.issues)
    assert catalog.left_out == {"unreadable": 4}


NAN_GRID = [{"start": "0", "end": "1", "step": "NaN"}]


@pytest.mark.parametrize(
    ("field", "value", "assumed"),
    [
        ("price_ranges", NAN_GRID, {"tick_size", "bands"}),
        ("price_ranges", [{"start": "0"}], {"tick_size", "bands"}),
        ("price_ranges", "linear", {"tick_size", "bands"}),
        ("status", "hibernating", {"status", "tradable"}),
        ("status", 3, {"status", "tradable"}),
        ("close_time", "next Thursday", {"close_time"}),
        ("close_time", 1_800_000_000, {"close_time"}),
        ("volume_fp", "1e9", {"volume"}),
        ("volume_fp", 12, {"volume"}),
        ("yes_bid_dollars", "7.5", {"liquidity"}),
        ("fee_waiver_expiration_time", "soon", {"fee"}),
        ("settlement_value_dollars", 1, set()),
        ("event_ticker", "a b", set()),
    ],
)
async def test_an_unreadable_field_never_costs_a_market(field: str, value: Any, assumed: set[str]) -> None:
    known = {"close_time": "2027-01-01T00:00:00Z", "price_ranges": [{"start": "0", "end": "1", "step": "0.01"}]}
    page = {"markets": [row("KXA-1-X", **{**known, field: value})], "cursor": ""}
    series = {"series": [{"ticker": "KXA", "fee_type": "quadratic", "fee_multiplier": 1}]}
    events = {"events": [{"event_ticker": "KXA-1", "series_ticker": "KXA"}], "cursor": ""}
    (market,), catalog = await read(Pages(markets=[page], series=[series], events=[events]))
    assert set(market.assumed) == assumed, "and nothing else"
    assert (market.market_id, market.event_id, market.tick_size) == ("KXA-1-X", "KXA-1", 10_000)
    (issue,) = catalog.issues
    assert issue.kept == 1
    assert issue.where.startswith("field ")
    assert not catalog.left_out


async def test_an_unreadable_fee_is_assumed_to_be_dear() -> None:
    series = [
        {"ticker": "KXA", "fee_type": "quadratic", "fee_multiplier": "x"},
        {"ticker": "KXB", "fee_type": "mystery", "fee_multiplier": 1},
        {"ticker": "KXC", "fee_type": ["quadratic"], "fee_multiplier": 0.5},
    ]
    events = [{"event_ticker": "KXD-1", "series_ticker": "KXD", "fee_multiplier_override": "free"}]
    rows = [row(f"KX{name}-1-X") for name in "ABCD"]
    pages = Pages(series=[{"series": series}], events=[{"events": events, "cursor": ""}], markets=[{"markets": rows}])
    markets, catalog = await read(pages)
    assert [market.market_id for market in markets] == [each["ticker"] for each in rows]
    assert all("fee" in market.assumed for market in markets)
    assert [market.fee.maker_rate for market in markets] == [70_000, 70_000, 35_000, 70_000]
    assert all(issue.kept for issue in catalog.issues)


async def test_combinations_are_counted_as_left_out() -> None:
    rows = [row("KXA-1-X"), row("KXMVE-1"), row("KXB-2", mve_collection_ticker="c")]
    _, catalog = await read(Pages(markets=[{"markets": rows, "cursor": ""}]))
    assert catalog.left_out == {"combination of markets": 2}
    assert not catalog.issues


async def test_how_a_market_pays_stands_in_the_words_of_the_venue() -> None:
    rows = [
        row("KXA-1-A", market_type="binary", settlement_bounds_type="default"),
        row("KXA-1-B", market_type="scalar"),
        row("KXA-1-C", market_type="binary", settlement_bounds_type="floor", settlement_floor_dollars="0.1000"),
        row("KXA-1-D", market_type="binary", settlement_bounds_type="collar"),
        row("KXA-1-E", market_type=7),
        row("KXA-1-F"),
    ]
    markets, _ = await read(Pages(markets=[{"markets": rows, "cursor": ""}]))
    types = [market.market_type for market in markets]
    assert types == ["binary", "scalar", "binary, floor 0.10", "binary, collar", "unknown", "binary"]
    assert all(market.tradable for market in markets), "recorded all the same"


async def test_a_waived_fee_is_zero_by_assumption_until_it_begins() -> None:
    pages = Pages()
    waived = [
        row("KXA-1-A", fee_waiver_expiration_time="2126-01-01T00:00:00Z"),
        row("KXA-1-B", fee_waiver_expiration_time="2016-01-01T00:00:00Z"),
    ]
    series = {"series": [{"ticker": "KXA", "fee_type": "quadratic", "fee_multiplier": 1}]}
    pages.set(markets=[{"markets": waived, "cursor": ""}], series=[series])
    (free, charged), _ = await read(pages)
    assert free.fee.rate == 0
    assert "fee" in free.assumed
    assert charged.fee.rate == 70_000
    assert "fee" not in charged.assumed


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
