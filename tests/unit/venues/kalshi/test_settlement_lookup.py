"""What became of markets while nobody listened."""

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
from predsurv.venues.kalshi.settlement_lookup import MARKETS_MAX, ROUND, TICKERS_MAX, SettlementLookup
from tests.kit.kalshi_frames import NOW, Talk, key, snapshot, wire
from tests.kit.scripted_kalshi_rest import Pages

A, B = "KXA-26", "KXB-26"


def row(ticker: str, status: str, **more: Any) -> dict[str, Any]:
    return {"ticker": ticker, "event_ticker": "KX-26", "status": status, **more}


def life(seq: int, kind: str, **more: Any) -> bytes:
    body = {"market_ticker": A, "event_type": kind, **more}
    return wire({"type": "market_lifecycle_v2", "sid": 3, "seq": seq, "msg": body})


class Desk:
    """An inquiry about ``tickers`` to a venue whose markets stand as ``rows`` says."""

    def __init__(self, tickers: Iterable[str], *rows: dict[str, Any]) -> None:
        self.rows = {each["ticker"]: each for each in rows}
        self.pages = Pages(markets=[self.answer])
        self.asked: list[list[str]] = []
        self.told: list[MarketEvent] = []
        self.inquiry = SettlementLookup(
            self.pages.rest(), lambda: tickers, LifecycleReader().standing, self.pages.clock
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        names = request.url.params["tickers"].split(",")
        self.asked.append(names)
        found = [self.rows[name] for name in names if name in self.rows]
        return httpx.Response(200, content=json.dumps({"markets": found, "cursor": ""}).encode())

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.told += events

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.inquiry.round(self)


async def test_a_result_is_told_once() -> None:
    settled = row(A, "finalized", result="yes", settlement_value_dollars="1.0000", settlement_ts="2026-11-20T12:00:00Z")
    desk = Desk([A, B], settled, row(B, "active"))
    await desk.rounds(2)
    (resolved,) = desk.told
    assert isinstance(resolved, MarketResolved)
    assert resolved.payouts == ((A, 1_000_000), (f"{A}:no", 0))
    assert resolved.ts_venue == 1_795_176_000_000_000_000
    assert not resolved.void


async def test_pauses_and_ends_are_told_where_nobody_else_does() -> None:
    desk = Desk([A], row(A, "active"))
    kinds = ["active", "inactive", "inactive", "active", "closed", "determined", "finalized"]
    for kind in kinds:
        desk.rows[A] = row(A, kind, result="no" if kind in ("determined", "finalized") else "")
        await desk.rounds(1)
    told = [each.kind if isinstance(each, MarketChange) else type(each).__name__ for each in desk.told]
    assert told == ["paused", "activated", "closed", "MarketResolved"]


async def test_many_are_asked_about_in_turns() -> None:
    tickers = [f"KX{number:04d}-26" for number in range(MARKETS_MAX + 250)]
    desk = Desk(tickers)
    await desk.rounds(1)
    assert sum(map(len, desk.asked)) == MARKETS_MAX
    await desk.rounds(1)
    assert {name for names in desk.asked for name in names} == set(tickers)
    assert all(len(names) <= TICKERS_MAX for names in desk.asked)


async def test_nobody_is_asked_about_nothing() -> None:
    desk = Desk([])
    await desk.rounds(1)
    assert desk.asked == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"markets":[{}]}', b'{"markets":[{"ticker":5}]}', b"[" * 200_000])
async def test_an_unreadable_answer_is_no_answer(body: bytes) -> None:
    desk = Desk([A])
    desk.pages.set(markets=[body])
    await desk.rounds(1)
    assert desk.told == []


async def test_a_refusal_ends_nothing() -> None:
    desk = Desk([A], row(A, "finalized", result="no"))
    desk.pages.set(markets=[httpx.Response(400, json={}), desk.answer])
    await desk.rounds(2)
    assert [type(each) for each in desk.told] == [MarketResolved]


@pytest.mark.parametrize(("result", "value"), [("", None), ("scalar", None), ("yes", "7"), (None, "nan")])
def test_a_result_that_makes_no_sense_is_refused(result: str | None, value: str | None) -> None:
    broken = MarketRow(A, "KX-26", "finalized", result=result, settlement_value_dollars=value)
    with pytest.raises((WireError, ValueError)):
        LifecycleReader().result(broken, NOW)


def test_only_markets_without_a_book_or_a_result_are_doubtful() -> None:
    memory = KalshiSharedState()
    talk = Talk(A, B, live=False, memory=memory)
    assert memory.doubtful() == {A, B}
    talk.hear(snapshot(A, talk.next(), [["0.4000", "1.00"]]))
    assert memory.doubtful() == {B}
    (closed,) = talk.hear(life(1, "settled", settled_ts=5))
    assert isinstance(closed, MarketChange)
    assert memory.doubtful() == {A, B}
    (resolved,) = memory.announcements.result(MarketRow(A, "KX-26", "finalized", result="no"), NOW)
    assert isinstance(resolved, MarketResolved)
    assert memory.doubtful() == {B}


def test_what_was_asked_for_and_what_is_announced_meet() -> None:
    memory = KalshiSharedState()
    talk = Talk(A, memory=memory)
    assert memory.announcements.result(MarketRow(A, "KX-26", "determined", result="yes"), NOW) == []
    (resolved,) = talk.hear(life(1, "settled", settled_ts=5))
    assert isinstance(resolved, MarketResolved), "though nobody heard what it pays when that was announced"
    assert memory.announcements.result(MarketRow(A, "KX-26", "finalized", result="yes"), NOW) == []


async def test_a_market_that_nobody_wants_since_it_closed_settles_too() -> None:
    desk = Desk([], row(A, "closed"))
    desk.pages.set(markets__orderbooks=[{"orderbooks": []}])
    feed = PollingFeed(desk.pages.rest(), desk.pages.clock)
    await feed.watch({key(A)})
    async for batch in feed.batches():
        desk.told += [event for event in batch if isinstance(event, MarketChange | MarketResolved)]
        if len(desk.told) == 2:
            break
        if desk.told:
            await feed.watch(frozenset())
            desk.rows[A] = row(A, "finalized", result="no")
    await feed.aclose()
    assert [type(event) for event in desk.told] == [MarketChange, MarketResolved]
    assert desk.pages.clock.monotonic() < 2 * ROUND, "in the second round"


async def test_a_polled_market_settles() -> None:
    desk = Desk([], row(A, "finalized", result="scalar", settlement_value_dollars="0.3700"))
    desk.pages.set(markets__orderbooks=[{"orderbooks": [{"ticker": A, "orderbook_fp": {}}]}])
    feed = PollingFeed(desk.pages.rest(), desk.pages.clock)
    await feed.watch({key(A)})
    async for batch in feed.batches():
        desk.told += [event for event in batch if isinstance(event, MarketResolved)]
        if desk.told:
            break
    await feed.aclose()
    (resolved,) = desk.told
    assert isinstance(resolved, MarketResolved)
    assert (resolved.void, resolved.payouts[0][1]) == (True, 370_000)
    assert desk.pages.clock.monotonic() < ROUND, "in the first round"
