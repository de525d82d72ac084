"""Keep a feed's desired set in step with the plan and with markets that come and go.

Kept apart from the session because it decides what is asked of the venue, and the session only
takes what the venue sends.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct, structs

from predsurv.collect.recorder import Recorder
from predsurv.collect.roster import Roster
from predsurv.collect.rotation import Demand, History, Plan, plan
from predsurv.core.events import MarketChange, MarketResolved, Unwanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record
from predsurv.ports import Clock, Feed

Scores = Callable[[], Mapping[InstrumentKey, int]]
"""Measured interestingness in micros by instrument; may be empty."""

REOPEN_INTERVAL: Final = 24 * 3_600 * 1_000_000_000
"""How long (ns) a closed market is remembered: an old universe file or the venue may bring it back."""

CHECK_INTERVAL: Final = 250_000_000
"""How often (ns) it is looked whether the set has to change."""


class Places(Struct, frozen=True, kw_only=True):
    """How many instruments a venue may take and how they are chosen; ``period`` in ns."""

    capacity: int
    explore_share: int
    period: int
    pinned: frozenset[InstrumentKey] = frozenset()


class Steering:
    """What is wanted of one venue, now and next."""

    def __init__(self, recorder: Recorder, roster: Roster, places: Places, clock: Clock) -> None:
        self.plan: Plan | None = None
        self.next_rotation = 0
        self.recorded: set[InstrumentKey] = set()
        self._recorder = recorder
        self._roster = roster
        self._places = places
        self._clock = clock
        self._history = History()
        self._taken_up: list[InstrumentKey] = []
        self._closed: deque[tuple[int, tuple[InstrumentKey, ...]]] = deque()
        self._narrow = False  # markets closed: tell the feed
        self._anew = False  # books were lost on our side: ask for them again

    def take_up(self, keys: Iterable[InstrumentKey]) -> None:
        """Remember what an earlier run recorded: whatever the first plan leaves out was rotated out."""
        self._taken_up += keys

    def follow(self, events: Iterable[MarketChange | MarketResolved]) -> list[Record]:
        """Let markets join and leave; return the records of those that left."""
        records: list[Record] = []
        for event in events:
            gone = self._roster.apply(event)
            if gone:
                records += self._recorder.release(gone)
                self._narrow = True
                self._closed.append((self._clock.monotonic() + REOPEN_INTERVAL, gone))
        return records

    def refresh(self) -> None:
        """Ask anew for all books that are not trusted: what the feed sent meanwhile was not kept."""
        self._anew = True

    def demand(self, scores: Mapping[InstrumentKey, int]) -> Demand:
        """Return what the planner is asked."""
        return Demand(
            universe=self._roster.candidates(),
            capacity=self._places.capacity,
            explore_share=self._places.explore_share,
            pinned=self._places.pinned,
            scores=scores,
        )

    async def run(self, feed: Feed, scores: Scores, keep: Callable[[list[Record]], None]) -> None:
        """Tell ``feed`` what to watch, at once and whenever that changes, until cancelled."""
        self.next_rotation = self._clock.monotonic()
        while True:
            if self._clock.monotonic() >= self.next_rotation:
                self.next_rotation = self._clock.monotonic() + self._places.period
                await self._rotate(feed, scores, keep)
            elif self._narrow or self._anew:
                await self._watch_again(feed)
            await self._clock.sleep(CHECK_INTERVAL)

    async def _rotate(self, feed: Feed, scores: Scores, keep: Callable[[list[Record]], None]) -> None:
        demand, history = self.demand({}), self._history
        made = await asyncio.to_thread(lambda: plan(structs.replace(demand, scores=scores()), history))
        # A market that closed while the plan was made is still in it.
        want = {key: chance for key, chance in made.want.items() if self._roster.has(key)}
        self.plan, self._history = made, made.history
        self.recorded |= want.keys()
        keep(self._recorder.want(want))
        self._leave_out(want, keep)
        self._narrow = False
        await feed.watch(frozenset(want))

    def _leave_out(self, want: Mapping[InstrumentKey, int], keep: Callable[[list[Record]], None]) -> None:
        """Say what became of the instruments of an earlier run that have no place now, and forget closed ones."""
        account, mark = self._recorder.account, self._recorder.mark
        others = [key for key in self._taken_up if key not in want]
        self._taken_up = []
        account.forget(key for key in others if not self._roster.has(key))
        for key in others:
            if self._roster.has(key):
                keep(list(account.apply(Unwanted(key, mark, "rotated_out"))))
        while self._closed and self._closed[0][0] <= self._clock.monotonic():
            account.forget(key for key in self._closed.popleft()[1] if key not in want)

    async def _watch_again(self, feed: Feed) -> None:
        lines = self._recorder.fold.lines
        if self._anew:
            await feed.watch(frozenset(key for key, line in lines.items() if line.book.trusted))
        self._narrow = self._anew = False
        await feed.watch(frozenset(lines))
