"""Which instruments of a venue are recorded over time: the feed's set follows the plan and the markets.

The scheduler decides what is asked of the feed; the session takes what the feed sends.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct, structs

from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.candidates import CandidateSet
from predsurv.collect.selection.planner import EXPLORING, Plan, RotationHistory, SelectionRequest, plan
from predsurv.collect.transition import SubscriptionTransition
from predsurv.core.events import MarketChange, MarketResolved, Unwanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Record
from predsurv.ports import Clock, Feed

Scores = Callable[[], Mapping[InstrumentKey, int]]
"""Measured interestingness in micros by instrument; may be empty. Called from a worker thread."""

Keep = Callable[[list[Record]], None]

CHECK_INTERVAL: Final = 250_000_000
"""How often (ns) the recorded set is compared with the target."""

_LISTED: Final = frozenset({"created", "activated"})
_LOG: Final = logging.getLogger(__name__)


class SelectionSettings(Struct, frozen=True, kw_only=True):
    """How many instruments of a venue are recorded and how they are chosen; ``rotation_period`` in ns.

    ``seed`` makes the draws of one run different from another's.
    """

    capacity: int
    explore_share: int
    rotation_period: int
    pinned: frozenset[InstrumentKey] = frozenset()
    seed: int = 0


class RotationScheduler:
    """The recorded set of one venue, now and next.

    ``plan``: the current one, None before the first. ``next_rotation``: monotonic ns. ``recorded``: what was
    recorded so far, without the ``closed`` instruments whose markets are gone.
    """

    def __init__(self, recorder: Recorder, candidates: CandidateSet, settings: SelectionSettings, clock: Clock) -> None:
        self.plan: Plan | None = None
        self.next_rotation = 0
        self.rotations = 0
        self.recorded: set[InstrumentKey] = set()
        self.closed = 0
        self._recorder = recorder
        self._candidates = candidates
        self._settings = settings
        self._clock = clock
        self._history = RotationHistory(seed=settings.seed)
        self._resumed: list[InstrumentKey] = []
        self._transition = SubscriptionTransition({}, settings.capacity)
        self._admitted: list[InstrumentKey] = []  # since the last plan
        self._feed_is_current = False  # the feed watches what is recorded
        self._snapshots_wanted = False

    @property
    def rotation_period(self) -> int:
        """Return how long (ns) a plan is in force."""
        return self._settings.rotation_period

    def resume(self, keys: Iterable[InstrumentKey]) -> None:
        """Take over what an earlier run recorded: what the first plan leaves out of it is rotated out."""
        self._resumed += keys

    def follow(self, events: Iterable[MarketChange | MarketResolved]) -> list[Record]:
        """Let markets join and leave; return the records of those that left."""
        records: list[Record] = []
        for event in events:
            gone = self._candidates.apply(event)
            for key in gone:
                self._transition.remove(key)
            self.closed += len(self.recorded.intersection(gone))
            self.recorded.difference_update(gone)
            if gone:
                records += self._recorder.drop(gone)
                # Resumed ones that have no place yet would otherwise stay open gaps for ever.
                unplaced = [key for key in gone if key not in self._recorder.instruments]
                self._recorder.coverage.set_rotated_out(unplaced)
                self._feed_is_current = False
            elif isinstance(event, MarketChange) and event.kind in _LISTED:
                self._admit(self._candidates.tradable(event.market_id))
        return records

    def _admit(self, keys: Iterable[InstrumentKey]) -> None:
        """Give free places to markets just listed, without waiting for the next rotation."""
        new = [key for key in keys if key not in self._history.since]
        if self.plan is not None:
            self._admitted += self._transition.admit(new, MICROS)

    def request_snapshots(self) -> None:
        """Subscribe anew to all books that are not trusted: snapshots sent meanwhile were not kept."""
        self._snapshots_wanted = True

    def selection_request(self, scores: Mapping[InstrumentKey, int]) -> SelectionRequest:
        """Return what the planner is given."""
        return SelectionRequest(
            candidates=self._candidates.candidates(),
            capacity=self._settings.capacity,
            explore_share=self._settings.explore_share,
            pinned=self._settings.pinned,
            scores=scores,
        )

    async def run(self, feed: Feed, index: CoverageIndex, scores: Scores, keep: Keep) -> None:
        """Tell ``feed`` what to watch, at once and whenever that changes, until cancelled."""
        self._feed_is_current = False
        while True:
            now = self._clock.monotonic()
            if self.plan is None or now >= self.next_rotation:
                self.next_rotation = now + self._settings.rotation_period
                await self._rotate(index, scores, keep)
            await self._advance(index, keep)
            await self._update(feed)
            await self._clock.sleep(CHECK_INTERVAL)

    async def _rotate(self, index: CoverageIndex, scores: Scores, keep: Keep) -> None:
        request, admitted = self.selection_request({}), dict.fromkeys(self._admitted, self._history.period)
        history = structs.replace(self._history, since={**self._history.since, **admitted})
        self._admitted = []
        if self.plan is None:
            ends = await asyncio.to_thread(_earlier_ends, index, request)
            history = seeded(history, ends, now=self._clock.now(), period=self.rotation_period)
        made = await asyncio.to_thread(lambda: plan(structs.replace(request, scores=scores()), history))
        self.plan, self._history = made, made.history
        self.rotations += 1
        # A market that closed while the plan was made is still in it.
        target = {key: chance for key, chance in made.want.items() if self._candidates.has(key)}
        self._transition = SubscriptionTransition(target, self._settings.capacity)
        left_out = [key for key in self._resumed if key not in target]
        self._resumed = []
        keep(self._leave_out(left_out))
        _LOG.info("rotation %d: %s", self.rotations, _described(made))

    def _leave_out(self, keys: Iterable[InstrumentKey]) -> list[Record]:
        """Rotate out the instruments of an earlier run that have no place now; those of closed markets silently."""
        listed, gone = list[InstrumentKey](), list[InstrumentKey]()
        for key in keys:
            (listed if self._candidates.has(key) else gone).append(key)
        recorder, records = self._recorder, list[Record]()
        for key in listed:
            records += recorder.coverage.apply(Unwanted(key, recorder.watermark, "rotated_out"))
        recorder.coverage.set_rotated_out(gone)
        return records

    async def _advance(self, index: CoverageIndex, keep: Keep) -> None:
        """Take the next step of the transition, if one is due."""
        recorder, transition = self._recorder, self._transition
        step = transition.next_set(recorder.instruments, self._clock.monotonic())
        if step is None:
            return
        resume_points = await asyncio.to_thread(index.lookup, recorder.coverage.untracked(step))
        now = self._clock.monotonic()
        step = transition.next_set(recorder.instruments, now)  # markets may have closed meanwhile
        if step is None or not resume_points.keys() >= set(recorder.coverage.untracked(step)):
            return  # the next check takes it
        transition.request(step.keys() - recorder.instruments.keys(), now)
        self.recorded |= step.keys()
        keep(recorder.want(step, resume_points, self._candidates.mirrors(step.keys())))
        self._feed_is_current = False

    async def _update(self, feed: Feed) -> None:
        instruments, mirrors = self._recorder.instruments, self._recorder.mirrors
        if self._snapshots_wanted:
            self._snapshots_wanted = self._feed_is_current = False  # wanted again meanwhile: the next check does it
            trusted = frozenset(key for key, each in instruments.items() if each.book.trusted)
            await feed.watch(trusted, {key: mirror for key, mirror in mirrors.items() if key in trusted})
        if not self._feed_is_current:
            self._feed_is_current = True
            await feed.watch(frozenset(instruments), dict(mirrors))


def seeded(history: RotationHistory, ends: Mapping[InstrumentKey, int], *, now: int, period: int) -> RotationHistory:
    """Seed rotation history from earlier runs: an instrument last recorded n periods before ``now`` gets period -n.

    ``ends``: when each instrument's coverage ended; ``ends`` and ``now`` in ns UTC, ``period`` in ns.
    """
    return structs.replace(history, since={key: min(0, (ended - now) // period) for key, ended in ends.items()})


def _earlier_ends(index: CoverageIndex, request: SelectionRequest) -> Mapping[InstrumentKey, int]:
    venues = {candidate.key.venue for candidate in request.candidates[:1]}
    return {key: ended for venue in venues for key, ended in index.all_of(venue).items()}


def _described(made: Plan) -> str:
    counts = {"pinned": made.count("pinned"), "most interesting": made.count("exploited", "everything")}
    counts |= {name: made.count(name) for name in EXPLORING}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to record"
