"""Where the venue refuses part of what became of markets, the rest is told; what is too much is said."""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from predsurv.core.events import MarketChange
from predsurv.net.clock import ManualClock
from predsurv.net.http import StatusError
from predsurv.venues.polymarket import closed_markets
from predsurv.venues.polymarket.closed_markets import ClosedMarkets
from predsurv.venues.polymarket.gamma_page import GammaPage
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.event_list import EventList


class Gamma:
    """A list of closed markets without any, and one of the newest, page by page; ``refusing``: what is refused."""

    def __init__(self, *newest: Sequence[bytes]) -> None:
        self.clock = ManualClock(jumps=True)
        self.newest = newest
        self.refusing: dict[str, StatusError] = {}  # by the order that was asked for
        self.orders: list[str] = []
        self.endless = False
        self.job = ClosedMarkets(self, PolymarketSharedState(), self.clock)
        self.sink = EventList()

    async def page(self, params: Sequence[tuple[str, str]]) -> GammaPage:
        query = dict(params)
        order = query.get("order", "")
        self.orders.append(order)
        if order in self.refusing:
            raise self.refusing[order]
        number = int(query.get("after_cursor", "0"))
        rows = self.newest[number] if order == "id" and number < len(self.newest) else ()
        more = self.endless or (order == "id" and number + 1 < len(self.newest))
        return GammaPage([Raw(each) for each in rows], str(number + 1) if more else None)

    def row(self, number: int, **more: Any) -> bytes:
        """A market that was made just now and trades."""
        known = {
            "id": str(number),
            "conditionId": f"0x{number:064x}",
            "question": f"Q{number}",
            "outcomes": '["Up", "Down"]',
            "clobTokenIds": msgspec.json.encode([f"{number}1", f"{number}2"]).decode(),
            "closed": False,
            "active": True,
            "createdAt": closed_markets._iso(self.clock.now()),
            "acceptingOrders": True,
            "enableOrderBook": True,
        }
        return msgspec.json.encode({**known, **more})

    async def listed(self) -> list[int]:
        """Read once; return the markets that are news."""
        assert await self.job.round(self.sink)
        return [int(each.market_id, 16) for each in self.sink.take() if isinstance(each, MarketChange)]


async def test_new_markets_that_cannot_be_read_or_are_over_are_no_news_and_cost_no_other() -> None:
    gamma = Gamma()
    unreadable = gamma.row(1, clobTokenIds=7)
    over = gamma.row(2, closed=True)
    gamma.newest = ((unreadable, over, gamma.row(3)),)
    assert await gamma.listed() == [3]


async def test_a_venue_that_refuses_the_newest_still_tells_what_closed() -> None:
    gamma = Gamma()
    gamma.refusing["id"] = StatusError("refused", 422, b"")
    assert await gamma.listed() == []
    assert gamma.orders[-1] == "id"


async def test_an_order_that_fails_for_now_is_asked_for_again() -> None:
    gamma = Gamma()
    gamma.refusing["closedTime"] = StatusError("down", 503, b"")
    assert not await gamma.job.round(gamma.sink)
    gamma.refusing.clear()
    assert await gamma.listed() == []
    assert gamma.orders.count("closedTime") == 2
    assert "endDate" not in gamma.orders


async def test_more_pages_than_are_read_are_said_to_be_missing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_markets, "PAGES_MAX", 3)
    gamma = Gamma()
    gamma.endless = True
    gamma.refusing["closedTime"] = StatusError("refused", 422, b"")
    with caplog.at_level(logging.WARNING):
        await gamma.job.round(gamma.sink)
    assert gamma.orders.count("endDate") == 3
    assert "more markets closed since the last reading than are read; some may be missing" in caplog.text
