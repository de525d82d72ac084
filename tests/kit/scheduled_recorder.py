"""A rotation scheduler with everything around it, on a clock that jumps, for tests of what is recorded when."""

from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from predsurv.collect.recording.recorder import Recorder, RecordingPolicy
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.scheduler import RotationScheduler, SelectionSettings
from predsurv.collect.selection.candidates import CandidateSet
from predsurv.collect.selection.interest import MinedScore
from predsurv.core.events import MarketChange, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.ports import NO_MIRRORS, Mirrors
from tests.kit.candidate_samples import market
from tests.kit.recorder_samples import START, S

PERIOD = 60 * S


class EndError(Exception):
    """Enough was seen."""


class WatchedFeed:
    """Remembers every set it was told; ``after`` is called with how many that are."""

    def __init__(self, after: Callable[[int], None]) -> None:
        self.told: list[set[str]] = []
        self.mirrors: list[Mirrors] = []
        self._after = after

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        self.told.append({key.market_id for key in want})
        self.mirrors.append(dict(mirrors))
        self._after(len(self.told))

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        yield []

    async def aclose(self) -> None:
        pass


class ScheduledRecorder:
    """A scheduler with everything around it, on a clock that jumps from sleep to sleep."""

    def __init__(
        self, index: CoverageIndex, *names: str, period: int = PERIOD, capacity: int = 2, pins: tuple[str, ...] = ()
    ) -> None:
        self.index = index
        self.clock = ManualClock(START, jumps=True)
        self.candidates = CandidateSet(pins=pins)
        self.recorder = Recorder(RecordingPolicy(), self.candidates.fold)
        self.recorder.advance(START)
        for name in names:
            self.candidates.add(market(name, 1))
        settings = SelectionSettings(capacity=capacity, explore_share=MICROS, rotation_period=period)
        self.scheduler = RotationScheduler(self.recorder, self.candidates, settings, self.clock)
        self.scheduler.admission.unaccounted.began = START
        self.records: list[Record] = []

    async def run(self, after: Callable[[int], None]) -> list[set[str]]:
        feed = WatchedFeed(after)
        with suppress(EndError):
            await self.scheduler.run(feed, self.index, self.mined, self.keep)
        return feed.told

    def mined(self) -> dict[InstrumentKey, MinedScore]:
        self.recorder.advance(self.clock.now())  # time passes until the next plan
        return {}

    def keep(self, records: list[Record]) -> None:
        self.records += records

    def happen(self, event: MarketChange) -> None:
        self.recorder.advance(self.clock.now())
        self.records += self.scheduler.follow([event])

    def intervals(self) -> list[tuple[str, int, int, str]]:
        rows = [row for row in self.records if isinstance(row, Coverage)]
        return [(r.key.market_id, (r.start - START) // S, (r.end - START) // S, r.reason) for r in rows]


def until(count: int, then: Callable[[int], None] = lambda _: None) -> Callable[[int], None]:
    def after(told: int) -> None:
        then(told)
        if told == count:
            raise EndError

    return after
