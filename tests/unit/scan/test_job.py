"""A scan writes each venue's universe whole or not at all, and one venue's trouble is its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.ids import EventId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.net.clock import ManualClock
from predsurv.ports import FILTERED, UNREADABLE, MarketQuery, ScanIssue, Venue
from predsurv.scan import job
from predsurv.scan.job import ScanJob, ScanProgress, VenueScan, scan_venues
from predsurv.store.layout import Layout
from predsurv.store.universe import latest_universe, read_universe
from predsurv.store.universe_writer import UniverseWriter
from tests.kit.market_samples import market
from tests.kit.patience import PATIENCE_S

EVERYTHING = MarketQuery()


@dataclass
class FakeCatalog:
    """Yields ``items``; an exception among them is raised at its turn."""

    items: Sequence[Market | Exception]
    issues: Sequence[ScanIssue] = ()
    incomplete_events: AbstractSet[EventId] = frozenset()
    left_out: Mapping[str, int] = field(default_factory=dict)
    pages: int = 1
    closed: int = 0
    running: list[int] = field(default_factory=lambda: [0, 0])

    async def markets(self, query: MarketQuery) -> AsyncIterator[Market]:
        self.running[0] += 1
        self.running[1] = max(self.running)
        for item in self.items:
            await asyncio.sleep(0)
            if isinstance(item, Exception):
                raise item
            yield item
        self.running[0] -= 1

    async def aclose(self) -> None:
        self.closed += 1


@dataclass
class FakeVenue:
    """A venue that has nothing but a catalogue."""

    name: VenueName
    offered: FakeCatalog

    def catalog(self) -> FakeCatalog:
        return self.offered


@dataclass
class Run:
    """What a scan of fake venues left behind."""

    results: list[VenueScan]
    told: list[ScanProgress]


async def run(folder: Path, catalogs: dict[str, FakeCatalog], query: MarketQuery = EVERYTHING) -> Run:
    clock, told = ManualClock(), list[ScanProgress]()
    venues = [cast(Venue, FakeVenue(VenueName(name), catalog)) for name, catalog in catalogs.items()]
    scan = ScanJob(
        queries={venue.name: query for venue in venues},
        sink=lambda name: UniverseWriter(folder, name, clock.now()),
        clock=clock,
        progress=told.append,
    )
    return Run(await scan_venues(venues, scan), told)


def universe(folder: Path, venue: str) -> list[str]:
    path = latest_universe(folder, VenueName(venue))
    return [] if path is None else [found.market_id for found in read_universe(path)]


async def test_a_scan_writes_what_is_eligible(tmp_path: Path) -> None:
    catalog = FakeCatalog([market(1), replace(market(2), status="closed"), market(3)])
    done = await run(tmp_path, {"mock": catalog})
    (result,) = done.results
    assert universe(tmp_path, "mock") == ["m1", "m3"]
    assert (result.totals.markets, result.left_out, result.failure) == (2, {"filtered": 1}, None)
    assert result.path == latest_universe(tmp_path, VenueName("mock"))
    assert catalog.closed == 1
    assert done.told[-1] == ScanProgress(VenueName("mock"), 2, 1, "done")


@pytest.mark.parametrize("error", [TransientError("no answer"), PermanentError("not allowed")])
async def test_a_venue_that_fails_keeps_its_old_file_and_the_others_finish(tmp_path: Path, error: Exception) -> None:
    await run(tmp_path, {"bad": FakeCatalog([market(1)])})
    done = await run(tmp_path, {"bad": FakeCatalog([market(7), error]), "good": FakeCatalog([market(2)])})
    bad, good = done.results
    assert (bad.failure, bad.path) == (str(error), None)
    assert (universe(tmp_path, "bad"), universe(tmp_path, "good")) == (["m1"], ["m2"])
    assert good.failure is None
    assert list((tmp_path / "state").rglob("*.jsonl")) == []


async def test_a_catalogue_without_any_market_is_not_believed(tmp_path: Path) -> None:
    await run(tmp_path, {"mock": FakeCatalog([market(1)])})
    done = await run(tmp_path, {"mock": FakeCatalog([])})
    assert "no readable market" in str(done.results[0].failure)
    assert universe(tmp_path, "mock") == ["m1"]


async def test_no_market_within_the_limits_is_no_failure_and_writes_nothing(tmp_path: Path) -> None:
    await run(tmp_path, {"mock": FakeCatalog([market(1)])})
    before = latest_universe(tmp_path, VenueName("mock"))
    assert before is not None
    text = before.read_bytes()
    for items in ([], [market(1)]):
        (result,) = (await run(tmp_path, {"mock": FakeCatalog(items)}, MarketQuery(min_volume=Money(10**15)))).results
        assert (result.failure, result.path, result.whole) == (None, None, False)
        assert result.left_out == ({FILTERED: 1} if items else {})
        assert before.read_bytes() == text


async def test_a_bug_is_not_taken_for_a_failing_venue(tmp_path: Path) -> None:
    catalog = FakeCatalog([market(1), KeyError("bug")])
    with pytest.raises(ExceptionGroup) as caught:
        await run(tmp_path, {"mock": catalog})
    assert caught.group_contains(KeyError)
    assert (catalog.closed, universe(tmp_path, "mock")) == (1, [])


async def test_a_limit_ends_the_scan(tmp_path: Path) -> None:
    done = await run(tmp_path, {"mock": FakeCatalog([market(number) for number in range(10)])}, MarketQuery(limit=3))
    assert done.results[0].totals.markets == len(universe(tmp_path, "mock")) == 3


@pytest.mark.parametrize(
    ("query", "vouched"), [(EVERYTHING, True), (MarketQuery(limit=1), False), (MarketQuery(min_volume=Money(1)), False)]
)
async def test_a_list_with_markets_left_out_vouches_for_no_event(
    tmp_path: Path, query: MarketQuery, vouched: bool
) -> None:
    one = replace(market(1), volume=Money(5), mutually_exclusive=True, exhaustive=True)
    done = await run(tmp_path, {"mock": FakeCatalog([one])}, query)
    assert done.results[0].path is not None
    assert [found.exhaustive for found in read_universe(done.results[0].path)] == [vouched]


async def test_an_event_of_which_a_market_is_missing_is_not_vouched_for(tmp_path: Path) -> None:
    whole, paused, unread = (
        [replace(market(3 * each + n), event_id=EventId(f"e{each}"), exhaustive=True) for n in range(3)]
        for each in range(3)
    )
    paused[2] = replace(paused[2], status="paused", tradable=False)
    closed = replace(market(9), event_id=EventId("e0"), status="resolved", exhaustive=True, tradable=False)
    catalog = FakeCatalog([*paused, *whole, *unread, closed], incomplete_events={EventId("e2")})
    done = await run(tmp_path, {"mock": catalog}, MarketQuery(tradable_only=True))
    assert done.results[0].path is not None
    found = {each.market_id: each.exhaustive for each in read_universe(done.results[0].path)}
    assert {name for name, vouched in found.items() if vouched} == {"m0", "m1", "m2"}
    assert len(found) == 8
    assert list((tmp_path / "state").rglob("*.jsonl")) == []


def unreadable_rows(count: int, detail: str) -> FakeCatalog:
    issues = [ScanIssue(VenueName("mock"), f"row {number}", detail) for number in range(count)]
    return FakeCatalog([market(2)], issues, left_out={UNREADABLE: count})


@pytest.mark.parametrize(("unreadable", "believed"), [(100, True), (101, False), (5_000, False)])
async def test_a_list_that_can_hardly_be_read_leaves_the_old_file(
    tmp_path: Path, unreadable: int, believed: bool
) -> None:
    await run(tmp_path, {"mock": FakeCatalog([market(1)])})
    (result,) = (await run(tmp_path, {"mock": unreadable_rows(unreadable, "no such price")})).results
    assert universe(tmp_path, "mock") == (["m1", "m2"] if believed else ["m1"])
    if not believed:
        assert (
            result.failure == f"{unreadable:,} of {unreadable + 1:,} rows cannot be read (no such price); report this"
        )


@pytest.mark.parametrize("unreadable", [150, 2_900])
async def test_a_list_that_can_mostly_be_read_replaces_the_old_file(tmp_path: Path, unreadable: int) -> None:
    catalog = unreadable_rows(unreadable, "bad")
    catalog.items = [market(number) for number in range(3_000)]
    (result,) = (await run(tmp_path, {"mock": catalog})).results
    assert (result.failure, result.left_out) == (None, {UNREADABLE: unreadable})
    assert len(universe(tmp_path, "mock")) == 3_000


async def test_unreadable_fields_and_rows_that_are_no_markets_never_cost_a_scan(tmp_path: Path) -> None:
    field = ScanIssue(VenueName("mock"), "field tick", "first at page 1 row 1: no number", 5_000)
    catalog = FakeCatalog([market(1)], [field], left_out={"one outcome": 5_000})
    (result,) = (await run(tmp_path, {"mock": catalog})).results
    assert (result.failure, result.fields, result.issues, result.issues_count) == (None, (field,), (), 0)
    assert result.left_out == {"one outcome": 5_000}
    assert universe(tmp_path, "mock") == ["m1"]


async def test_unreadable_rows_are_counted_and_the_first_are_kept(tmp_path: Path) -> None:
    done = await run(tmp_path, {"mock": unreadable_rows(100, "bad")})
    assert (done.results[0].issues_count, len(done.results[0].issues)) == (100, job.ISSUES_KEPT_MAX)


async def test_only_a_few_venues_are_scanned_at_once(tmp_path: Path) -> None:
    running = [0, 0]
    catalogs = {f"v{number}": FakeCatalog([market(1), market(2)], running=running) for number in range(12)}
    await run(tmp_path, catalogs)
    assert running[1] == job.VENUES_AT_ONCE


async def test_a_scan_that_is_cancelled_while_it_commits_ends_with_the_commit(tmp_path: Path) -> None:
    entered, proceed = threading.Event(), threading.Event()

    class SlowWriter(UniverseWriter):
        def commit(self, *, whole: bool = True) -> Path:
            entered.set()
            proceed.wait(PATIENCE_S)
            return super().commit(whole=whole)

    venue = cast(Venue, FakeVenue(VenueName("mock"), FakeCatalog([market(1)])))
    clock = ManualClock()
    slow = ScanJob(
        {venue.name: EVERYTHING}, lambda name: SlowWriter(tmp_path, name, clock.now()), clock, lambda _: None
    )
    running = asyncio.create_task(scan_venues([venue], slow))
    await asyncio.to_thread(entered.wait, PATIENCE_S)
    running.cancel()
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert universe(tmp_path, "mock") == ["m1"]
    assert list(Layout(tmp_path).staging("scan").iterdir()) == []
