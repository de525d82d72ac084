"""What becomes tradable while recording gets a place at once, or its time is accounted for."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs

from predsurv.collect.admission import Admission
from predsurv.collect.clock import SteadyClock
from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.resume.checkpoint import CheckpointWriter, open_intervals
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.candidates import ShardFilter
from predsurv.collect.selection.interest import MinedScore
from predsurv.collect.session import RecordingSession
from predsurv.collect.transition import SubscriptionTransition
from predsurv.config import MockConfig
from predsurv.core.events import MarketChange
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.level_changes import each_record
from predsurv.venues.mock.venue import MockVenue
from tests.kit.candidate_samples import VENUE, change, market
from tests.kit.recorder_samples import START, S
from tests.kit.scheduled_recorder import EndError, ScheduledRecorder, until


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CoverageIndex]:
    with closing(CoverageIndex(tmp_path, "c0")) as opened:
        yield opened


def born(name: str, *, tradable: bool = True) -> MarketChange:
    return structs.replace(change("created", name, market(name, 1, tradable=tradable)), ts_recv=START)


async def test_a_market_that_opens_without_a_free_place_is_in_the_ledger_until_it_gets_one(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, "a", "b", period=10_000 * S)

    def life(told: int) -> None:
        if told == 1:
            world.happen(born("m"))

    await world.run(until(1, life))
    await world.scheduler.admission.account(index)
    assert list(world.scheduler.admission.waiting) == [market("m", 1).key(0)]
    await world.clock.advance(60 * S)
    world.happen(change("closed", "a"))
    told = await world.run(until(1))
    assert told == [{"b", "m"}]
    assert [row for row in world.intervals() if row[0] == "m"] == [("m", 0, 60, "no_capacity")]
    assert len(world.scheduler.admission.waiting) == 0


async def test_a_market_that_closes_while_it_waits_leaves_one_gap_and_nothing_in_memory(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b")

    def life(told: int) -> None:
        if told == 1:
            world.happen(born("m"))

    await world.run(until(1, life))
    await world.scheduler.admission.account(index)
    ends = world.recorder.coverage.idle("no_capacity")
    index.store([], ends)  # as each seal does
    world.recorder.coverage.release(ends)
    await world.clock.advance(300 * S)
    world.happen(change("closed", "m"))
    assert [row for row in world.intervals() if row[0] == "m"] == [("m", 0, 300, "no_capacity")]
    assert len(world.scheduler.admission.waiting) == 0
    index.store(world.recorder.coverage.idle("rotated_out"))
    assert index.waiting(VENUE) == {}


async def test_a_market_that_is_only_announced_is_neither_recorded_nor_in_the_ledger(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a")

    def life(told: int) -> None:
        if told == 1:
            world.happen(born("m", tradable=False))
            raise EndError

    await world.run(life)
    await world.scheduler.admission.account(index)
    world.happen(change("closed", "m"))
    assert world.intervals() == []
    assert len(world.scheduler.admission.waiting) == 0


async def test_a_market_listed_before_the_run_is_taken_up_once_it_is_activated(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a")
    world.candidates.add(structs.replace(market("m", 1, tradable=False), status="created"))

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("activated", "m"))

    assert await world.run(until(2, life)) == [{"a"}, {"a", "m"}]
    assert world.clock.monotonic() < S


async def test_a_market_born_before_the_first_plan_is_not_forgotten(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b")
    world.happen(born("m"))
    assert await world.run(until(1)) == [{"a", "b"}]
    await world.scheduler.admission.account(index)
    assert list(world.scheduler.admission.waiting) == [market("m", 1).key(0)]


async def test_a_pinned_market_that_is_born_gets_the_place_of_another_at_once(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b", pins=("mock:m?",))

    def life(told: int) -> None:
        if told == 1:
            world.happen(born("m"))
        if "m" in {key.market_id for key in world.recorder.instruments}:
            raise EndError

    await world.run(life)
    assert world.clock.monotonic() < 10 * S


async def test_a_new_market_takes_the_place_of_one_that_was_swept_in_never_of_one_that_was_drawn(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, *(f"m{number}" for number in range(40)), capacity=20)
    drawn: set[InstrumentKey] = set()

    def life(told: int) -> None:
        made = world.scheduler.plan
        assert made is not None
        if told == 1:
            drawn.update(key for key, reason in made.reasons.items() if reason == "drawn")
            assert len(drawn) == 10
            for number in range(8):
                world.happen(born(f"n{number}"))
        if told == 2:
            raise EndError

    await world.run(life)
    recorded = set(world.recorder.instruments)
    assert drawn <= recorded
    arrived = [key for key in recorded if key.market_id.startswith("n")]
    assert len(world.scheduler.admission.displaced) == 5  # half of those that were swept in
    assert len(arrived) <= 5
    await world.scheduler.admission.account(index)
    assert len(world.scheduler.admission.waiting) == 3


async def test_what_waits_is_taken_over_by_the_next_run(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "m")
    m, gone = market("m", 1).key(0), market("gone", 1).key(0)
    index.store([], [(m, START - 9 * S), (gone, START - 9 * S)])
    written = world.scheduler.resume([], index.waiting(VENUE), START - 5 * S)
    world.records += written
    await world.run(until(1))
    assert sorted(world.intervals()) == [("gone", -9, -5, "no_capacity"), ("m", -9, 0, "no_capacity")]


async def test_a_day_of_markets_without_a_place_leaves_a_row_each_and_nothing_in_memory(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", capacity=1)
    await world.run(until(1))
    coverage, waiting = world.recorder.coverage, world.scheduler.admission.waiting
    for hour in range(10):
        names = [f"m{hour}-{number}" for number in range(100)]
        for name in names:
            world.happen(structs.replace(born(name), ts_recv=world.clock.now()))
        await world.scheduler.admission.account(index)
        assert len(waiting) == len(names)
        ends = coverage.idle("no_capacity"), coverage.idle("rotated_out")
        index.store(ends[1], ends[0])  # as each seal does
        coverage.release([*ends[0], *ends[1]])
        assert len(coverage.untracked(waiting)) == len(names), "the checkpoint stays small"
        await world.clock.advance(3_600 * S)
        for name in names:
            world.happen(change("closed", name))
        assert len(waiting) == 0
    rows = [row for row in world.intervals() if row[3] == "no_capacity"]
    assert len(rows) == 1_000
    assert {end - start for _, start, end, _ in rows} == {3_600}
    assert len(world.candidates) == 1


async def test_a_market_that_reopens_gets_a_free_place_and_is_not_taken_for_new(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b", capacity=1)

    def life(told: int) -> None:
        if told == 1:
            (left_out,) = {"a", "b"} - {key.market_id for key in world.recorder.instruments}
            world.happen(change("paused", left_out))
            world.happen(change("activated", left_out))

    await world.run(until(1, life))
    await world.scheduler.admission.account(index)
    assert len(world.scheduler.admission.waiting) == 0


async def test_a_market_born_while_the_plan_is_made_is_not_forgotten(
    index: CoverageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = ScheduledRecorder(index, "a", capacity=2)

    def mined() -> dict[InstrumentKey, MinedScore]:
        world.recorder.advance(world.clock.now())
        if world.scheduler.rotations == 1:
            world.happen(structs.replace(born("m"), ts_recv=world.clock.now()))
        return {}

    monkeypatch.setattr(world, "mined", mined)
    told = await world.run(until(2))
    assert told[-1] == {"a", "m"}
    assert world.scheduler.rotations == 2


async def test_another_shard_s_market_is_neither_recorded_nor_in_the_ledger(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", capacity=5)
    world.candidates._filter = ShardFilter(shard=1, shards=2)
    await world.run(until(1))
    for number in range(20):
        world.happen(born(f"m{number}"))
    await world.scheduler.admission.account(index)
    taken = {key.market_id for key in world.scheduler.admission.placed}
    waiting = {key.market_id for key in world.scheduler.admission.waiting}
    assert taken
    assert all(world.candidates._filter.includes(MarketId(name)) for name in taken | waiting)


def session_of(world: ScheduledRecorder) -> RecordingSession:
    venue = MockVenue(MockConfig(enabled=True, markets=1), world.clock)
    steady = SteadyClock(world.clock)
    return RecordingSession(
        venue, world.recorder, world.scheduler, clock=world.clock, steady_clock=steady, on_batch=lambda *_: None
    )


async def test_what_waited_before_a_crash_goes_on_waiting_after_it(index: CoverageIndex) -> None:
    first = ScheduledRecorder(index, "a", capacity=1)
    await first.run(until(1))
    for name in ("indexed", "new", "gone"):
        first.happen(structs.replace(born(name), ts_recv=START))
        await first.scheduler.admission.account(index)
        if name == "indexed":
            ends = first.recorder.coverage.idle("no_capacity")
            index.store([], ends)
            first.recorder.coverage.release(ends)
    writer = CheckpointWriter(VENUE)
    checkpoint = dict(writer.update(first.recorder.coverage.take_changes()))
    checkpoint |= dict([writer.alive(START + 5 * S)])

    second = ScheduledRecorder(index, "a", "indexed", "new", capacity=1)
    session = session_of(second)
    session.resume(open_intervals(VENUE, checkpoint), index.waiting(VENUE))
    second.recorder.advance(START + 60 * S)
    waiting = second.scheduler.admission.waiting
    assert {key.market_id for key in waiting} == {"indexed", "new"}
    for name in ("indexed", "new"):
        session.records += second.scheduler.follow([change("closed", name)])
    second.records = [*each_record(session.records)]
    rows = [row for row in second.intervals() if row[3] == "no_capacity"]
    assert sorted(rows) == [
        ("gone", 0, 5, "no_capacity"),
        ("indexed", 0, 60, "no_capacity"),
        ("new", 0, 60, "no_capacity"),
    ]


async def test_who_gave_a_place_away_gets_the_next_one_that_becomes_free(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, *(f"m{number}" for number in range(40)), capacity=20)
    await world.run(until(1))
    world.happen(born("n"))
    admission = world.scheduler.admission
    (displaced,) = admission.displaced
    world.happen(change("closed", "n"))
    await world.run(until(1))
    assert admission.displaced == {}
    assert displaced in admission.placed
    assert displaced in world.recorder.instruments


def test_paused_markets_do_not_keep_those_that_wait_behind_them_from_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.collect.admission.FILLED_MAX", 3)
    admission = Admission(CoverageTracker("live"), Counter())
    keys = [market(f"m{number}", 1).key(0) for number in range(5)]
    for key in keys:
        admission.waiting.add(key, START)
    transition = SubscriptionTransition({}, 1)
    for _ in range(2):
        assert transition.target == {}
        admission.fill(transition, lambda key: key == keys[4])
    assert [*transition.target] == [keys[4]]


async def test_a_listed_market_that_ends_without_ever_having_a_place_is_in_the_ledger(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b", capacity=1, period=10_000 * S)
    await world.run(until(1))
    (left_out,) = {"a", "b"} - {key.market_id for key in world.recorder.instruments}
    await world.clock.advance(60 * S)
    world.happen(structs.replace(change("closed", left_out), ts_recv=world.clock.now()))
    world.records += await world.scheduler.admission.account(index)
    assert [row for row in world.intervals() if row[0] == left_out] == [(left_out, 0, 60, "no_capacity")]
    assert len(world.scheduler.admission.unaccounted) == 0


async def test_a_market_that_an_earlier_run_recorded_and_is_over_unheard_is_not_accounted_for_again(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, "a", capacity=1)
    await world.run(until(1))
    index.store([(market("m", 1).key(0), START - 900 * S)])
    await world.clock.advance(60 * S)
    over = structs.replace(change("closed", "m", market("m", 1, tradable=False)), ts_recv=world.clock.now())
    world.happen(structs.replace(over, opened=START, closed=START + 30 * S))
    assert await world.scheduler.admission.account(index) == []


async def test_a_market_told_of_when_it_was_over_is_counted_and_told_again_leaves_no_second_row(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, "a", capacity=1)
    await world.run(until(1))
    await world.clock.advance(60 * S)
    over = structs.replace(change("closed", "m", market("m", 1, tradable=False)), ts_recv=world.clock.now())
    over = structs.replace(over, opened=START - 9 * S, closed=START + 30 * S)
    for sealed in (False, True):
        world.happen(over)
        world.records += await world.scheduler.admission.account(index)
        if sealed:
            ends = world.recorder.coverage.idle("rotated_out")
            index.store(ends)
            world.recorder.coverage.release(ends)
    world.happen(over)
    world.records += await world.scheduler.admission.account(index)
    assert [row for row in world.intervals() if row[0] == "m"] == [("m", 0, 30, "unannounced")]
    assert world.recorder.counters.gaps["unannounced"] == 1


async def test_what_was_found_open_late_is_unannounced_until_it_is_recorded(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", capacity=2, period=10_000 * S)

    def life(told: int) -> None:
        if told == 1:
            world.recorder.advance(START + 60 * S)
            late = structs.replace(change("listed", "m", market("m", 1)), ts_recv=START + 60 * S)
            world.records += world.scheduler.follow([structs.replace(late, opened=START + 20 * S)])

    assert await world.run(until(2, life)) == [{"a"}, {"a", "m"}]
    assert [row for row in world.intervals() if row[0] == "m"] == [("m", 20, 60, "unannounced")]
    assert world.recorder.counters.gaps["unannounced"] == 1


async def test_gaps_are_handed_on_before_what_ended_meanwhile_is_looked_up(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", capacity=1)
    await world.run(until(1))
    await world.clock.advance(60 * S)

    def end(name: str) -> None:
        over = structs.replace(change("closed", name, market(name, 1, tradable=False)), ts_recv=world.clock.now())
        world.happen(structs.replace(over, opened=START, closed=START + 30 * S))

    class BusyIndex:
        def lookup(self, keys: Iterable[InstrumentKey]) -> dict[InstrumentKey, int | None]:
            (key,) = keys
            if key.market_id != "m":
                raise asyncio.CancelledError
            end("n")
            return {key: None}

    end("m")
    (row,) = await world.scheduler.admission.account(cast("CoverageIndex", BusyIndex()))
    assert row.key.market_id == "m"
    assert [each.key.market_id for each in await world.scheduler.admission.account(index)] == ["n"]
