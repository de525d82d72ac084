"""What a running recording learns of how busy its instruments are, and the interest that rotation takes in each.

The counts are taken from the records on their way to the log; the observed time is that of the coverage.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.activity import SECOND, Activity, RecentActivity
from predsurv.collect.selection.interest import Knowledge, LiveWeights, MinedScore, interests
from predsurv.collect.selection.planner import Candidate
from predsurv.core.errors import TransientError
from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.level_changes import LevelChanges, PackedRecord
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage
from predsurv.ports import Mirrors

_LOG: Final = logging.getLogger(__name__)


class LiveLearning:
    """The counts since the last plan, and the decayed sums of those before. ``weights``: of what is seen in scores."""

    def __init__(self, weights: LiveWeights) -> None:
        self.recent = RecentActivity()
        self._weights = weights
        self._updates: Counter[InstrumentKey] = Counter()
        self._trades: Counter[InstrumentKey] = Counter()
        self._dollars: Counter[InstrumentKey] = Counter()  # in micros squared
        self._covered: Counter[InstrumentKey] = Counter()  # ns, of closed intervals
        self._taken_to = 0
        self._recalled = False

    def count(self, records: Iterable[PackedRecord]) -> None:
        """Count changed levels, trades and covered time in ``records``."""
        self._updates.update([record.key for record in records if type(record) is BookDelta])
        for record in records:
            kind = type(record)
            if kind is LevelChanges:
                record.count(self._updates)  # type: ignore[union-attr]
            elif kind is Trade:
                self._trade(record)  # type: ignore[arg-type]
            elif kind is Coverage:
                self._cover(record)  # type: ignore[arg-type]

    def _trade(self, trade: Trade) -> None:
        self._trades[trade.key] += 1
        self._dollars[trade.key] += trade.price * trade.size

    def _cover(self, interval: Coverage) -> None:
        if interval.state == "covered":
            self._covered[interval.key] += max(0, interval.end - max(interval.start, self._taken_to))

    def take_in(self, recorder: Recorder, mirrors_of: Callable[[AbstractSet[InstrumentKey]], Mirrors]) -> None:
        """Add what was counted up to the watermark of ``recorder`` to the sums, the trades of mirrors included."""
        now, covered = recorder.watermark, self._covered
        for interval in map(recorder.coverage.open_interval, recorder.instruments):
            if interval is not None and interval.state == "covered":
                covered[interval.key] += max(0, now - max(interval.start, self._taken_to))
        mirrors = mirrors_of(covered.keys())
        self.recent.add({key: self._seen(key, time, mirrors.get(key)) for key, time in covered.items()}, now)
        self._taken_to = now
        for counts in (self._updates, self._trades, self._dollars, covered):
            counts.clear()

    def _seen(self, key: InstrumentKey, covered: int, mirror: InstrumentKey | None) -> Activity:
        told = (key,) if mirror is None else (key, mirror)
        dollars = sum(self._dollars[each] for each in told) / MICROS / MICROS
        trades = sum(self._trades[each] for each in told)
        return Activity(covered / SECOND, self._updates[key], trades, dollars)

    def remember(self, venue: VenueName, index: CoverageIndex) -> None:
        """Store the sums, not before those of the earlier run were asked for; a disk that refuses is only told.

        From a worker thread, while nothing is taken in.
        """
        if not self._recalled:
            return
        try:
            index.store_learnt(venue, self.recent.packed())
        except TransientError as error:
            _LOG.warning("%s: what rotation learnt is not kept: %s", venue, error)

    def recall(self, venue: VenueName, index: CoverageIndex) -> None:
        """Go on with the sums of an earlier run, with none where they cannot be read."""
        self._recalled = True
        try:
            packed = index.learnt(venue)
            if packed is not None:
                self.recent.restore(packed, venue)
        except (TransientError, msgspec.MsgspecError) as error:
            _LOG.warning("%s: what rotation had learnt cannot be read, it begins anew: %s", venue, error)

    def interests(
        self, candidates: Sequence[Candidate], mined: Mapping[InstrumentKey, MinedScore]
    ) -> dict[InstrumentKey, int]:
        """Return the interest (micros) of each tradable one of ``candidates``; may be called from a worker thread."""
        tradable = [each for each in candidates if each.tradable]
        return interests(tradable, Knowledge(self.recent.known(), mined, self._weights))
