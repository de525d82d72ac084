"""The rotation goes on where an earlier run left it, however short that was."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.resume.checkpoint import CheckpointWriter, digest_of, exploited_in
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.scheduler import RotationScheduler, SelectionSettings, seeded
from predsurv.collect.selection.activity import Activity, RecentActivity
from predsurv.collect.selection.planner import Plan, RotationHistory
from predsurv.core.ids import InstrumentKey
from tests.kit.candidate_samples import market
from tests.kit.recorder_samples import START, VENUE, S
from tests.kit.scheduled_recorder import ScheduledRecorder, until

NAMES = "abcdefgh"


def key(name: str) -> InstrumentKey:
    return market(name, 1).key(0)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CoverageIndex]:
    with closing(CoverageIndex(tmp_path, "c0")) as opened:
        yield opened


async def first_plan(
    index: CoverageIndex, recorded: set[InstrumentKey], ran_until: int, exploited: set[InstrumentKey] | None = None
) -> Plan:
    """The first plan of a run after one that recorded ``recorded`` until it was stopped at ``ran_until``."""
    world = ScheduledRecorder(index, *NAMES, capacity=2, period=3_600 * S)
    world.scheduler.resume(recorded, {}, ran_until, exploited or ())
    await world.run(until(1))
    assert world.scheduler.plan is not None
    return world.scheduler.plan


async def test_runs_that_are_shorter_than_a_rotation_sweep_every_market(index: CoverageIndex) -> None:
    recorded: set[InstrumentKey] = set()
    swept: list[str] = []
    for number in range(len(NAMES)):
        stopped = START - 1_000 * S + number * S  # all within one period
        made = await first_plan(index, recorded, stopped)
        index.store((each, stopped) for each in recorded - made.want.keys())
        recorded = set(made.want)
        swept += [each.market_id for each, why in made.reasons.items() if why == "swept"]
    assert len(swept) == len(NAMES)
    assert len(set(swept)) >= len(NAMES) - 2, "a market that was drawn meanwhile need not be swept"


async def test_what_was_recorded_until_the_stop_comes_last(index: CoverageIndex) -> None:
    index.store((key(name), START - (100 - place) * S) for place, name in enumerate(NAMES[2:]))
    made = await first_plan(index, {key("a"), key("b")}, START - S)
    assert [each.market_id for each, why in made.reasons.items() if why == "swept"] == ["c"]


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**19), min_size=1))
def test_the_order_of_the_sweep_is_that_of_the_ends(ends: dict[str, int]) -> None:
    since = seeded(RotationHistory(), {key(name): ended for name, ended in ends.items()}).since
    assert all(place < 0 for place in since.values())
    for one, first in ends.items():
        for other, second in ends.items():
            assert (first < second) == (since[key(one)] < since[key(other)])


async def test_places_for_being_interesting_survive_a_restart(index: CoverageIndex) -> None:
    """Of equally interesting markets those keep their places that had them, whatever they are called."""
    world = ScheduledRecorder(index, *NAMES)
    settings = SelectionSettings(capacity=2, explore_share=0, rotation_period=3_600 * S)
    world.scheduler = RotationScheduler(world.recorder, world.candidates, settings, world.clock)
    world.scheduler.resume([key("a"), key("b")], {}, START - S, [key("a"), key("b")])
    await world.run(until(1))
    assert world.scheduler.plan is not None
    assert world.scheduler.plan.history.exploited == {key("a"), key("b")}


@given(st.sets(st.sampled_from(NAMES)))
def test_a_checkpoint_says_which_instruments_had_a_place_for_being_interesting(names: set[str]) -> None:
    writer, keys = CheckpointWriter(VENUE), frozenset(map(key, names))
    checkpoint = dict(writer.exploited(keys))
    assert writer.exploited(keys) == []
    assert exploited_in(VENUE, checkpoint) == {digest_of(each) for each in keys}


async def test_the_first_plan_knows_what_an_earlier_run_saw_to_be_busy(index: CoverageIndex) -> None:
    names = [f"m{number:02d}" for number in range(30)]
    earlier = RecentActivity()
    seen = {key(name): Activity(300.0, 3_000.0 if name == "m17" else 30.0) for name in names}
    earlier.add(seen, START - 60 * S)
    index.store_learnt(VENUE, earlier.packed())
    world = ScheduledRecorder(index, *names)
    settings = SelectionSettings(capacity=1, explore_share=0, rotation_period=3_600 * S)
    world.scheduler = RotationScheduler(world.recorder, world.candidates, settings, world.clock)
    await world.run(until(1))
    assert world.scheduler.plan is not None
    assert world.scheduler.plan.want.keys() == {key("m17")}
    kept = RecentActivity()
    kept.restore(index.learnt(VENUE) or b"", VENUE)
    assert kept.known() == world.scheduler.learning.recent.known(), "stored with each plan, for a run that is killed"
