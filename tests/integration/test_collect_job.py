"""A whole recording against the mock venue: faults, restarts, refusals, and what is left on disk."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from predsurv.cli.status import check_files, check_tiling
from predsurv.collect.carryover import find_notes
from predsurv.collect.job import Aids, Job
from predsurv.collect.notebook import left_open
from predsurv.collect.report import CollectReport
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, PermanentError, SafetyError
from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS
from predsurv.ports import Broker, Catalog, Clock, Feed, MarketQuery, Venue, VenueTraits
from predsurv.state.book import Book
from predsurv.store.lock import DataLock
from predsurv.store.paths import FOLDERS, Dataset, Layout
from predsurv.store.reader import replay
from predsurv.store.universe import UniverseWriter
from predsurv.venues.mock.venue import MockVenue

S = 1_000_000_000
MOCK = VenueName("mock")
FLAGS: dict[str, object] = {
    "mock.enabled": True,
    "mock.markets": 60,
    "mock.rate": 300,
    "collector.max_instruments": 40,
    "collector.rotation_period": "4s",
    "storage.top_levels": 5,
    "storage.seal_interval": "3s",
    "storage.heartbeat_interval": "5s",
}


class FastClock:
    """Real time, several times as fast; ``step`` makes the wall clock jump."""

    def __init__(self, factor: int = 6) -> None:
        self._factor = factor
        self._loop = asyncio.get_event_loop_policy().new_event_loop().time
        self._start = self._loop()
        self.wall = 1_799_999_990 * S  # ten seconds before a full hour

    def monotonic(self) -> int:
        return int((self._loop() - self._start) * self._factor * S)

    def now(self) -> int:
        return self.wall + self.monotonic()

    async def sleep(self, duration: int) -> None:
        await asyncio.sleep(max(duration, 0) / self._factor / S)
