"""The feed is told the whole set, and what becomes of markets that close is accounted for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.collect.scheduler import NoResumePoints, RotationScheduler, SelectionSettings
from predsurv.collect.selection.candidates import CandidateSet
from predsurv.core.events import MarketChange, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from tests.kit.candidate_samples import change, market
from tests.kit.recorder_samples import START, S

PERIOD = 60 * S


class EndError(Exception):
    """Enough was seen."""


class WatchedFeed:
    """Remembers every set it was told; ``after`` is called with how many that are."""

    def __init__(self, after: Callable[[int], None]) -> None:
        self.told: list[set[str]] = []
        self._after = after

    async def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        self.told.append({key.market_id for key in want})
        self._after(len(self.told))

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        yield []

    async def aclose(self) -> None:
        pass


class World:
    """A steering with everything around it, on a clock that jumps from sleep to sleep."""

    def __init__(self, *names: str, period: int = PERIOD) -> None:
        self.clock = ManualClock(START, jumps=True)
        self.recorder = Recorder(RecordingPolicy())
        self.recorder.advance(START)
        self.roster = CandidateSet()
        for name in names:
            self.roster.add(market(name, 1))
        places = SelectionSettings(capacity=2, explore_share=MICROS, period=period)
        self.steering = RotationScheduler(self.recorder, self.roster, places, self.clock)
        self.records: list[Record] = []

    async def run(self, after: Callable[[int], None]) -> list[set[str]]:
        feed = WatchedFeed(after)
        with suppress(EndError):
            await self.steering.run(feed, self.scores, self.keep)
        return feed.told

    def scores(self) -> dict[InstrumentKey, int]:
        self.recorder.advance(self.clock.now())  # time passes until the next plan
        return {}

    def keep(self, records: list[Record]) -> None:
        self.records += records

    def happen(self, event: MarketChange) -> None:
        self.recorder.advance(self.clock.now())
        self.records += self.steering.follow([event])

    def tiles(self) -> list[tuple[str, int, int, str]]:
        rows = [row for row in self.records if isinstance(row, Coverage)]
        return [(r.key.market_id, (r.start - START) // S, (r.end - START) // S, r.reason) for r in rows]


def until(count: int, then: Callable[[int], None] = lambda _: None) -> Callable[[int], None]:
    def after(told: int) -> None:
        then(told)
        if told == count:
            raise EndError

    return after


async def test_everyone_has_a_turn_within_the_promised_periods() -> None:
    world = World("a", "b", "c", "d")
    told: list[set[str]] = []

    def look(_: int) -> None:
        if world.steering.rotations > 4:
            raise EndError
        told.append({key.market_id for key in world.recorder.fold.lines})

    await world.run(look)
    assert world.steering.plan is not None
    assert world.steering.plan.revisit == 4
    assert set().union(*told) == {"a", "b", "c", "d"}
    assert all(2 <= len(names) <= 3 for names in told)
    assert 4 * PERIOD <= world.clock.monotonic() < 5 * PERIOD
    assert len(world.steering.recorded) == 4


async def test_a_closed_market_leaves_at_once_and_a_new_one_takes_its_place() -> None:
    world = World("a", "b")

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("created", "m", market("m", 1)))  # finds no place
            world.happen(change("closed", "a"))
        if told == 2:
            world.happen(change("created", "n", market("n", 1)))

    told = await world.run(until(3, life))
    assert told == [{"a", "b"}, {"b"}, {"b", "n"}]
    assert world.clock.monotonic() < S


async def test_a_new_market_without_a_free_place_joins_with_the_next_plan() -> None:
    world = World("a")

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("created", "b", market("b", 1, tradable=False)))
            world.happen(change("activated", "b"))
            world.happen(change("paused", "a"))

    told = await world.run(until(3, life))
    assert told == [{"a"}, {"a", "b"}, {"b"}]
    assert world.clock.monotonic() == PERIOD


async def test_books_lost_on_our_side_are_asked_for_anew() -> None:
    world = World("a", "b")
    told = await world.run(until(3, lambda told: world.steering.refresh() if told == 1 else None))
    assert told == [{"a", "b"}, set(), {"a", "b"}]


async def test_a_swap_makes_before_it_breaks() -> None:
    world = World("a", "b", "c", "d")
    old, both, new = await world.run(until(3))
    assert (len(old), len(both), len(new)) == (2, 3, 2)
    assert both == old | new


async def test_what_an_earlier_run_recorded_and_this_one_leaves_out_was_rotated_out() -> None:
    world = World("a", "b", "c")
    keys = {key.market_id: key for key in (each.key for each in world.roster.candidates())}
    gone = market("gone", 1).key(0)
    gaps = [Coverage(key, START - 9 * S, START - 9 * S, "gap", "crash", 0) for key in (*keys.values(), gone)]
    world.recorder.account.resume(gaps)
    world.steering.take_up(gap.key for gap in gaps)
    (told,) = await world.run(until(1))
    (left_out,) = keys.keys() - told
    assert (left_out, -9, 0, "crash") in world.tiles()
    assert dict(world.recorder.account.idle()) == {keys[left_out]: START, gone: START - 9 * S}


class Kept(NoResumePoints):
    """A past made of what was handed over."""

    def __init__(self, ends: Mapping[InstrumentKey, int]) -> None:
        self.kept = dict(ends)

    def ends(self, keys: Iterable[InstrumentKey]) -> Mapping[InstrumentKey, int]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def every(self, venue: VenueName) -> Mapping[InstrumentKey, int]:
        return {key: ended for key, ended in self.kept.items() if key.venue == venue}


async def test_who_comes_back_after_any_time_is_accounted_for_since_the_last_turn() -> None:
    world = World("a", "b")
    key = market("a", 1).key(0)
    world.steering.past = Kept({key: START - 40 * 24 * 3_600 * S})
    await world.run(until(1))
    assert world.tiles() == [("a", -40 * 24 * 3_600, 0, "rotated_out")]


async def test_a_closed_market_that_returns_leaves_no_hole() -> None:
    world = World("a", "b")
    key = market("a", 1).key(0)
    past = Kept({})
    world.steering.past = past

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("closed", "a"))
            ends = world.recorder.account.idle()
            past.kept |= dict(ends)
            world.recorder.account.hand_over(ends)
            assert not world.recorder.account.tracks(key)
        if told == 2:
            world.happen(change("created", "a", market("a", 1)))

    await world.run(until(3, life))
    assert [tile for tile in world.tiles() if tile[0] == "a"] == [("a", 0, PERIOD // S, "rotated_out")]


async def test_a_market_that_closes_while_the_first_plan_is_carried_out_is_no_crash_for_ever() -> None:
    world, loop = World("a", "b"), asyncio.get_running_loop()
    a = market("a", 1).key(0)
    world.recorder.account.resume([Coverage(a, START - 9 * S, START - 9 * S, "gap", "crash", 0)])
    world.steering.take_up([a])

    async def close() -> None:
        world.happen(change("closed", "a"))

    class Closing(NoResumePoints):
        """Asked for the past of b, which is a stranger here, while a, which is none, is to have a place."""

        asked = 0

        def ends(self, keys: Iterable[InstrumentKey]) -> Mapping[InstrumentKey, int]:
            self.asked += 1
            if self.asked == 1:
                asyncio.run_coroutine_threadsafe(close(), loop).result(timeout=10)
            return {}

    world.steering.past = past = Closing()
    assert await world.run(until(1)) == [{"b"}]
    assert past.asked
    assert world.tiles() == []
    assert dict(world.recorder.account.idle()) == {a: START - 9 * S}


async def test_the_sweep_goes_on_where_the_run_before_left_it() -> None:
    names = "abcdefgh"
    world = World(*names)
    world.steering.past = Kept({market(name, 1).key(0): START - PERIOD * (9 - n) for n, name in enumerate(names[:7])})
    told = await world.run(until(1))
    assert {"h"} <= told[0]  # never recorded
    swept = [key.market_id for key, why in world.steering.plan.reasons.items() if why == "swept"]  # type: ignore[union-attr]
    assert swept == ["h"]
