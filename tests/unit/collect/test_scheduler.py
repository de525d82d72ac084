"""The feed is given the whole set, and the time of markets that close is accounted for."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.scheduler import RotationScheduler, SelectionSettings
from predsurv.collect.selection.candidates import CandidateSet, ShardFilter
from predsurv.collect.transition import BOOKS_WAIT_MAX
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage
from tests.kit.candidate_samples import change, market
from tests.kit.patience import PATIENCE_S
from tests.kit.recorder_samples import START, S, book
from tests.kit.scheduled_recorder import PERIOD, EndError, ScheduledRecorder, WatchedFeed, until


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CoverageIndex]:
    with closing(CoverageIndex(tmp_path, "c0")) as opened:
        yield opened


async def test_the_feed_is_told_the_mirrors_of_what_is_recorded(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index)
    world.candidates = CandidateSet(ShardFilter(mirrored=True, complementary=True))
    settings = SelectionSettings(capacity=2, explore_share=MICROS, rotation_period=PERIOD)
    world.scheduler = RotationScheduler(world.recorder, world.candidates, settings, world.clock)
    world.candidates.add(market("a", 2))
    world.candidates.add(market("b", 1))
    feed = WatchedFeed(until(1))
    with suppress(EndError):
        await world.scheduler.run(feed, index, world.mined, world.keep)
    a = market("a")
    assert world.recorder.instruments.keys() == {a.key(0), market("b", 1).key(0)}
    assert feed.mirrors == [{a.key(0): a.key(1)}] == [dict(world.recorder.mirrors)]
    assert not any(record.key == a.key(1) for record in world.records if isinstance(record, Coverage))


async def test_every_instrument_is_recorded_within_the_promised_periods(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b", "c", "d")
    told: list[set[str]] = []

    def look(_: int) -> None:
        if world.scheduler.rotations > 4:
            raise EndError
        told.append({key.market_id for key in world.recorder.instruments})

    await world.run(look)
    assert world.scheduler.plan is not None
    assert world.scheduler.plan.revisit == 4
    assert set().union(*told) == {"a", "b", "c", "d"}
    assert all(2 <= len(names) <= 3 for names in told)
    assert 4 * PERIOD <= world.clock.monotonic() < 5 * PERIOD
    assert len(world.scheduler.recorded) == 4


async def test_a_closed_market_leaves_at_once_and_a_new_one_takes_its_place(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b")

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("closed", "a"))
        if told == 2:
            world.happen(change("created", "n", market("n", 1)))

    told = await world.run(until(3, life))
    assert told == [{"a", "b"}, {"b"}, {"b", "n"}]
    assert world.clock.monotonic() < S


async def test_a_new_market_without_a_free_place_joins_with_the_next_plan(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a")

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("created", "b", market("b", 1, tradable=False)))
            world.happen(change("activated", "b"))
            world.happen(change("paused", "a"))

    told = await world.run(until(3, life))
    assert told == [{"a"}, {"a", "b"}, {"b"}]
    assert world.clock.monotonic() == PERIOD


async def test_untrusted_books_are_subscribed_anew_on_request(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b")
    told = await world.run(until(3, lambda told: world.scheduler.request_snapshots() if told == 1 else None))
    assert told == [{"a", "b"}, set(), {"a", "b"}]


async def test_a_request_that_comes_while_books_are_subscribed_anew_is_served_after_it(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b")
    told = await world.run(until(5, lambda told: world.scheduler.request_snapshots() if told in (1, 2) else None))
    assert told == [{"a", "b"}, set(), {"a", "b"}, set(), {"a", "b"}]


async def test_a_swap_makes_before_it_breaks(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b", "c", "d")
    old, both, new = await world.run(until(3))
    assert (len(old), len(both), len(new)) == (2, 3, 2)
    assert both == old | new


async def test_an_instrument_that_an_earlier_run_recorded_and_this_one_leaves_out_is_rotated_out(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, "a", "b", "c")
    keys = {key.market_id: key for key in (each.key for each in world.candidates.candidates())}
    gone = market("gone", 1).key(0)
    gaps = [Coverage(key, START - 9 * S, START - 9 * S, "gap", "crash", 0) for key in (*keys.values(), gone)]
    world.recorder.coverage.resume(gaps)
    world.scheduler.resume((gap.key for gap in gaps), {}, 0)
    (told,) = await world.run(until(1))
    (left_out,) = keys.keys() - told
    assert (left_out, -9, 0, "crash") in world.intervals()
    assert dict(world.recorder.coverage.idle("rotated_out")) == {keys[left_out]: START, gone: START - 9 * S}


async def test_a_list_from_before_the_end_of_an_earlier_run_does_not_make_its_outage_a_choice(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, "a", "b")
    born = market("born", 1).key(0)
    world.recorder.coverage.resume([Coverage(born, START - 9 * S, START - 9 * S, "gap", "shutdown", 0)])
    world.scheduler.resume([born], {}, START - 9 * S)
    await world.run(until(1))
    assert ("born", -9, 0, "shutdown") in world.intervals()


async def test_an_instrument_that_comes_back_after_any_time_is_accounted_for_since_its_last_coverage(
    index: CoverageIndex,
) -> None:
    world = ScheduledRecorder(index, "a", "b")
    key = market("a", 1).key(0)
    index.store([(key, START - 40 * 24 * 3_600 * S)])
    await world.run(until(1))
    assert world.intervals() == [("a", -40 * 24 * 3_600, 0, "rotated_out")]


async def test_a_closed_market_that_returns_leaves_no_hole(index: CoverageIndex) -> None:
    world = ScheduledRecorder(index, "a", "b")
    key = market("a", 1).key(0)

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("closed", "a"))
            ends = world.recorder.coverage.idle("rotated_out")
            index.store(ends)
            world.recorder.coverage.release(ends)
            assert world.recorder.coverage.untracked([key]) == [key]
        if told == 2:
            world.happen(change("created", "a", market("a", 1)))

    await world.run(until(3, life))
    (interval,) = [row for row in world.records if isinstance(row, Coverage) and row.key == key]
    assert (interval.start, interval.reason) == (START, "rotated_out")
    assert START < interval.end < START + S  # its place was still free


async def test_a_market_that_closes_while_the_first_plan_is_carried_out_is_no_crash_for_ever(
    index: CoverageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, loop = ScheduledRecorder(index, "a", "b"), asyncio.get_running_loop()
    a = market("a", 1).key(0)
    world.recorder.coverage.resume([Coverage(a, START - 9 * S, START - 9 * S, "gap", "crash", 0)])
    world.scheduler.resume([a], {}, 0)

    async def close() -> None:
        world.happen(change("closed", "a"))

    asked: list[Iterable[InstrumentKey]] = []
    lookup = index.lookup

    def closing_first(keys: Iterable[InstrumentKey]) -> dict[InstrumentKey, int | None]:
        asked.append(keys)
        if len(asked) == 1:  # asked about b, which is not tracked, while a, which is, is to be recorded as well
            asyncio.run_coroutine_threadsafe(close(), loop).result(timeout=PATIENCE_S)
        return lookup(keys)

    monkeypatch.setattr(index, "lookup", closing_first)
    assert await world.run(until(1)) == [{"b"}]
    assert asked
    assert world.intervals() == []
    assert dict(world.recorder.coverage.idle("rotated_out")) == {a: START - 9 * S}


async def test_the_sweep_goes_on_where_the_earlier_run_left_it(index: CoverageIndex) -> None:
    names = "abcdefgh"
    world = ScheduledRecorder(index, *names)
    index.store((market(name, 1).key(0), START - PERIOD * (9 - n)) for n, name in enumerate(names[:7]))
    told = await world.run(until(1))
    assert {"h"} <= told[0]  # never recorded
    swept = [key.market_id for key, why in world.scheduler.plan.reasons.items() if why == "swept"]  # type: ignore[union-attr]
    assert swept == ["h"]


async def test_books_that_never_come_do_not_hold_up_instruments_looked_up_in_the_index(index: CoverageIndex) -> None:
    names = [f"m{number:02d}" for number in range(48)]
    world = ScheduledRecorder(index, *names, capacity=20, period=1_000 * S)
    await world.run(until(1))
    world.recorder.apply([book(key, START) for key in world.recorder.instruments])
    world.scheduler.next_rotation = 0

    def complete(_: int) -> None:
        assert world.scheduler.rotations <= 2, "the target is reached before the next plan is made"
        plan = world.scheduler.plan
        if world.scheduler.rotations == 2 and plan and world.recorder.instruments.keys() == plan.want.keys():
            raise EndError

    await world.run(complete)
    assert world.clock.monotonic() < 20 * BOOKS_WAIT_MAX
