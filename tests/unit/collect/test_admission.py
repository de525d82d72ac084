"""What becomes tradable while recording gets a place at once, or its time is accounted for."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.core.events import MarketChange
from predsurv.core.ids import InstrumentKey
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
