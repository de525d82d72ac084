"""What was over before it was heard of, and wanted markets that settled unheard, are found in a list of closed ones."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec import Raw, structs

from predsurv.core.errors import TransientError
from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.net.clock import ManualClock
from predsurv.net.http import StatusError
from predsurv.venues.polymarket.closed_markets import (
    EVERY_INTERVAL,
    INTERVAL,
    LEAST_INTERVAL,
    NAMED_MAX,
    SECOND_LOOK,
    ClosedMarkets,
)
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.gamma_page import GammaPage
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit import patience
from tests.kit.event_list import EventList
from tests.kit.polymarket_frames import key

S = 1_000_000_000
PAGE = 3
Params = Sequence[tuple[str, str]]


def name(number: int) -> str:
    return f"0x{number:064x}"


class Bench:
    """The job, and a Gamma whose list of closed markets is ``rows``; ``honours_order`` like the venue, or not."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock(jumps=True)
        self.shared = PolymarketSharedState()
        self.rows: list[dict[str, Any]] = []
        self.honours_order = True
        self.failing: list[Exception | None] = []  # of the next answers
        self.asked: list[dict[str, list[str]]] = []
        self.times: list[int] = []  # of the readings of what closed
        self.newest_asked = 0
        self.job = ClosedMarkets(self, self.shared, self.clock, **settings)
        self.sink = EventList()

    async def page(self, params: Params) -> GammaPage:
        query: dict[str, list[str]] = {}
        for field, value in params:
            query.setdefault(field, []).append(value)
        is_closed = query["closed"] == ["true"]
        if is_closed:
            self.times.append(self.clock.monotonic() // S)
            self.asked.append(query)
            failure = self.failing.pop(0) if self.failing else None
            if failure is not None:
                raise failure
        else:
            self.newest_asked += 1
        named = query.get("condition_ids")
        rows = [row for row in self.rows if row["closed"] == is_closed and (not named or row["conditionId"] in named)]
        if query.get("order") == ["id"]:
            rows.sort(key=lambda row: int(row["id"]), reverse=True)
        if query.get("order") == ["closedTime"] and self.honours_order:
            rows.sort(key=lambda row: str(row.get("closedTime")), reverse=True)
        if "end_date_min" in query:
            low, high = query["end_date_min"][0], query["end_date_max"][0]
            rows = sorted((row for row in rows if low <= row["endDate"] <= high), key=lambda row: str(row["endDate"]))
        start = int(query.get("after_cursor", ["0"])[0])
        found = rows[start:] if named else rows[start : start + PAGE]
        more = str(start + PAGE) if start + PAGE < len(rows) and not named else None
        return GammaPage([Raw(msgspec.json.encode(row)) for row in found], more)

    def spaced(self, seconds: int) -> str:
        return datetime.fromtimestamp(self.clock.now() // S + seconds, UTC).strftime("%Y-%m-%d %H:%M:%S+00")

    def iso(self, seconds: int) -> str:
        return datetime.fromtimestamp(self.clock.now() // S + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, number: int, *, opened: int = -300, closed: int | None = -10, **more: Any) -> None:
        """List a market that opened and closed so many seconds from now; its first outcome won."""
        row = {
            "id": str(number),
            "conditionId": name(number),
            "question": f"Q{number}",
            "outcomes": '["Up", "Down"]',
            "clobTokenIds": msgspec.json.encode([f"{number}1", f"{number}2"]).decode(),
            "closed": True,
            "active": True,
            "acceptingOrdersTimestamp": self.iso(opened),
            "endDate": self.iso(closed or 0),
            "volumeNum": 100,
            "outcomePrices": '["1", "0"]',
            "umaResolutionStatus": "resolved",
        }
        if closed is not None:
            row["closedTime"] = self.spaced(closed)
        self.rows.append({**row, **more})

    async def round(self) -> list[MarketEvent]:
        await self.job.round(self.sink)
        return self.sink.take()

    def want(self, *numbers: int) -> PolymarketCodec:
        """Open a connection with markets."""
        codec = PolymarketCodec(1, self.shared)
        keys = {structs.replace(key(f"{number}1"), market_id=name(number)) for number in numbers}
        codec.requests(keys, frozenset())
        return codec


def told(events: Sequence[MarketEvent]) -> list[tuple[str, int]]:
    found = [each for each in events if isinstance(each, MarketChange | MarketResolved)]
    return [(each.kind if isinstance(each, MarketChange) else "resolved", int(each.market_id, 16)) for each in found]


async def test_a_market_that_came_and_went_unheard_is_told_as_a_whole_once() -> None:
    bench = Bench()
    bench.add(7, opened=-300, closed=-20)
    over, resolved = await bench.round()
    now = bench.clock.now()
    assert isinstance(over, MarketChange)
    assert over.market is not None
    assert (over.kind, over.market.market_id, over.market.tradable) == ("closed", name(7), False)
    assert (over.opened, over.closed, over.ts_venue) == (now - 300 * S, now - 20 * S, now - 20 * S)
    assert isinstance(resolved, MarketResolved)
    assert (resolved.ts_venue, dict(resolved.payouts)) == (now - 20 * S, {"71": 1_000_000, "72": 0})
    assert await bench.round() == [], "the list repeats it"


async def test_pages_are_read_until_they_reach_the_last_reading() -> None:
    bench = Bench()
    for number in range(1, 12):
        bench.add(number, closed=-100 * number)
    assert [number for kind, number in told(await bench.round()) if kind == "closed"] == [1, 2, 3, 4, 5, 6]
    assert len(bench.asked) == 3, "the third page is older than the look back"
    bench.asked.clear()
    await bench.clock.sleep(1_000 * S)
    bench.add(20, closed=-1)
    assert told(await bench.round()) == [("closed", 20), ("resolved", 20)]
    assert len(bench.asked) == 2, "the second page is older than what is repeated of the last reading"


async def test_a_list_that_cannot_be_ordered_is_read_by_the_dates_when_markets_were_to_end() -> None:
    bench = Bench()
    bench.honours_order = False
    for number in range(1, 6):
        bench.add(number, closed=-50 * (6 - number))
    bench.add(9, closed=-90_000)
    found = told(await bench.round())
    assert sorted(number for kind, number in found if kind == "closed") == [1, 2, 3, 4, 5]
    assert all("end_date_min" in query for query in bench.asked[-2:])
    bench.asked.clear()
    await bench.round()
    assert not any(query.get("order") == ["closedTime"] for query in bench.asked), "it is not asked for again"


@pytest.mark.parametrize("status", [400, 422])
async def test_a_venue_that_refuses_the_order_is_asked_by_dates(status: int) -> None:
    bench = Bench()
    bench.failing = [StatusError("refused", status, b"")]
    bench.add(1)
    assert told(await bench.round()) == [("closed", 1), ("resolved", 1)]


async def test_rows_without_a_time_of_closing_are_no_order() -> None:
    bench = Bench()
    bench.add(1, closed=None, endDate=bench.iso(-10))
    assert told(await bench.round()) == [], "when it closed is not known, so it may be long ago"
    assert "end_date_min" in bench.asked[-1]


async def test_every_wanted_market_is_asked_for_after_a_connection_opened_and_then_those_without_a_book() -> None:
    bench = Bench()
    codec = bench.want(*range(1, NAMED_MAX + 2))
    bench.add(3, closed=-86_400)
    bench.add(4, closed=None, umaResolutionStatus="")
    found = told(await bench.round())
    assert found == [("closed", 3), ("resolved", 3), ("closed", 4)]
    named = [query["condition_ids"] for query in bench.asked if "condition_ids" in query]
    assert sorted(each for names in named for each in names) == [name(number) for number in range(1, NAMED_MAX + 2)]
    assert max(map(len, named)) == NAMED_MAX
    bench.asked.clear()
    codec.awaiting().clear()  # type: ignore[attr-defined]
    await bench.round()
    assert not any("condition_ids" in query for query in bench.asked)
    other = bench.want(99)
    await bench.round()
    (later,) = [query["condition_ids"] for query in bench.asked if "condition_ids" in query]
    assert later == [name(99)], "another connection so soon: what it carries has no book yet"
    await bench.clock.sleep(EVERY_INTERVAL)
    third = bench.want(98)
    bench.asked.clear()
    await bench.round()
    asked = {each for query in bench.asked for each in query.get("condition_ids", ())}
    assert asked == {key.market_id for each in (codec, other, third) for key in each.subscribed.values()}


async def test_what_a_market_pays_is_looked_up_where_the_list_does_not_say_so() -> None:
    bench = Bench()
    bench.add(1, umaResolutionStatus="proposed", outcomePrices='["0.9995", "0.0005"]')
    bench.add(2, outcomePrices='["0.5", "0.5"]')
    assert sorted(told(await bench.round())) == [("closed", 1), ("closed", 2)]
    unsettled = bench.shared.questions.unsettled
    assert {market: each.ended for market, each in unsettled.items()} == dict.fromkeys(
        (name(1), name(2)), bench.clock.now() - 10 * S
    )
    bench.rows[0]["outcomePrices"], bench.rows[0]["umaResolutionStatus"] = '["1", "0"]', "resolved"
    assert told(await bench.round()) == [("resolved", 1)]
    assert name(1) not in bench.shared.questions.unsettled


async def test_of_markets_that_a_scan_leaves_out_it_is_not_said_when_they_were_open() -> None:
    bench = Bench(min_volume=500_000_000)
    bench.add(1, volumeNum=499)
    bench.add(2, volumeNum=500)
    found = {int(each.market_id, 16): each for each in await bench.round() if isinstance(each, MarketChange)}
    assert found[1].opened is None
    assert found[2].opened is not None


async def test_rows_that_cannot_be_recorded_cost_no_other() -> None:
    bench = Bench()
    bench.add(1, clobTokenIds="", closed=-1)
    bench.add(2, conditionId="", closed=-2)
    bench.add(3, closed=-3)
    bench.add(4, closed=-4, outcomePrices=7, startDate=[], acceptingOrdersTimestamp="soon")
    found = await bench.round()
    assert told(found) == [("closed", 3), ("resolved", 3), ("closed", 4)]
    assert isinstance(found[2], MarketChange)
    assert found[2].opened is None


@pytest.mark.parametrize("row", [b"5", b"null", b'"x"', b"[]", b'{"closedTime":7}', b'{"closed":' + b"[" * 5_000])
async def test_rows_that_are_no_rows_are_left_out(row: bytes) -> None:
    bench = Bench()
    bench.add(1)
    answer = bench.page

    async def page(params: Params) -> GammaPage:
        found = await answer(params)
        return GammaPage([*found.markets, Raw(row)], found.next_cursor)

    bench.page = page  # type: ignore[method-assign]
    assert told(await bench.round()) == [("closed", 1), ("resolved", 1)]


async def test_a_market_made_while_no_connection_was_open_is_heard_of() -> None:
    bench = Bench()
    bench.add(5, closed=None, createdAt=bench.iso(-60), opened=-50, acceptingOrders=True, enableOrderBook=True)
    bench.add(4, closed=None, createdAt=bench.iso(-70), opened=-50, acceptingOrders=False, enableOrderBook=True)
    bench.add(3, closed=None, createdAt=bench.iso(-9_000), acceptingOrders=True, enableOrderBook=True)
    for row in bench.rows:
        row["closed"] = False
    opened, made = await bench.round()
    assert isinstance(opened, MarketChange)
    assert isinstance(made, MarketChange)
    assert told([opened, made]) == [("listed", 5), ("created", 4)]
    assert opened.market is not None
    assert opened.market.tradable
    assert opened.opened == bench.clock.now() - 50 * S
    assert [*bench.shared.questions.new] == [name(4)], "when it opens is looked up"
    assert await bench.round() == []
    for number in range(6, 16):
        bench.add(number, closed=None, createdAt=bench.iso(-200 * (number - 5)), acceptingOrders=True)
        bench.rows[-1]["closed"] = False
    bench.newest_asked = 0
    await bench.round()
    assert bench.newest_asked == 1, "the first page ends with one that was known at the last reading"


async def test_a_reading_that_fails_is_repeated_and_covers_the_same_time() -> None:
    bench = Bench()
    await bench.round()
    bench.failing = [TransientError("down")]
    assert await bench.round() == []
    await bench.clock.sleep(3_600 * S)
    bench.add(1, closed=-3_000)
    assert told(await bench.round()) == [("closed", 1), ("resolved", 1)]


async def test_wanted_markets_that_are_refused_cost_neither_the_others_nor_the_list() -> None:
    bench = Bench()
    bench.shared.questions.connections = 1
    codec = bench.want(*range(1, NAMED_MAX + 2))
    bench.add(NAMED_MAX + 1, closed=-86_400)
    bench.add(500, closed=-5)
    bench.failing = [StatusError("answered HTTP 422", 422, b"")]
    assert told(await bench.round()) == [
        ("closed", NAMED_MAX + 1),
        ("resolved", NAMED_MAX + 1),
        ("closed", 500),
        ("resolved", 500),
    ]
    assert len(codec.subscribed) == NAMED_MAX + 1


@pytest.mark.parametrize("ahead", [300, 86_400])
async def test_what_is_new_in_a_list_is_not_decided_by_the_machine_s_clock(ahead: int) -> None:
    bench = Bench()
    bench.add(1, closed=-ahead - 60)
    bench.add(2, closed=None, createdAt=bench.iso(-ahead - 60), acceptingOrders=True, enableOrderBook=True)
    bench.rows[-1]["closed"] = False
    await bench.round()
    await bench.clock.sleep(60 * S)
    bench.add(3, closed=-ahead - 10)
    bench.add(4, closed=None, createdAt=bench.iso(-ahead - 10), acceptingOrders=True, enableOrderBook=True)
    bench.rows[-1]["closed"] = False
    found = told(await bench.round())
    assert [each for each in found if each[1] > 2] == [("closed", 3), ("resolved", 3), ("listed", 4)]
    assert told(await bench.round()) == []


async def test_the_list_is_read_at_once_when_a_connection_opens_and_once_a_minute_otherwise() -> None:
    bench = Bench()
    running = asyncio.create_task(bench.job.run(bench.sink))
    for _ in range(50):
        await asyncio.sleep(0)
    assert bench.times == [], "nothing was missed before the first connection"
    bench.failing = [None, None, TransientError("down")]
    bench.shared.questions.connections += 1
    await patience.until(lambda: len(bench.times) >= 5)
    running.cancel()
    waits = [(after - before) * S for before, after in pairwise(bench.times[:5])]
    assert waits == [SECOND_LOOK, INTERVAL, LEAST_INTERVAL, INTERVAL]
