"""Rotate a recording on the mock exchange in virtual time and compare it with the exchange's own tape."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct, field

from predsurv.collect.clock import SteadyClock
from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.scheduler import RotationScheduler, SelectionSettings
from predsurv.collect.selection.candidates import CandidateSet, ShardFilter
from predsurv.collect.session import RecordingSession
from predsurv.config import MockConfig
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import each_record
from predsurv.core.records import Coverage, Record
from predsurv.exchange.tape import LevelChange
from predsurv.net.clock import ManualClock
from predsurv.ports import MarketQuery
from predsurv.venues.mock.clocked_exchange import TapeBuffer
from predsurv.venues.mock.feed import TURN_NS
from predsurv.venues.mock.venue import MockVenue

S = 1_000_000_000

PERIOD = 2 * S

STEP = 10_000_000


class Verdict(Struct):
    """What was found; ``changes`` recorded, of them ``lost`` and ``doubled``; gaps without a cause in the plan."""

    rotations: int = 0
    swaps: int = 0
    changes: int = 0
    lost: int = 0
    doubled: int = 0
    orphans: int = 0
    strays: int = 0
    untiled: int = 0
    unexplained: Counter[str] = field(default_factory=Counter)


async def rotate(count: int, *, markets: int = 120, rate: int = 400, capacity: int = 40) -> Verdict:
    """Record through ``count`` rotations and compare with the tape."""
    clock = ManualClock()
    venue = MockVenue(MockConfig(enabled=True, markets=markets, rate=rate), clock)
    tape = venue.clocked_exchange.subscribe()
    recorder, candidates = Recorder(RecordingPolicy()), CandidateSet(ShardFilter(mirrored=True))
    settings = SelectionSettings(capacity=capacity, explore_share=700_000, rotation_period=PERIOD)
    scheduler = RotationScheduler(recorder, candidates, settings, clock)
    session = RecordingSession(
        venue, recorder, scheduler, clock=clock, steady_clock=SteadyClock(clock), on_batch=lambda *_: None
    )
    scanning = asyncio.create_task(_scan(venue, candidates))
    while not scanning.done():
        await clock.advance(STEP)
    judge = Judge()
    with TemporaryDirectory() as folder, closing(CoverageIndex(Path(folder), "c0")) as index:
        running = asyncio.create_task(session.run(index, dict))
        while scheduler.rotations < count:
            await clock.advance(STEP)
            session.settle()
            _move_to_index(session, index)
            judge.take(each_record(session.records), tape, venue)
            session.records = []
        running.cancel()
        await asyncio.wait([running])
    session.records += recorder.stop()
    judge.take(each_record(session.records), tape, venue)
    verdict = judge.verdict()
    verdict.rotations, verdict.swaps = scheduler.rotations, judge.swaps
    verdict.orphans, verdict.strays = recorder.counters.orphans, recorder.counters.strays
    return verdict


async def _scan(venue: MockVenue, candidates: CandidateSet) -> None:
    async for market in venue.catalog().markets(MarketQuery()):
        candidates.add(market)


def _move_to_index(session: RecordingSession, index: CoverageIndex) -> None:
    """Store the ends of rotated-out instruments and stop tracking them, as the committer does."""
    ends = session.coverage.idle("rotated_out")
    if ends:
        index.store(ends)
        session.coverage.release(ends)


class Judge:
    """Keeps what was recorded and what happened, and compares them."""

    def __init__(self) -> None:
        self.swaps = 0
        self._intervals: defaultdict[InstrumentKey, list[Coverage]] = defaultdict(list)
        self._rows: defaultdict[InstrumentKey, list[tuple[int, int, bool]]] = defaultdict(list)
        self._trades: Counter[tuple[InstrumentKey, str | None]] = Counter()
        self._happened: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._books: dict[InstrumentKey, int] = {}

    def take(self, records: Sequence[Record], tape: TapeBuffer, venue: MockVenue) -> None:
        """Take what was recorded and what happened since the last time."""
        locate = venue.clocked_exchange.exchange.directory.locate
        for record in records:
            if isinstance(record, Coverage):
                self._intervals[record.key].append(record)
                self.swaps += record.reason == "subscribing"
            elif isinstance(record, BookSnapshot | BookDelta) and record.seq is not None:
                self._rows[record.key].append((record.ts_recv, record.seq, isinstance(record, BookSnapshot)))
                if record.key not in self._books:
                    self._books[record.key] = (locate(record.key) or (-1,))[0]
            elif isinstance(record, Trade):
                self._trades[record.key, record.trade_id] += 1
        while tape:
            changes = [event for event in tape.get() if isinstance(event, LevelChange)]
            for change in changes:
                self._happened[change.book].append((change.ts, change.book_seq))

    def verdict(self) -> Verdict:
        """Return what is wrong with it all."""
        verdict = Verdict(doubled=sum(count - 1 for count in self._trades.values()))
        for key, intervals in self._intervals.items():
            verdict.untiled += sum(a.end != b.start for a, b in pairwise(intervals))
            expected = ("subscribing", "rotated_out", "live")
            since = intervals[0].reason == "no_capacity"  # its market opened when there was no place
            verdict.unexplained.update(each.reason for each in intervals[since:] if each.reason not in expected)
            rows = self._rows[key]
            deltas = Counter(seq for _, seq, whole in rows if not whole)
            verdict.changes += len(deltas)
            verdict.doubled += deltas.total() - len(deltas)
            happened = self._happened[self._books.get(key, -1)]
            for interval in intervals:
                if interval.state == "covered":
                    verdict.lost += _lost(interval, rows, happened)
        return verdict


def _lost(interval: Coverage, rows: Sequence[tuple[int, int, bool]], happened: Sequence[tuple[int, int]]) -> int:
    """Return how many changes of a covered interval were not recorded."""
    own = [(seq, whole) for ts, seq, whole in rows if interval.start <= ts <= interval.end]
    have = {seq for seq, whole in own if not whole}
    # A interval that goes on where another ended has no book of its own: everything in it is due.
    known = min((seq for seq, whole in own if whole), default=-1)
    # What happened less than a turn before the end was not delivered yet.
    due = {seq for ts, seq in happened if interval.start <= ts < interval.end - 2 * TURN_NS and seq > known}
    return len(due - have)
