"""A market that was open is in the ledger whatever was heard of it and when, and no time of it is there twice."""

import asyncio
from collections import defaultdict
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.unaccounted import MarketEnd, Unaccounted, UnaccountedInstruments, end_of
from predsurv.core.events import MarketFact, MarketResolved
from predsurv.core.ids import MarketId
from predsurv.core.market import Market
from tests.kit.candidate_samples import VENUE, change, market
from tests.kit.recorder_samples import START, S
from tests.kit.scheduled_recorder import ScheduledRecorder, until

KEY: Final = market("m", 1).key(0)
BEGAN: Final = 100


def spans(known: Unaccounted) -> list[tuple[int, int, str]]:
    return [(each.start, each.end, each.reason) for each in known.gaps(KEY, BEGAN)]


def test_a_market_heard_of_when_it_was_over_is_unannounced_from_its_opening() -> None:
    assert spans(Unaccounted(opened=150, ended=300)) == [(150, 300, "unannounced")]


def test_nothing_is_said_of_the_time_before_the_recording() -> None:
    assert spans(Unaccounted(opened=50, ended=300)) == [(BEGAN, 300, "unannounced")]
    assert spans(Unaccounted(opened=10, heard=50, ended=90)) == []
    assert spans(Unaccounted(opened=10, heard=50)) == []


def test_a_market_without_a_stated_opening_was_open_since_the_recording_began() -> None:
    assert spans(Unaccounted(ended=300)) == [(BEGAN, 300, "unannounced")]


def test_a_market_heard_of_late_is_unannounced_until_then() -> None:
    assert spans(Unaccounted(opened=150, heard=200)) == [(150, 200, "unannounced")]
    assert spans(Unaccounted(opened=150, heard=200, ended=300)) == [
        (150, 200, "unannounced"),
        (200, 300, "no_capacity"),
    ]


def test_a_market_that_had_a_place_and_was_over_before_its_book_came_was_being_subscribed() -> None:
    assert spans(Unaccounted(heard=200, ended=210, has_place=True)) == [(200, 210, "subscribing")]


def test_what_the_venue_says_of_the_end_holds_against_what_was_heard() -> None:
    assert spans(Unaccounted(opened=150, heard=200, ended=180)) == [(150, 180, "unannounced")]
    assert spans(Unaccounted(heard=200, ended=180)) == []


def test_the_end_is_the_venue_s_where_it_says_so_and_never_in_the_future() -> None:
    closed = structs.replace(change("closed", "m"), ts_recv=500)
    assert end_of(closed, was_open=True) == MarketEnd(None, 500)
    assert end_of(structs.replace(closed, ts_venue=400), was_open=True) == MarketEnd(None, 400)
    told = structs.replace(closed, opened=200, closed=300, ts_venue=400)
    assert end_of(told, was_open=False) == MarketEnd(200, 300, was_open=False)
    assert end_of(structs.replace(closed, closed=900), was_open=True) == MarketEnd(None, 500)
    resolved = MarketResolved(VENUE, MarketId("m"), 500, 450, ())
    assert end_of(resolved, was_open=True) == MarketEnd(None, 450)


def test_a_market_of_which_only_the_end_is_known_is_not_said_to_have_been_open() -> None:
    instruments = UnaccountedInstruments()
    instruments.end(KEY, MarketEnd(None, 300, was_open=False))
    assert len(instruments) == 0


class World:
    """A recorder with one place of whose venue anything may be told in any order; a step is a second."""

    def __init__(self, index: CoverageIndex) -> None:
        self.index = index
        self.recorder = ScheduledRecorder(index, "m0", capacity=1, period=7 * S)
        self.opened: dict[str, int] = {"m0": START}
        self.closed: dict[str, int] = {}

    @property
    def now(self) -> int:
        return self.recorder.clock.now()

    def open(self, name: str) -> None:
        if name not in self.opened:
            self.opened[name] = self.now

    def close(self, name: str) -> None:
        if name in self.opened:
            self.closed.setdefault(name, self.now)

    def tell(self, fact: MarketFact) -> None:
        self.recorder.recorder.advance(self.now)
        self.recorder.records += self.recorder.recorder.learn([fact])
        self.recorder.records += self.recorder.scheduler.follow(self.recorder.recorder.take_lifecycle())

    def say(self, name: str) -> None:
        """Say what is true of a market now, as a list does."""
        if name in self.closed:
            over = structs.replace(market(name, 1, tradable=False), status="closed")
            told = structs.replace(change("closed", name, over), ts_recv=self.now, ts_venue=self.closed[name])
            self.tell(structs.replace(told, opened=self.opened[name], closed=self.closed[name]))
        elif name in self.opened:
            told = structs.replace(change("activated", name, self.record(name)), ts_recv=self.now)
            self.tell(structs.replace(told, opened=self.opened[name]))

    def announce(self, name: str, kind: str) -> None:
        """Let the stream announce something true: a market is made before it opens, its opening is told at once."""
        if kind == "created" and name not in self.opened:
            self.tell(structs.replace(change("created", name, self.record(name)), ts_recv=self.now))
        elif kind == "activated" and self.opened.get(name) == self.now and name not in self.closed:
            self.tell(structs.replace(change("activated", name), ts_recv=self.now))
        elif kind == "closed" and name in self.closed:
            self.tell(structs.replace(change("closed", name), ts_recv=self.now, ts_venue=self.closed[name]))
        elif kind == "resolved" and name in self.closed:
            self.tell(MarketResolved(VENUE, MarketId(name), self.now, self.now, ()))

    def record(self, name: str) -> Market:
        is_open = name in self.opened and name not in self.closed
        status = "active" if is_open else "closed" if name in self.closed else "created"
        return structs.replace(market(name, 1, tradable=is_open), status=status, fetched_at=self.now)

    async def step(self, action: str, name: str) -> None:
        if action == "open":
            self.open(name)
        elif action == "close":
            self.close(name)
        elif action == "say":
            self.say(name)
        elif action == "schedule":
            await self.recorder.run(until(1))
        elif action == "seal":
            coverage = self.recorder.recorder.coverage
            ends, waiting = coverage.idle("rotated_out"), coverage.idle("no_capacity")
            self.index.store(ends, waiting)
            coverage.release([*ends, *waiting])
        elif action == "pass":
            await self.recorder.clock.advance(S)
        else:
            self.announce(name, action)

    async def stop(self) -> dict[str, list[tuple[int, int, str]]]:
        """Let everything be said once more, stop, and return the intervals of each market."""
        for name in self.opened:
            self.say(name)
        world = self.recorder
        world.recorder.advance(self.now)
        world.records += await world.scheduler.admission.account(self.index, stopping=True)
        world.records += world.recorder.stop()
        world.records += world.scheduler.admission.waiting.cut(world.recorder.watermark)
        rows = defaultdict(list)
        for name, start, end, reason in world.intervals():
            rows[name].append((start, end, reason))
        return rows


ACTIONS: Final = (
    "open",
    "close",
    "say",
    "schedule",
    "seal",
    "pass",
    "pass",
    "created",
    "activated",
    "closed",
    "resolved",
)


async def lived(folder: Path, steps: list[tuple[str, int]]) -> None:
    with closing(CoverageIndex(folder, "c0")) as index:
        world = World(index)
        await world.step("schedule", "m0")  # the first plan: what the universe has found a place
        for action, number in steps:
            await world.step(action, f"m{number}")
        rows = await world.stop()
        for name, opened in world.opened.items():
            ended = world.closed.get(name, world.now)
            found = sorted(rows[name])
            assert all(before[1] == after[0] for before, after in pairwise(found)), (name, found)
            if ended > opened:
                assert found, (name, opened, ended)
                assert found[0][0] <= (opened - START) // S, (name, found)
                assert found[-1][1] >= (ended - START) // S, (name, found)
        assert rows.keys() <= world.opened.keys()


@settings(max_examples=100)
@given(steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 3)), max_size=40))
def test_whatever_is_told_in_whatever_order_every_market_that_was_open_has_its_rows(
    steps: list[tuple[str, int]],
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(lived(Path(folder), steps))
