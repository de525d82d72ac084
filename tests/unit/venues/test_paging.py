"""Chains of cursors are read to their end, one page ahead; rows are matched once."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Money, Price, Size
from predsurv.ports import FILTERED, MarketQuery
from predsurv.venues import paging

Chain = Mapping[str | None, str | None]
MARKET = Market(
    venue=VenueName("mock"),
    market_id=MarketId("m"),
    event_id=EventId("e"),
    question="?",
    outcomes=(Outcome(InstrumentId("y"), "Yes"), Outcome(InstrumentId("n"), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(1),
    fetched_at=0,
)


class Source:
    """Pages that are the pair of their own cursor and the next one."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.fetched: list[str | None] = []

    async def fetch(self, cursor: str | None) -> tuple[str | None, str | None]:
        await asyncio.sleep(0)
        self.fetched.append(cursor)
        if cursor == "down":
            raise TransientError("down")
        return cursor, self.chain[cursor]

    async def read(self, pages_max: int = 10) -> list[str | None]:
        pages = paging.cursor_pages(self.fetch, lambda page: page[1], pages_max=pages_max, circular="circles")
        async with aclosing(pages):
            return [page[0] async for page in pages]


@pytest.mark.parametrize("last", [None, ""])
async def test_pages_are_read_until_a_cursor_is_empty(last: str | None) -> None:
    assert await Source({None: "a", "a": "b", "b": last}).read() == [None, "a", "b"]


@pytest.mark.parametrize("chain", [{None: "a", "a": "a"}, {None: "a", "a": "b", "b": "a"}])
async def test_a_repeated_cursor_is_refused(chain: Chain) -> None:
    with pytest.raises(PermanentError, match="circles"):
        await Source(chain).read()


async def test_a_chain_is_bounded() -> None:
    chain: Chain = {None: "1", **{str(number): str(number + 1) for number in range(1, 20)}}
    source = Source(chain)
    with pytest.raises(PermanentError, match="circles"):
        await source.read(pages_max=5)
    assert len(source.fetched) == 6


async def test_the_next_page_is_fetched_while_one_is_read() -> None:
    source = Source({None: "a", "a": None})
    async with aclosing(paging.cursor_pages(source.fetch, lambda page: page[1], pages_max=9, circular="")) as pages:
        await anext(pages)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert source.fetched == [None, "a"]


async def test_an_error_ends_the_chain() -> None:
    with pytest.raises(TransientError):
        await Source({None: "down"}).read()


async def test_an_abandoned_chain_leaves_no_task() -> None:
    source = Source({None: "a", "a": "b", "b": None})
    async with aclosing(paging.cursor_pages(source.fetch, lambda page: page[1], pages_max=9, circular="")) as pages:
        await anext(pages)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_issues_are_bounded_and_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "ISSUES_MAX", 3)
    issues = paging.ScanIssues(VenueName("mock"))
    for number in range(5):
        issues.add(f"row {number}", "\x1b" + "x" * 1_000)
    assert [issue.where for issue in issues.found] == ["row 0", "row 1", "row 2"]
    assert max(len(issue.detail) for issue in issues.found) <= 200
    assert not any("\x1b" in issue.detail for issue in issues.found)


def markets(*names: str, **changes: object) -> list[Market]:
    return [replace(MARKET, market_id=MarketId(name), **changes) for name in names]


def test_a_market_on_two_pages_is_selected_once() -> None:
    matching = paging.MarketFilter(MarketQuery(), lambda market: market.market_id)
    selected = [[each.market_id for each in matching.select(page)] for page in (markets("a", "b"), markets("b", "c"))]
    assert selected == [["a", "b"], ["c"]]
    assert not matching.full


def test_a_filter_is_full_at_its_limit() -> None:
    matching = paging.MarketFilter(MarketQuery(limit=2), lambda market: market.market_id)
    assert [each.market_id for each in matching.select(markets("a", "a", "b", "c"))] == ["a", "b"]
    assert matching.full


@pytest.mark.parametrize(
    ("query", "changes", "matches"),
    [
        (MarketQuery(), {"status": "resolved"}, False),
        (MarketQuery(include_closed=True), {"status": "void"}, True),
        (MarketQuery(min_volume=Money(5)), {"volume": 4}, False),
        (MarketQuery(min_volume=Money(5)), {"volume": None}, False),
        (MarketQuery(min_volume=Money(5)), {"volume": 5}, True),
        (MarketQuery(min_liquidity=Money(5)), {"liquidity": 4}, False),
    ],
)
def test_markets_match_by_status_volume_and_liquidity(
    query: MarketQuery, changes: dict[str, object], matches: bool
) -> None:
    matching = paging.MarketFilter(query, lambda market: market.market_id)
    assert bool([*matching.select(markets("a", **changes))]) == matches


def test_a_market_that_the_query_excludes_is_counted_once_and_an_ended_one_is_not() -> None:
    left_out = Counter[str]()
    matching = paging.MarketFilter(MarketQuery(min_volume=Money(5)), lambda market: market.market_id, left_out)
    for page in (markets("a", "b", volume=4), markets("b", volume=4), markets("c", volume=9, status="closed")):
        assert list(matching.select(page)) == []
    assert left_out == {FILTERED: 2}


def test_a_field_unreadable_in_many_markets_is_one_issue_with_their_number() -> None:
    issues = paging.ScanIssues(VenueName("mock"))
    issues.add("page 1 row 1", "bad")
    for number in range(2, 5):
        issues.add_field("tick", f"page 1 row {number}", "\x1b no number")
    field, row = issues.found
    assert (field.where, field.kept, row.kept) == ("field tick", 3, 0)
    assert field.detail.startswith("first at page 1 row 2: ")
    assert "\x1b" not in field.detail


def test_fields_with_issues_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "FIELDS_MAX", 2)
    issues = paging.ScanIssues(VenueName("mock"))
    for name in ("a", "b", "c", "a"):
        issues.add_field(name, "page 1 row 1", "bad")
    assert [(issue.where, issue.kept) for issue in issues.found] == [("field a", 2), ("field b", 1)]
