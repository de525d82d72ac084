"""Keep a feed's desired set in step with the plan and with markets that come and go.

Kept apart from the session because it decides what is asked of the venue, and the session only
takes what the venue sends.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Protocol

from msgspec import Struct, structs

from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.selection.candidates import CandidateSet
from predsurv.collect.selection.planner import EXPLORING, Plan, RotationHistory, SelectionRequest, plan
from predsurv.collect.transition import SubscriptionTransition
from predsurv.core.events import MarketChange, MarketResolved, Unwanted
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, Record
from predsurv.ports import Clock, Feed

Scores = Callable[[], Mapping[InstrumentKey, int]]
"""Measured interestingness in micros by instrument; may be empty."""

CHECK_INTERVAL: Final = 250_000_000
"""How often (ns) it is looked whether the set has to change."""

_LISTED: Final = frozenset({"created", "activated"})
_LOG: Final = logging.getLogger(__name__)


class SelectionSettings(Struct, frozen=True, kw_only=True):
    """How many instruments a venue may take and how they are chosen; ``period`` in ns.

    ``seed`` makes the draws of one run different from another's.
    """

    capacity: int
    explore_share: int
    period: int
    pinned: frozenset[InstrumentKey] = frozenset()
    seed: int = 0


class ResumePoints(Protocol):
    """Where earlier turns ended (ns UTC); ``Ledger`` is one. Called from worker threads."""

    def ends(self, keys: Iterable[InstrumentKey]) -> Mapping[InstrumentKey, int]:
        """Return where the accounts of ``keys`` ended, without those that never had one."""
        ...

    def every(self, venue: VenueName) -> Mapping[InstrumentKey, int]:
        """Return where all accounts of ``venue`` ended."""
        ...


class NoResumePoints:
    """Nobody was recorded before."""

    def ends(self, keys: Iterable[InstrumentKey]) -> Mapping[InstrumentKey, int]:  # noqa: ARG002
        """Return nothing."""
        return {}

    def every(self, venue: VenueName) -> Mapping[InstrumentKey, int]:  # noqa: ARG002
        """Return nothing."""
        return {}


class RotationScheduler:
    """What is wanted of one venue, now and next. ``past`` is to be set before the run begins."""

    def __init__(self, recorder: Recorder, roster: CandidateSet, places: SelectionSettings, clock: Clock) -> None:
        self.plan: Plan | None = None
        self.next_rotation = 0
        self.rotations = 0
        self.recorded: set[InstrumentKey] = set()
        self.closed = 0  # recorded ones whose market is gone
        self.past: ResumePoints = NoResumePoints()
        self._recorder = recorder
        self._roster = roster
        self._places = places
        self._clock = clock
        self._history = RotationHistory(seed=places.seed)
        self._taken_up: list[InstrumentKey] = []
        self._handover = SubscriptionTransition({}, places.capacity)
        self._admitted: list[InstrumentKey] = []  # since the last plan
        self._told = False  # the feed knows what is recorded
        self._anew = False  # books were lost on our side: ask for them again

    @property
    def period(self) -> int:
        """Return how long (ns) a choice stands."""
        return self._places.period

    def take_up(self, keys: Iterable[InstrumentKey]) -> None:
        """Remember what an earlier run recorded: whatever the first plan leaves out was rotated out."""
        self._taken_up += keys

    def follow(self, events: Iterable[MarketChange | MarketResolved]) -> list[Record]:
        """Let markets join and leave; return the records of those that left."""
        records: list[Record] = []
        for event in events:
            gone = self._roster.apply(event)
            for key in gone:
                self._handover.forget(key)
            self.closed += len(self.recorded.intersection(gone))
            self.recorded.difference_update(gone)
            if gone:
                records += self._recorder.release(gone)
                # One that had its place only in an earlier run, and would have it again in a moment.
                self._recorder.account.lay_off([key for key in gone if key not in self._recorder.fold.lines])
                self._told = False
            elif isinstance(event, MarketChange) and event.kind in _LISTED:
                self._admit(self._roster.tradable(event.market_id))
        return records

    def _admit(self, keys: Iterable[InstrumentKey]) -> None:
        """Let markets just listed have places that others left, without waiting for the next rotation."""
        strangers = [key for key in keys if key not in self._history.since]
        if self.plan is not None:
            self._admitted += self._handover.admit(strangers, MICROS)

    def refresh(self) -> None:
        """Ask anew for all books that are not trusted: what the feed sent meanwhile was not kept."""
        self._anew = True

    def demand(self, scores: Mapping[InstrumentKey, int]) -> SelectionRequest:
        """Return what the planner is asked."""
        return SelectionRequest(
            universe=self._roster.candidates(),
            capacity=self._places.capacity,
            explore_share=self._places.explore_share,
            pinned=self._places.pinned,
            scores=scores,
        )

    async def run(self, feed: Feed, scores: Scores, keep: Callable[[list[Record]], None]) -> None:
        """Tell ``feed`` what to watch, at once and whenever that changes, until cancelled."""
        self._told = False
        while True:
            now = self._clock.monotonic()
            if self.plan is None or now >= self.next_rotation:
                self.next_rotation = now + self._places.period
                await self._rotate(scores, keep)
            await self._move(keep)
            await self._tell(feed)
            await self._clock.sleep(CHECK_INTERVAL)

    async def _rotate(self, scores: Scores, keep: Callable[[list[Record]], None]) -> None:
        demand, admitted = self.demand({}), dict.fromkeys(self._admitted, self._history.period)
        history = structs.replace(self._history, since={**self._history.since, **admitted})
        self._admitted = []
        if self.plan is None:
            history = await asyncio.to_thread(_remembered, history, demand, self.past, (self._clock.now(), self.period))
        made = await asyncio.to_thread(lambda: plan(structs.replace(demand, scores=scores()), history))
        self.plan, self._history = made, made.history
        self.rotations += 1
        # A market that closed while the plan was made is still in it.
        want = {key: chance for key, chance in made.want.items() if self._roster.has(key)}
        self._handover = SubscriptionTransition(want, self._places.capacity)
        others = [key for key in self._taken_up if key not in want]
        self._taken_up = []
        keep(_left_out(others, self._recorder, self._roster))
        _LOG.info("rotation %d: %s", self.rotations, _described(made))

    async def _move(self, keep: Callable[[list[Record]], None]) -> None:
        """Take the next step towards the plan."""
        known: dict[InstrumentKey, int] = {}
        while True:
            step = self._handover.step(self._recorder.fold.lines, self._clock.monotonic())
            if step is None:
                return
            asked = self._strangers(step, known)
            if not asked:
                break
            found = await asyncio.to_thread(self.past.ends, asked)
            known |= dict.fromkeys(asked, -1) | dict(found)
        account = self._recorder.account
        account.resume(
            Coverage(key, known[key], known[key], "gap", "rotated_out", 0)
            for key in self._strangers(step, {})
            if known[key] >= 0
        )
        self.recorded |= step.keys()
        keep(self._recorder.want(step))
        self._told = False

    def _strangers(self, keys: Iterable[InstrumentKey], known: Collection[InstrumentKey]) -> list[InstrumentKey]:
        """Return those of whose past neither the account nor ``known`` tells."""
        lines, account = self._recorder.fold.lines, self._recorder.account
        return [key for key in keys if key not in lines and key not in known and not account.tracks(key)]

    async def _tell(self, feed: Feed) -> None:
        lines = self._recorder.fold.lines
        if self._anew:
            await feed.watch(frozenset(key for key, line in lines.items() if line.book.trusted))
        if self._anew or not self._told:
            self._anew, self._told = False, True
            await feed.watch(frozenset(lines))


def _remembered(
    history: RotationHistory, demand: SelectionRequest, past: ResumePoints, time: tuple[int, int]
) -> RotationHistory:
    """Let the sweep go on where earlier runs left it: periods of theirs are negative. ``time``: now and period, ns."""
    now, period = time
    venues = {candidate.key.venue for candidate in demand.universe[:1]}
    ends = {key: ended for venue in venues for key, ended in past.every(venue).items()}
    return structs.replace(history, since={key: min(0, (ended - now) // period) for key, ended in ends.items()})


def _left_out(others: Iterable[InstrumentKey], recorder: Recorder, roster: CandidateSet) -> list[Record]:
    """Say what became of the instruments of an earlier run that have no place now."""
    records: list[Record] = []
    gone: list[InstrumentKey] = []
    for key in others:
        if roster.has(key):
            records += recorder.account.apply(Unwanted(key, recorder.mark, "rotated_out"))
        else:
            gone.append(key)
    recorder.account.lay_off(gone)
    return records


def _described(made: Plan) -> str:
    counts = {"pinned": made.count("pinned"), "most interesting": made.count("exploited", "everything")}
    counts |= {name: made.count(name) for name in EXPLORING}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to record"
