"""Settlements found over REST, where no announcement was received."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import httpx
import pytest

from predsurv.core.errors import WireError
from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.venues.kalshi.decoder import KalshiSharedState
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.polling_feed import PollingFeed
from predsurv.venues.kalshi.rest_wire import MarketRow
from predsurv.venues.kalshi.settlement_lookup import MARKETS_MAX, ROUND_INTERVAL, TICKERS_MAX, SettlementLookup
from tests.kit.kalshi_frames import NOW, CodecConnection, key, snapshot, wire
from tests.kit.scripted_kalshi_rest import Pages

A, B = "KXA-26", "KXB-26"


def row(ticker: str, status: str, **more: Any) -> dict[str, Any]:
    return {"ticker": ticker, "event_ticker": "KX-26", "status": status, **more}


def life(seq: int, kind: str, **more: Any) -> bytes:
    body = {"market_ticker": A, "event_type": kind, **more}
    return wire({"type": "market_lifecycle_v2", "sid": 3, "seq": seq, "msg": body})


class Bench:
    """A lookup of ``tickers`` at a venue whose markets are ``rows``."""

    def __init__(self, tickers: Iterable[str], *rows: dict[str, Any]) -> None:
        self.rows = {each["ticker"]: each for each in rows}
        self.pages = Pages(markets=[self.answer])
        self.requested: list[list[str]] = []
        self.events: list[MarketEvent] = []
        self.lookup = SettlementLookup(
            self.pages.rest(), lambda: tickers, LifecycleReader().status_changes, self.pages.clock
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        if "tickers" not in request.url.params:  # the changes of all markets
            return httpx.Response(200, content=b'{"markets":[],"cursor":""}')
        names = request.url.params["tickers"].split(",")
        self.requested.append(names)
        found = [self.rows[name] for name in names if name in self.rows]
        return httpx.Response(200, content=json.dumps({"markets": found, "cursor": ""}).encode())

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.events += events

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.lookup.round(self)


async def test_a_settlement_is_published_once() -> None:
    settled = row(A, "finalized", result="yes", settlement_value_dollars="1.0000", settlement_ts="2026-11-20T12:00:00Z")
    bench = Bench([A, B], settled, row(B, "active"))
    await bench.rounds(2)
    (resolved,) = bench.events
    assert isinstance(resolved, MarketResolved)
    assert resolved.payouts == ((A, 1_000_000), (f"{A}:no", 0))
    assert resolved.ts_venue == 1_795_176_000_000_000_000
    assert not resolved.void


async def test_status_changes_of_polled_markets_are_published() -> None:
    bench = Bench([A], row(A, "active"))
    kinds = ["active", "inactive", "inactive", "active", "closed", "determined", "finalized"]
    for kind in kinds:
        bench.rows[A] = row(A, kind, result="no" if kind in ("determined", "finalized") else "")
        await bench.rounds(1)
    kinds_published = [each.kind if isinstance(each, MarketChange) else type(each).__name__ for each in bench.events]
    assert kinds_published == ["paused", "activated", "closed", "MarketResolved"]


async def test_many_tickers_take_turns() -> None:
    tickers = [f"KX{number:04d}-26" for number in range(MARKETS_MAX + 250)]
    bench = Bench(tickers)
    await bench.rounds(1)
    assert sum(map(len, bench.requested)) == MARKETS_MAX
    await bench.rounds(1)
    assert {name for names in bench.requested for name in names} == set(tickers)
    assert all(len(names) <= TICKERS_MAX for names in bench.requested)


async def test_no_tickers_make_no_request() -> None:
    bench = Bench([])
    await bench.rounds(1)
    assert bench.requested == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"markets":[{}]}', b'{"markets":[{"ticker":5}]}', b"[" * 200_000])
async def test_an_unreadable_answer_is_no_answer(body: bytes) -> None:
    bench = Bench([A])
    bench.pages.set(markets=[body])
    await bench.rounds(1)
    assert bench.events == []


async def test_a_refused_request_does_not_end_the_lookup() -> None:
    bench = Bench([A], row(A, "finalized", result="no"))
    bench.pages.set(markets=[httpx.Response(400, json={}), bench.answer])
    await bench.rounds(2)
    assert [type(each) for each in bench.events] == [MarketResolved]


@pytest.mark.parametrize(("result", "value"), [("", None), ("scalar", None), ("yes", "7"), (None, "nan")])
def test_an_impossible_result_is_refused(result: str | None, value: str | None) -> None:
    broken = MarketRow(A, "KX-26", "finalized", result=result, settlement_value_dollars=value)
    with pytest.raises((WireError, ValueError)):
        LifecycleReader().settlement(broken, NOW)


def test_only_markets_without_a_book_or_a_payout_are_looked_up() -> None:
    shared = KalshiSharedState()
    connection = CodecConnection(A, B, live=False, shared=shared)
    assert shared.unsettled_tickers() == {A, B}
    connection.receive(snapshot(A, connection.next(), [["0.4000", "1.00"]]))
    assert shared.unsettled_tickers() == {B}
    (closed,) = connection.receive(life(1, "settled", settled_ts=5))
    assert isinstance(closed, MarketChange)
    assert shared.unsettled_tickers() == {A, B}
    (resolved,) = shared.lifecycle.settlement(MarketRow(A, "KX-26", "finalized", result="no"), NOW)
    assert isinstance(resolved, MarketResolved)
    assert shared.unsettled_tickers() == {B}


def test_a_payout_from_rest_completes_an_announced_settlement() -> None:
    shared = KalshiSharedState()
    connection = CodecConnection(A, shared=shared)
    assert shared.lifecycle.settlement(MarketRow(A, "KX-26", "determined", result="yes"), NOW) == []
    (resolved,) = connection.receive(life(1, "settled", settled_ts=5))
    assert isinstance(resolved, MarketResolved), "though the announcement of its payout was missed"
    assert shared.lifecycle.settlement(MarketRow(A, "KX-26", "finalized", result="yes"), NOW) == []


async def test_a_closed_market_settles_after_it_is_no_longer_wanted() -> None:
    bench = Bench([], row(A, "closed"))
    bench.pages.set(markets__orderbooks=[{"orderbooks": []}])
    feed = PollingFeed(bench.pages.rest(), bench.pages.clock)
    await feed.watch({key(A)})
    async for batch in feed.batches():
        bench.events += [event for event in batch if isinstance(event, MarketChange | MarketResolved)]
        if len(bench.events) == 2:
            break
        if bench.events:
            await feed.watch(frozenset())
            bench.rows[A] = row(A, "finalized", result="no")
    await feed.aclose()
    assert [type(event) for event in bench.events] == [MarketChange, MarketResolved]
    assert bench.pages.clock.monotonic() < 2 * ROUND_INTERVAL, "in the second round"


async def test_a_polled_market_settles() -> None:
    bench = Bench([], row(A, "finalized", result="scalar", settlement_value_dollars="0.3700"))
    bench.pages.set(markets__orderbooks=[{"orderbooks": [{"ticker": A, "orderbook_fp": {}}]}])
    feed = PollingFeed(bench.pages.rest(), bench.pages.clock)
    await feed.watch({key(A)})
    async for batch in feed.batches():
        bench.events += [event for event in batch if isinstance(event, MarketResolved)]
        if bench.events:
            break
    await feed.aclose()
    (resolved,) = bench.events
    assert isinstance(resolved, MarketResolved)
    assert (resolved.void, resolved.payouts[0][1]) == (True, 370_000)
    assert bench.pages.clock.monotonic() < ROUND_INTERVAL, "in the first round"
