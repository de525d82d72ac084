"""The lists are read again while recording: what is new joins, what has ended leaves, what fails is tried again."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from predsurv.collect.clock import SteadyClock
from predsurv.collect.rescan import FIRST_AFTER, LISTING_LAG, SECOND_LOOK, SLICE, ListedUniverse, Rescanner
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.session import RecordingSession
from predsurv.config import MockConfig
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.events import MarketChange
from predsurv.core.ids import VenueName
from predsurv.core.level_changes import each_record
from predsurv.core.market import Market
from predsurv.core.num import Money, Price
from predsurv.store.layout import NS_DAY
from predsurv.store.universe import universe_files
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.mock.venue import MockVenue
from tests.kit import patience
from tests.kit.candidate_samples import VENUE, market
from tests.kit.recorder_samples import S
from tests.kit.scheduled_recorder import ScheduledRecorder, until

INTERVAL = 900 * S


class Lists:
    """A venue whose list is ``listed``; scans that fail are ``failing``."""

    def __init__(self, data_dir: Path, world: ScheduledRecorder) -> None:
        self.data_dir, self.world = data_dir, world
        self.listed: list[Market] = []
        self.failing: list[PredsurvError] = []
        self.whole = True
        self.scans = self.scans_max = 0
        self.began: list[int] = []
        venue = MockVenue(MockConfig(enabled=True, markets=1), world.clock)
        self.session = RecordingSession(
            venue,
            world.recorder,
            world.scheduler,
            clock=world.clock,
            steady_clock=SteadyClock(world.clock),
            on_batch=lambda *_: None,
        )
        self.rescanner = Rescanner([self.session], self.scan, world.clock, interval=INTERVAL, data_dir=data_dir)

    async def scan(self, name: VenueName) -> ListedUniverse:
        if self.scans == self.scans_max:
            await asyncio.Event().wait()
        self.scans += 1
        self.began.append(self.world.clock.monotonic())
        if self.failing:
            raise self.failing.pop(0)
        self.world.recorder.advance(self.world.clock.now())
        with UniverseWriter(self.data_dir, name, self.world.clock.now()) as writer:
            for each in self.listed:
                writer.write(structs.replace(each, fetched_at=self.world.clock.now()))
            return ListedUniverse(writer.commit(), whole=self.whole)

    async def run(self, scans: int) -> None:
        """Run until so many scans were tried and taken in."""
        self.scans_max = self.scans + scans
        done = self.rescanner.status.completed + self.rescanner.status.failed + scans
        running = asyncio.create_task(self.rescanner.run())
        await patience.until(lambda: self.rescanner.status.completed + self.rescanner.status.failed >= done)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    def candidates(self) -> set[str]:
        return {each.key.market_id for each in self.world.candidates.candidates()}

    def statements(self) -> list[tuple[str, str]]:
        return [(each.kind, each.market_id) for each in self.session.records if isinstance(each, MarketChange)]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CoverageIndex]:
    with closing(CoverageIndex(tmp_path, "c0")) as opened:
        yield opened


@asynccontextmanager
async def recording(index: CoverageIndex, data_dir: Path, *names: str, capacity: int = 2) -> AsyncIterator[Lists]:
    world = ScheduledRecorder(index, *names, capacity=capacity)
    await world.run(until(1))
    lists = Lists(data_dir, world)
    lists.listed = [market(name, 1) for name in names]
    yield lists


async def test_a_new_market_joins_with_a_row_of_its_own_and_gets_a_free_place(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a") as lists:
        lists.listed.append(market("n", 1))
        await lists.run(1)
        assert lists.candidates() == {"a", "n"}
        assert lists.statements() == [("listed", "n")]
        assert (await lists.world.run(until(1)))[-1] == {"a", "n"}
        assert lists.rescanner.status.news == 1


async def test_a_new_market_without_a_place_is_in_the_ledger(index: CoverageIndex, tmp_path: Path) -> None:
    async with recording(index, tmp_path, "a", "b") as lists:
        lists.listed.append(market("n", 1))
        await lists.run(1)
        await lists.world.scheduler.admission.account(index)
        assert [key.market_id for key in lists.world.scheduler.admission.waiting] == ["n"]
        lists.listed.pop()
        await lists.run(2)
        (gap,) = [row for row in lists.world.intervals() + intervals(lists) if row[0] == "n"]
        assert gap[3] == "no_capacity"
        assert len(lists.world.scheduler.admission.waiting) == 0


def intervals(lists: Lists) -> list[tuple[str, int, int, str]]:
    lists.world.records, lists.session.records = [*each_record(lists.session.records)], []
    return lists.world.intervals()


async def test_what_has_ended_leaves_unless_it_is_being_recorded(index: CoverageIndex, tmp_path: Path) -> None:
    async with recording(index, tmp_path, "a", "b", "c", "d") as lists:
        recorded = {key.market_id for key in lists.world.recorder.instruments}
        lists.listed = []
        lists.listed.append(market("x", 1))
        await lists.run(2)
        assert lists.candidates() == recorded | {"x"}
        lists.listed += [market(name, 1) for name in "abcd"]
        await lists.run(1)
        assert lists.candidates() == {"a", "b", "c", "d", "x"}, "one that is listed again is back"


async def test_a_list_that_is_not_whole_ends_nothing(index: CoverageIndex, tmp_path: Path) -> None:
    async with recording(index, tmp_path, "a", "b", "c") as lists:
        lists.listed, lists.whole = [market("x", 1)], False
        await lists.run(3)
        assert lists.candidates() == {"a", "b", "c", "x"}


async def test_a_market_announced_while_the_list_was_read_is_not_missed_in_it(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a", "b") as lists:
        now = lists.world.clock.now() + INTERVAL
        late = MarketChange(VENUE, market("n", 1).market_id, None, now, None, "created", "{}", market("n", 1))
        lists.world.happen(late)
        await lists.run(1)
        assert "n" in lists.candidates()
        assert LISTING_LAG < INTERVAL
        await lists.run(2)
        assert "n" not in lists.candidates()


async def test_a_market_that_was_announced_and_has_not_opened_need_not_be_listed(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a") as lists:
        ahead = structs.replace(market("n", 1, tradable=False), status="created")
        announced = lists.world.clock.now()
        lists.world.happen(MarketChange(VENUE, ahead.market_id, None, announced, None, "created", "{}", ahead))
        await lists.run(5)
        assert "n" in lists.candidates()
        opened = MarketChange(VENUE, ahead.market_id, None, lists.world.recorder.watermark, None, "activated", "{}")
        lists.world.happen(opened)
        assert (await lists.world.run(until(1)))[-1] == {"a", "n"}


async def test_changed_facts_are_recorded_and_volumes_only_used(index: CoverageIndex, tmp_path: Path) -> None:
    async with recording(index, tmp_path, "a", "b") as lists:
        lists.listed = [
            structs.replace(market("a", 1), tick_size=Price(1_000)),
            structs.replace(market("b", 1), volume_24h=Money(5)),
        ]
        await lists.run(2)
        assert lists.statements() == [("listed", "a")]
        assert {each.volume_24h for each in lists.world.candidates.candidates()} == {0, 5}


@pytest.mark.parametrize("error", [TransientError("no answer"), TransientError("disk full")])
async def test_a_scan_that_fails_is_logged_shown_and_tried_again(
    index: CoverageIndex, tmp_path: Path, caplog: pytest.LogCaptureFixture, error: PredsurvError
) -> None:
    async with recording(index, tmp_path, "a") as lists:
        lists.failing = [error]
        with caplog.at_level(logging.WARNING):
            await lists.run(1)
        assert str(error) in caplog.text
        assert (lists.rescanner.status.failed, lists.rescanner.status.trouble) == (1, f"mock: {error}")
        await lists.run(1)
        assert (lists.rescanner.status.completed, lists.rescanner.status.trouble) == (1, None)


async def test_scans_are_an_interval_apart_and_the_first_comes_at_once_without_a_file(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a") as lists:
        await lists.run(4)
        assert lists.began[0] < FIRST_AFTER + 10 * S, "there was no file"
        pauses = [after - before for before, after in pairwise(lists.began)]
        assert all(INTERVAL <= pause < INTERVAL + S for pause in pauses)


async def test_what_was_born_between_the_scan_and_the_first_connection_is_looked_for_soon(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a") as lists:
        with UniverseWriter(tmp_path, VENUE, lists.world.clock.now()) as writer:
            written = writer.commit()
        os.utime(written, ns=(lists.world.clock.now(),) * 2)
        began = lists.world.clock.monotonic()
        await lists.run(2)
        first, second = (at - began for at in lists.began)
        assert SECOND_LOOK <= first < SECOND_LOOK + S
        assert second - first >= INTERVAL


async def test_a_long_list_is_taken_in_slice_by_slice_and_many_scans_take_no_more_memory(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a", capacity=5) as lists:
        sizes = []
        for turn in range(6):
            lists.listed = [market(f"t{turn}-{number}", 1) for number in range(3 * SLICE + 1)]
            await lists.run(1)
            sizes.append(len(lists.world.candidates))
        assert len(set(sizes[1:])) == 1, sizes
        assert len(lists.world.candidates._shapes) <= 2


async def test_the_first_scan_after_midnight_writes_the_file_of_the_new_day(
    index: CoverageIndex, tmp_path: Path
) -> None:
    async with recording(index, tmp_path, "a") as lists:
        await lists.run(1)
        await lists.world.clock.advance(NS_DAY)
        await lists.run(1)
        assert len(universe_files(tmp_path, VENUE)) == 2
        assert lists.candidates() == {"a"}
