"""Steer the recording of one feed: what is wanted, where time stands, how it ends.

Kept apart from the job because it decides what is true about the recording: it is synchronous,
has no clock and does no I/O, so every claim it makes can be tested event by event.

Time is what the events say. ``mark`` is the moment up to which everything is known: the latest
event, or what ``advance`` was told when the feed had nothing to say. What is wanted, dropped and
cut changes at the mark: a later time would claim what is still in the queue.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from predsurv.collect.recording.coverage import CoverageTracker
from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.collect.recording.reducer import EventCounters, EventReducer
from predsurv.collect.recording.snapshots import SnapshotSampler
from predsurv.core.events import Gap, GapReason, MarketChange, MarketEvent, MarketResolved, Unwanted, Wanted
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record


class RecordingPolicy(Struct, frozen=True, kw_only=True):
    """How books are written down; intervals in ns."""

    top_levels: int = 10
    snapshot_interval: int = 1_000_000_000
    heartbeat_interval: int = 60_000_000_000
    covered: Literal["live", "polled"] = "live"


class Recorder:
    """The recording of one feed. Methods that return records return those to keep, in order.

    ``account`` holds the open intervals: take up an earlier run's first, note its changes down often.
    """

    def __init__(self, policy: RecordingPolicy) -> None:
        self._policy = policy
        self.account = CoverageTracker(policy.covered)
        self.fold = EventReducer(_tops(policy), self.account)

    @property
    def tally(self) -> EventCounters:
        """Return the running counts."""
        return self.fold.tally

    @property
    def mark(self) -> int:
        """Return the moment up to which everything is known (ns UTC)."""
        return self.fold.mark

    def want(self, want: Mapping[InstrumentKey, int]) -> list[Record]:
        """Make ``want`` (inclusion probability in micros by instrument) the whole set that is recorded."""
        out: list[Record] = []
        lines = self.fold.lines
        _drop(self.fold, self.account, [key for key in lines if key not in want], out)
        for key, inclusion in want.items():
            line = lines.get(key)
            if line is None:
                lines[key] = RecordedInstrument(key, inclusion)
            elif line.inclusion == inclusion:
                continue
            else:
                line.inclusion = inclusion
            out += self.account.apply(Wanted(key, self.mark, inclusion))
        return out

    def release(self, keys: Sequence[InstrumentKey]) -> list[Record]:
        """Give up the places of instruments whose markets closed."""
        out: list[Record] = []
        _drop(self.fold, self.account, [key for key in keys if key in self.fold.lines], out)
        return out

    def apply(self, events: Sequence[MarketEvent]) -> list[Record]:
        """Fold a batch from the feed."""
        out: list[Record] = []
        self.fold.apply(events, out)
        return out

    def advance(self, until: int) -> list[Record]:
        """Let time pass: the caller vouches that no event before ``until`` is still to come."""
        out: list[Record] = []
        if until > self.mark:
            self.fold.pass_time(until, out)
            self.fold.tops.until(until, out)
        return out

    def cut(self) -> list[Record]:
        """Write down the coverage of everything that is recorded, up to the mark."""
        return list(self.account.cut(self.mark))

    def interrupt(self, reason: GapReason, since: int | None = None) -> list[Record]:
        """Declare everything unknown from ``since`` on, by default the mark: what came later is not kept."""
        out: list[Record] = []
        at = self.mark if since is None else since
        for line in self.fold.lines.values():
            self.fold.gap(Gap(line.book.key, at, reason, line.epoch), out)
        return out

    def stop(self) -> list[Record]:
        """End the recording in good order at the mark; nothing may follow."""
        out: list[Record] = []
        for key in self.fold.lines:
            out += self.account.shut(key, self.mark)
        self.fold.lines.clear()
        self.fold.tally.trusted = 0
        return out

    def step_clock(self, now: int) -> list[Record]:
        """Go on at ``now`` after the wall clock jumped: time has a gap, but the books are still right.

        ``now`` is never before the mark (see ``SteadyClock``): a step back leaves the shortest possible
        gap as its trace.
        """
        fold, before = self.fold, self.mark
        at = max(now, before + 1)
        fold.tops = _tops(self._policy)
        fold.hour_end = 0
        out: list[Record] = []
        fold.pass_time(at, out)
        for line in fold.lines.values():
            out += self.account.apply(Gap(line.book.key, before, "clock_step", line.epoch))
            line.beating = line.pending = False
            line.bids = line.asks = None
            if line.book.trusted:
                whole = line.book.as_snapshot(at)
                out += self.account.apply(whole)
                line.changed_at = at
                out.append(whole)
                fold.tops.opened(line, at)
        fold.tally.gaps["clock_step"] += len(fold.lines)
        return out

    def lifecycle(self) -> list[MarketChange | MarketResolved]:
        """Return the market changes since the last call."""
        seen, self.fold.lifecycle = self.fold.lifecycle, []
        return seen


def _tops(policy: RecordingPolicy) -> SnapshotSampler:
    return SnapshotSampler(policy.top_levels, policy.snapshot_interval, policy.heartbeat_interval)


def _drop(fold: EventReducer, account: CoverageTracker, keys: Iterable[InstrumentKey], out: list[Record]) -> None:
    for key in keys:
        line = fold.lines.pop(key)
        line.alive = line.pending = False
        fold.tally.trusted -= line.book.trusted
        out += account.apply(Unwanted(key, fold.mark, "rotated_out"))
