"""Which instruments of a venue are recorded over time: the feed's set follows the plan and the markets.

The scheduler decides what is asked of the feed; the session takes what the feed sends.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, structs

from predsurv.collect.admission import Admission
from predsurv.collect.learning import LiveLearning
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.candidates import CandidateSet, Membership
from predsurv.collect.selection.choices import ChoiceLog
from predsurv.collect.selection.interest import LiveWeights, MinedScore
from predsurv.collect.selection.planner import EXPLORING, Plan, RotationHistory, SelectionRequest, plan
from predsurv.collect.transition import SubscriptionTransition
from predsurv.collect.unaccounted import MarketEnd, end_of
from predsurv.core.events import MarketChange, MarketFact, Unwanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record
from predsurv.ports import Clock, Feed

MinedScores = Callable[[], Mapping[InstrumentKey, MinedScore]]
"""Mined scores by instrument; may be empty. Called from a worker thread."""

Keep = Callable[[list[Record]], None]

CHECK_INTERVAL: Final = 250_000_000
"""How often (ns) the recorded set is compared with the target."""

_LOG: Final = logging.getLogger(__name__)


class SelectionSettings(Struct, frozen=True, kw_only=True):
    """How many instruments of a venue are recorded and how they are chosen; ``rotation_period`` in ns.

    ``seed`` makes the draws of one run different from another's. ``weights``: of what can be seen live in mined scores.
    """

    capacity: int
    explore_share: int
    rotation_period: int
    seed: int = 0
    weights: LiveWeights = LiveWeights()


class RotationScheduler:
    """The recorded set of one venue, now and next.

    ``plan``: the current one, None before the first. ``next_rotation``: monotonic ns. ``recorded``: what was
    recorded so far, without the ``closed`` instruments whose markets are gone. ``admission``: what becomes tradable
    between two plans. ``candidates``: what plans choose from. ``learning``: how busy instruments were lately.
    """

    def __init__(self, recorder: Recorder, candidates: CandidateSet, settings: SelectionSettings, clock: Clock) -> None:
        self.plan: Plan | None = None
        self.next_rotation = 0
        self.rotations = 0
        self.recorded: set[InstrumentKey] = set()
        self.closed = 0
        self.admission = Admission(recorder.coverage, recorder.counters.gaps)
        self._recorder = recorder
        self.candidates = candidates
        self.learning = LiveLearning(settings.weights)
        self.settings = settings
        self._clock = clock
        self._history = RotationHistory(seed=settings.seed)
        self._choices = ChoiceLog(settings.seed)
        self._resumed: list[InstrumentKey] = []
        self._ran_until = 0  # the earlier run (ns UTC)
        self._transition = SubscriptionTransition({}, settings.capacity)
        self._early: dict[InstrumentKey, None] = {}  # opened before there was a plan
        self._feed_is_current = False  # the feed watches what is recorded
        self._snapshots_wanted = False

    def resume(
        self,
        keys: Iterable[InstrumentKey],
        waiting: Mapping[InstrumentKey, int],
        watermark: int,
        exploited: Iterable[InstrumentKey] = (),
    ) -> list[Record]:
        """Take over what an earlier run recorded: what the first plan leaves out of it is rotated out.

        ``waiting``: the instruments that it left waiting for a place, by when they began to (ns UTC). Those whose
        markets are not listed now stop waiting at ``watermark`` (ns UTC), where that run's records end. ``exploited``:
        which of ``keys`` had a place for being interesting.
        """
        recorded, preferred = list(keys), frozenset(exploited)
        self._resumed += recorded
        self._choices.resume(recorded, preferred)
        self._history = structs.replace(self._history, exploited=preferred, fresh=frozenset(waiting))
        self._ran_until = watermark
        self.admission.waiting.restore(waiting)
        unlisted = [key for key in waiting if not self.candidates.has(key)]
        return [*self.admission.waiting.leave(unlisted, watermark)]

    def follow(self, events: Iterable[MarketFact]) -> list[Record]:
        """Let markets join and leave; return the records of those that left."""
        records: list[Record] = []
        for event in events:
            changed = self.candidates.apply(event)
            if changed.gone:
                records += self.let_go(changed.gone, end_of(event, was_open=changed.was_open))
            elif changed.opened:
                self._admit(changed, event)
        return records

    def let_go(self, gone: Sequence[InstrumentKey], end: MarketEnd | None = None) -> list[Record]:
        """Let instruments leave whose markets are over, as ``end`` says, or not listed; return the records of that."""
        recorder, admission = self._recorder, self.admission
        known = [key for key in gone if key in recorder.instruments or key in admission.waiting]
        for key in gone:
            if end is not None and key not in known:
                admission.unaccounted.end(key, end, has_place=key in self._transition.target)
            elif admission.unaccounted.get(key) is not None:
                admission.unaccounted.end(key, MarketEnd(opened=None, ended=recorder.watermark))
            self._transition.remove(key)
            self._early.pop(key, None)
        self.closed += len(self.recorded.intersection(gone))
        self.recorded.difference_update(gone)
        records: list[Record] = [*recorder.drop(gone), *admission.waiting.leave(gone, recorder.watermark)]
        # Resumed ones that have no place yet would otherwise stay open gaps for ever.
        recorder.coverage.set_rotated_out(key for key in gone if key not in recorder.instruments)
        self._feed_is_current = False
        return records

    def _admit(self, changed: Membership, event: MarketFact) -> None:
        """Give places to instruments that are tradable from ``event`` on, without a new plan."""
        if changed.first:
            opened = event.opened if isinstance(event, MarketChange) else None
            for key in changed.opened:
                if key not in self._recorder.instruments and key not in self.admission.waiting:
                    self.admission.unaccounted.open(key, event.ts_recv, opened, has_place=True)
        if self.plan is None:
            self._early |= dict.fromkeys(changed.opened)
        else:
            self.admission.place(changed.opened, self.candidates.pinned, self._transition)
            self.admission.unaccounted.lose_places(self._transition.target)

    def request_snapshots(self) -> None:
        """Subscribe anew to all books that are not trusted: snapshots sent meanwhile were not kept."""
        self._snapshots_wanted = True

    def selection_request(self) -> SelectionRequest:
        """Return what the planner is given, without the interest in each candidate."""
        return SelectionRequest(
            candidates=self.candidates.candidates(),
            capacity=self.settings.capacity,
            explore_share=self.settings.explore_share,
            pinned=frozenset(self.candidates.pinned),
        )

    async def run(self, feed: Feed, index: CoverageIndex, mined: MinedScores, keep: Keep) -> None:
        """Tell ``feed`` what to watch, at once and whenever that changes, until cancelled."""
        self._feed_is_current = False
        while True:
            now = self._clock.monotonic()
            if self.plan is None or now >= self.next_rotation:
                self.next_rotation = now + self.settings.rotation_period
                await self._rotate(index, mined, keep)
            keep([*await self.admission.account(index)])
            self.admission.fill(self._transition, self.candidates.tradable)
            await self._advance(index, keep)
            await self._update(feed)
            await self._clock.sleep(CHECK_INTERVAL)

    async def _rotate(self, index: CoverageIndex, mined: MinedScores, keep: Keep) -> None:
        request, admission, first = self.selection_request(), self.admission, self.plan is None
        venue = request.candidates[0].key.venue if request.candidates else None
        if first and venue is not None:
            await asyncio.to_thread(self.learning.recall, venue, index)
        self.learning.take_in(self._recorder, self.candidates.mirrors)
        if venue is not None:
            await asyncio.to_thread(self.learning.remember, venue, index)
        placed = dict.fromkeys(admission.placed, self._history.period)
        history = structs.replace(self._history, since={**self._history.since, **placed, **admission.displaced})
        if self.plan is None:
            ends = await asyncio.to_thread(_earlier_ends, index, request)
            history = seeded(history, {**ends, **dict.fromkeys(self._resumed, self._ran_until)})
        made, interest = await asyncio.to_thread(_planned, request, history, self.learning, mined)
        self._choices.decide(made, interest)
        self.plan, self._history = made, made.history
        self.rotations += 1
        # A market that closed while the plan was made is still in it.
        target = {key: chance for key, chance in made.want.items() if self.candidates.has(key)}
        self._transition = SubscriptionTransition(target, self.settings.capacity)
        late = [key for key in admission.placed if key not in placed]
        admission.begin(made, history)
        opened = [key for key in ([*self._early] if first else late) if self.candidates.has(key)]
        admission.place(opened, self.candidates.pinned, self._transition)
        self._early = {}
        admission.unaccounted.lose_places(self._transition.target)
        left_out = [key for key in self._resumed if key not in target]
        self._resumed = []
        keep(self._leave_out(left_out))
        _LOG.info("rotation %d: %s", self.rotations, _described(made))

    def _leave_out(self, keys: Iterable[InstrumentKey]) -> list[Record]:
        """Rotate out the instruments of an earlier run that have no place now; those of closed markets silently.

        A list that is older than the end of that run does not tell that a market is over: it may have been born later.
        """
        listed, gone = list[InstrumentKey](), list[InstrumentKey]()
        is_newer = self.candidates.listed_at > self._ran_until
        for key in keys:
            (gone if is_newer and not self.candidates.has(key) else listed).append(key)
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
            keep([*self._choices.take(recorder.watermark, transition.target, self.candidates.has)])
            return
        resume_points = await asyncio.to_thread(index.lookup, recorder.coverage.untracked(step))
        now = self._clock.monotonic()
        step = transition.next_set(recorder.instruments, now)  # markets may have closed meanwhile
        if step is None or not resume_points.keys() >= set(recorder.coverage.untracked(step)):
            return  # the next check takes it
        arriving = step.keys() - recorder.instruments.keys()
        transition.request(arriving, now)
        never = [key for key in recorder.coverage.untracked(arriving) if resume_points[key] is None]
        late = [gap for key in never if (gap := self.admission.late(key)) is not None]
        recorder.coverage.resume(late)
        if late:
            recorder.counters.gaps["unannounced"] += len(late)
        self.admission.unaccounted.discard(arriving)
        self.admission.waiting.place(arriving)
        self.recorded |= step.keys()
        keep([*self._choices.take(recorder.watermark, transition.target, self.candidates.has)])
        keep(recorder.want(step, resume_points, self.candidates.mirrors(step.keys())))
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


def seeded(history: RotationHistory, ends: Mapping[InstrumentKey, int]) -> RotationHistory:
    """Seed the order of the sweep from earlier runs: when each instrument's coverage ended (``ends``, ns UTC).

    In their order, however short those runs were: counted in periods all would be equally long ago.
    """
    places = {ended: -place for place, ended in enumerate(sorted(set(ends.values()), reverse=True), 1)}
    return structs.replace(history, since={key: places[ended] for key, ended in ends.items()})


def _planned(
    request: SelectionRequest, history: RotationHistory, learning: LiveLearning, mined: MinedScores
) -> tuple[Plan, Mapping[InstrumentKey, int]]:
    """Return the plan, and the interest (micros) of each tradable candidate that it was made of."""
    interest = learning.interests(request.candidates, mined())
    return plan(structs.replace(request, scores=interest), history), interest


def _earlier_ends(index: CoverageIndex, request: SelectionRequest) -> Mapping[InstrumentKey, int]:
    listed = {candidate.key for candidate in request.candidates}
    venues = {candidate.key.venue for candidate in request.candidates[:1]}
    return {key: ended for venue in venues for key, ended in index.all_of(venue, listed.__contains__).items()}


def _described(made: Plan) -> str:
    counts = {"pinned": made.count("pinned"), "most interesting": made.count("exploited", "everything")}
    counts |= {name: made.count(name) for name in EXPLORING}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to record"
