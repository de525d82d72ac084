"""The simulated Gamma lists markets that are over in the order and within the bounds that are asked for."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from tests.kit.given_clock import GivenClock

S = 1_000_000_000


@pytest.fixture
async def simulator() -> AsyncIterator[PolymarketSimulator]:
    made = PolymarketSimulator(PolymarketSimulatorSettings(markets=150, rate=100), GivenClock())
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def rest(simulator: PolymarketSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.gamma_url, trust_env=False) as client:
        yield client


async def closed_pages(rest: httpx.AsyncClient, **query: str) -> list[list[dict[str, Any]]]:
    pages, cursor = list[list[dict[str, Any]]](), None
    while cursor is not None or not pages:
        more: dict[str, str] = {} if cursor is None else {"after_cursor": cursor}
        page = (await rest.get("/markets/keyset", params={"limit": "3", **query, **more})).json()
        pages.append(page["markets"])
        cursor = page.get("next_cursor")
    return pages


async def test_markets_that_are_over_are_listed_by_when_they_closed(
    simulator: PolymarketSimulator, rest: httpx.AsyncClient
) -> None:
    await simulator.advance(40 * S)
    pages = await closed_pages(rest, closed="true", order="closedTime", ascending="false")
    rows = [row for page in pages for row in page if row.get("closedTime")]
    assert len(rows) > 3
    times = [datetime.strptime(row["closedTime"] + "00", "%Y-%m-%d %H:%M:%S%z") for row in rows]
    assert times == sorted(times, reverse=True)
    by_condition = {row["conditionId"]: row for row in rows}
    for market in simulator.catalog.rows:
        assert market.is_closed == (market.condition in by_condition)
    settled = [row for row in rows if row["umaResolutionStatus"] == "resolved"]
    prices = {tuple(json.loads(row["outcomePrices"])) for row in settled}
    assert prices <= {("1", "0"), ("0", "1"), ("0.5", "0.5")}
    assert all(row["acceptingOrdersTimestamp"] <= row["endDate"] for row in rows)


async def test_listings_can_be_bound_by_the_dates_when_markets_end(
    simulator: PolymarketSimulator, rest: httpx.AsyncClient
) -> None:
    await simulator.advance(40 * S)
    every = [row for page in await closed_pages(rest, closed="true") for row in page if row.get("endDate")]
    ends = sorted(row["endDate"] for row in every)
    middle = ends[len(ends) // 2]
    late = await closed_pages(rest, closed="true", end_date_min=middle, order="endDate", ascending="true")
    early = await closed_pages(rest, closed="true", end_date_max=middle)
    assert [row["endDate"] for page in late for row in page if row.get("endDate")] == [
        each for each in ends if each >= middle
    ]
    assert {row["endDate"] for page in early for row in page if row.get("endDate")} == {
        each for each in ends if each <= middle
    }
