"""Rows that cannot be read cost no others, and terms that cannot be had are asked for again later."""

import json
from typing import Any

import httpx
import pytest
from msgspec import Raw

from predsurv.venues.kalshi import market_parser, terms_lookup
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.terms_lookup import ASK_AGAIN, TermsLookup
from tests.kit.scripted_kalshi_rest import Pages

SERIES = {"ticker": "KXN", "category": "Crypto", "tags": [], "fee_type": "quadratic", "fee_multiplier": 0.5}
EVENT = {"event_ticker": "KXN-26", "series_ticker": "KXN", "title": "Up?", "mutually_exclusive": True}


class Bench:
    """A lookup at a venue with one series and one event."""

    def __init__(self) -> None:
        self.pages = Pages(events=[{"events": [EVENT], "cursor": ""}])
        self.pages.set(series__KXN=[{"series": SERIES}])
        self.lookup = TermsLookup(self.pages.rest(), self.pages.clock, EventDirectory())

    async def read(self, *rows: bytes) -> list[str]:
        """The markets that are read."""
        return [each.market.market_id for each in await self.lookup.read(map(Raw, rows))]


def row(ticker: str, event: str = "KXN-26", **more: Any) -> bytes:
    return json.dumps({"ticker": ticker, "event_ticker": event, "status": "active", "title": ticker, **more}).encode()


@pytest.mark.parametrize("spoilt", [b"5", b"null", b"[]", b'{"ticker":', b'{"ticker":7}', b"[" * 5_000])
async def test_rows_that_are_no_rows_cost_no_other(spoilt: bytes) -> None:
    assert await Bench().read(spoilt, row("KXN-26-X"), spoilt) == ["KXN-26-X"]


async def test_a_market_that_cannot_be_parsed_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = market_parser.parse_market

    def refuse(found: Any, *rest: Any) -> Any:
        if found.ticker == "KXN-26-X":
            raise ValueError("no market of any kind")
        return parse(found, *rest)

    monkeypatch.setattr(terms_lookup, "parse_market", refuse)
    assert await Bench().read(row("KXN-26-X"), row("KXN-26-Y")) == ["KXN-26-Y"]


@pytest.mark.parametrize("events", [b"<html>", {"events": [7, EVENT], "cursor": ""}, httpx.Response(404)])
async def test_events_that_cannot_be_read_leave_their_markets(events: Any) -> None:
    bench = Bench()
    bench.pages.set(events=[events])
    assert await bench.read(row("KXN-26-X")) == ["KXN-26-X"]


async def test_of_what_is_known_nothing_is_asked_and_the_rest_not_at_once_again() -> None:
    bench = Bench()
    bench.pages.set(events=[httpx.Response(404)])
    for _ in range(2):
        await bench.read(row("KXN-26-X"))
    assert bench.pages.paths() == ["/series/KXN", "/events"]
    await bench.pages.clock.sleep(ASK_AGAIN)
    await bench.read(row("KXN-26-X"))
    assert bench.pages.paths() == ["/series/KXN", "/events", "/events"]


async def test_what_was_asked_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms_lookup, "ASKED_MAX", 2)
    bench = Bench()
    bench.pages.set(events=[httpx.Response(404)])
    for event in ("KXN-26", "KXN-27", "KXN-28", "KXN-26"):
        await bench.read(row(f"{event}-X", event))
    assert bench.pages.paths() == ["/series/KXN", "/events", "/events", "/events", "/events"]
