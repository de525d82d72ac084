"""The recording of one feed: which instruments are recorded, how far its time is known, how it ends.

Synchronous, without a clock and without I/O, so that every interval it produces can be tested event by event.

Time is that of the events. ``watermark`` is the time up to which every event has been applied: that of
the latest event, or what ``advance`` was given while the feed was silent. Whatever is wanted, dropped or
cut changes at the watermark: a later time would cover events that are still queued.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, overload

from msgspec import Struct

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.collect.recording.reducer import NEVER, EventCounters, EventReducer, FoldFact, record_books
from predsurv.collect.recording.snapshots import SnapshotSampler
from predsurv.core.events import Gap, GapReason, MarketEvent, MarketFact, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedEvent, PackedRecord
from predsurv.core.records import Record
from predsurv.ports import NO_MIRRORS, Mirrors

ResumePoints = Mapping[InstrumentKey, int | None]
"""Where the coverage of instruments that are not tracked ended (ns UTC), None for one that was never recorded."""


class RecordingPolicy(Struct, frozen=True, kw_only=True):
    """How books are recorded; intervals in ns."""

    top_levels: int = 10
    snapshot_interval: int = 1_000_000_000
    heartbeat_interval: int = 60_000_000_000
    covered: Literal["live", "polled"] = "live"


class Recorder:
    """The recording of one feed. Methods that return records return those to keep, in order.

    ``instruments``: what is recorded now; ``mirrors``: the other outcomes whose trades are recorded with
    it. ``coverage``: the open intervals; resume those of an earlier run before anything else, and
    checkpoint the changes with the records. ``fold`` returns whether a statement about a market is news; what is none
    is not recorded.
    """

    def __init__(self, policy: RecordingPolicy, fold: FoldFact = lambda _: True) -> None:
        self._policy = policy
        self.coverage = CoverageTracker(policy.covered)
        self._reducer = EventReducer(_sampler(policy), self.coverage, fold)
        self.counters: EventCounters = self._reducer.counters
        self.instruments: Mapping[InstrumentKey, RecordedInstrument] = self._reducer.instruments
        self.mirrors: Mirrors = self._reducer.mirrors

    @property
    def watermark(self) -> int:
        """Return the time (ns UTC) up to which every event has been applied."""
        return self._reducer.watermark

    def want(
        self, want: Mapping[InstrumentKey, int], resume_points: ResumePoints, mirrors: Mirrors = NO_MIRRORS
    ) -> list[Record]:
        """Make ``want`` (inclusion probability in micros by instrument) the whole set that is recorded.

        ``mirrors``: of instruments of ``want`` the other outcomes whose trades are recorded as well. They have no
        coverage: that of the instrument holds for the trades of both.
        ``resume_points`` must contain every instrument of ``want`` that ``coverage`` does not track; raises KeyError
        before anything changes when one is missing, since the time since its last recording would be lost.
        """
        resume_from = {key: resume_points[key] for key in self.coverage.untracked(want)}
        out: list[Record] = []
        instruments = self._reducer.instruments
        self._reducer.drop([key for key in instruments if key not in want], out)
        for key, inclusion in want.items():
            instrument = instruments.get(key)
            if instrument is None:
                instruments[key] = RecordedInstrument(key, inclusion)
            elif instrument.inclusion == inclusion:
                continue
            else:
                instrument.inclusion = inclusion
            out += self.coverage.want(Wanted(key, self.watermark, inclusion), resume_from.get(key))
        self._reducer.set_mirrors({key: mirror for key, mirror in mirrors.items() if key in want})
        return out

    def drop(self, keys: Iterable[InstrumentKey]) -> list[Record]:
        """Stop recording those of ``keys`` that are recorded."""
        out: list[Record] = []
        self._reducer.drop([key for key in keys if key in self.instruments], out)
        return out

    @overload
    def apply(self, events: Sequence[MarketEvent], now: int = NEVER) -> list[Record]: ...
    @overload
    def apply(self, events: Sequence[PackedEvent], now: int = NEVER) -> list[PackedRecord]: ...
    def apply(self, events: Sequence[PackedEvent], now: int = NEVER) -> Any:
        """Fold a batch from the feed; none of its times is taken for later than ``now`` (ns UTC).

        Of changes that come put together what is kept is returned put together.
        """
        out: list[PackedRecord] = []
        self._reducer.apply(events, out, now)
        return out

    def advance(self, until: int) -> list[Record]:
        """Move the watermark to ``until`` (ns UTC); the caller guarantees that no event before it will follow."""
        out: list[Record] = []
        if until > self.watermark:
            self._reducer.advance(until, out)
            self._reducer.sampler.sample_until(until, out)
        return out

    def learn(self, statements: Iterable[MarketFact]) -> list[Record]:
        """Record statements that did not come from the feed; their times must not be after the watermark."""
        out: list[Record] = []
        for statement in statements:
            self._reducer.statement(statement, out)
        return out

    def interrupt(self, reason: GapReason, since: int | None = None, *, mute: bool = False) -> list[Record]:
        """Make everything a gap of ``reason`` from ``since`` (ns UTC, by default the watermark) to its next snapshot.

        With ``mute`` snapshots do not end the gap before ``unmute``.
        """
        out: list[Record] = []
        at = self.watermark if since is None else since
        for instrument in self.instruments.values():
            self._reducer.gap(Gap(instrument.book.key, at, reason, instrument.epoch), out)
        if mute:
            self._reducer.muted_reason = reason
        return out

    def unmute(self) -> None:
        """Trust the books whose snapshots come from now on."""
        self._reducer.muted_reason = None

    def stop(self) -> list[Record]:
        """Close all coverage at the watermark; nothing may follow."""
        out: list[Record] = []
        for key in self._reducer.instruments:
            out += self.coverage.close(key, self.watermark)
        self._reducer.instruments.clear()
        self._reducer.set_mirrors(NO_MIRRORS)
        self.counters.trusted = 0
        self.counters.lost.clear()
        return out

    def step_clock(self, now: int, reason: GapReason = "clock_step") -> list[Record]:
        """Go on at ``now`` (ns UTC) after the wall clock jumped: a gap in time, while the books are still right.

        The same after the process stood still (``stall``): nothing was received meanwhile, and all of it afterwards.

        ``now`` is never before the watermark (see ``SteadyClock``): a step back leaves the shortest possible gap.
        What was received before the jump and is applied after it is recorded behind the gap (see ``EventReducer``).
        """
        reducer, before = self._reducer, self.watermark
        at = max(now, before + 1)
        reducer.sampler = _sampler(self._policy)
        reducer.hour_end = 0
        out: list[Record] = []
        reducer.advance(at, out)
        for instrument in reducer.instruments.values():
            out += self.coverage.apply(Gap(instrument.book.key, before, reason, instrument.epoch))
            instrument.heartbeat_queued = instrument.pending = False
            instrument.bids = instrument.asks = None
            if instrument.book.trusted:
                out += self.coverage.apply(instrument.book.as_snapshot(at))
                instrument.changed_at = at
                reducer.sampler.book_trusted(instrument, at)
        record_books(reducer.instruments.values(), at, out)
        self.counters.gaps[reason] += len(reducer.instruments)
        return out

    def take_lifecycle(self) -> list[MarketFact]:
        """Return the statements about markets that were recorded since the last call."""
        seen, self._reducer.lifecycle = self._reducer.lifecycle, []
        return seen


def _sampler(policy: RecordingPolicy) -> SnapshotSampler:
    return SnapshotSampler(policy.top_levels, policy.snapshot_interval, policy.heartbeat_interval)
