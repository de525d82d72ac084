"""The feed is told the whole set, and what becomes of markets that close is accounted for."""

from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from predsurv.collect.recorder import Policy, Recorder
from predsurv.collect.roster import Roster
from predsurv.collect.steering import REOPEN_INTERVAL, Places, Steering
from predsurv.core.events import MarketChange, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from tests.unit.collect.test_roster import change, market
from tests.unit.collect.worlds import START, S

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
        self.recorder = Recorder(Policy())
        self.recorder.advance(START)
        self.roster = Roster()
        for name in names:
            self.roster.add(market(name, 1))
        places = Places(capacity=2, explore_share=MICROS, period=period)
        self.steering = Steering(self.recorder, self.roster, places, self.clock)
        self.records: list[Record] = []

    async def run(self, after: Callable[[int], None]) -> list[set[str]]:
        feed = WatchedFeed(after)
        with suppress(EndError):
            await self.steering.run(feed, dict, self.keep)
        return feed.told

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


async def test_the_set_changes_every_period_and_everyone_has_a_turn() -> None:
    world = World("a", "b", "c", "d")
    told = await world.run(until(3))
    assert len(told[0]) == 2
    assert told[0] | told[1] == {"a", "b", "c", "d"}
    assert told[0] == told[2]
    assert world.clock.monotonic() == 2 * PERIOD
    assert len(world.steering.recorded) == 4


async def test_a_closed_market_leaves_at_once_and_a_new_one_joins_with_the_next_plan() -> None:
    world = World("a", "b")

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("created", "n", market("n", 1)))
            world.happen(change("closed", "a"))

    told = await world.run(until(3, life))
    assert told == [{"a", "b"}, {"b"}, {"b", "n"}]
    assert world.clock.monotonic() == PERIOD


async def test_books_lost_on_our_side_are_asked_for_anew() -> None:
    world = World("a", "b")
    told = await world.run(until(3, lambda told: world.steering.refresh() if told == 1 else None))
    assert told == [{"a", "b"}, set(), {"a", "b"}]


async def test_what_an_earlier_run_recorded_and_this_one_leaves_out_was_rotated_out() -> None:
    world = World("a", "b", "c")
    keys = {key.market_id: key for key in (each.key for each in world.roster.candidates())}
    gone = market("gone", 1).key(0)
    gaps = [Coverage(key, START - 9 * S, START - 9 * S, "gap", "crash", 0) for key in (*keys.values(), gone)]
    world.recorder.account.resume(gaps)
    world.steering.take_up(gap.key for gap in gaps)
    (told,) = await world.run(until(1))
    (left_out,) = keys.keys() - told
    assert sorted(world.tiles()) == [(name, -9, 0, "crash") for name in sorted(keys)]
    notes = dict(world.recorder.account.drain())
    assert notes[gone] is None
    interval = notes[keys[left_out]]
    assert interval is not None
    assert interval.reason == "rotated_out"


async def test_a_closed_market_is_remembered_for_a_while_only() -> None:
    world = World("a", "b", period=REOPEN_INTERVAL // 2)
    key = market("a", 1).key(0)
    kept: list[bool] = []

    def life(told: int) -> None:
        if told == 1:
            world.happen(change("closed", "a"))
        notes = dict(world.recorder.account.drain())
        kept.append(notes.get(key, ...) is not None)

    await world.run(until(4, life))
    assert kept == [True, True, True, False]
