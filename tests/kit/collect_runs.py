"""A collector on the mock venue in fast time, and its files read back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pyarrow.parquet as pq

from predsurv.cli.app import main
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.report import CollectReport
from predsurv.config import Config, load
from predsurv.core.errors import PermanentError
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.ports import NO_MIRRORS, Broker, Catalog, Feed, MarketQuery, Mirrors, Venue, VenueTraits
from predsurv.store.layout import FOLDERS, Dataset, Layout
from predsurv.store.read.verify import check_files, check_tiling
from predsurv.store.read.verify_rotations import check_rotations
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.mock.venue import MockVenue
from tests.kit.given_clock import GivenClock
from tests.kit.patience import eventually

S = 1_000_000_000

HOUR = 3_600 * S

MOCK = VenueName("mock")

START = 1_799_999_990 * S  # ten seconds before a full hour

LEVELS = 5


class FastClock(GivenClock):
    """Time given to this process, several times as fast; begins ten seconds before a full hour."""

    def __init__(self, wall: int = START, factor: int = 6) -> None:
        super().__init__(wall, factor)


def configured(data_dir: Path, /, **flags: object) -> Config:
    base: dict[str, object] = {
        "data_dir": str(data_dir),
        "mock.enabled": True,
        "mock.markets": 60,
        "mock.rate": 300,
        "collector.max_instruments": 40,
        "collector.rotation_period": "4s",
        "storage.top_levels": LEVELS,
        "storage.seal_interval": "3s",
        "storage.heartbeat_interval": "5s",
    }
    return load(flags=base | {name.replace("__", "."): value for name, value in flags.items()}, environ={}).config


async def scan(config: Config, clock: FastClock, venue: Venue | None = None) -> None:
    catalog = (venue or MockVenue(config.mock, clock)).catalog()
    with UniverseWriter(config.data_dir, MOCK, clock.now()) as writer:
        async for market in catalog.markets(MarketQuery()):
            writer.write(market)
        writer.commit()


async def record(config: Config, clock: FastClock, duration: int) -> CollectReport:
    return await Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps()).run(duration)


def column(data_dir: Path, dataset: Dataset, *names: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for path in sorted((data_dir / FOLDERS[dataset]).rglob("*.parquet")):
        table = pq.ParquetFile(path, page_checksum_verification=True).read(columns=list(names))
        rows += zip(
            *(table[name].cast("int64").to_pylist() if name in TIMES else table[name].to_pylist() for name in names),
            strict=True,
        )
    return rows


TIMES = {"ts_recv", "start", "end"}


def assert_whole(data_dir: Path) -> None:
    assert list(check_files(Layout(data_dir))) == []
    assert list(check_tiling(Layout(data_dir))) == []
    assert list(check_rotations(Layout(data_dir))) == []
    changes = column(data_dir, "deltas", "instrument_id", "epoch", "seq", "kind", "side", "price", "size", "ts_recv")
    assert len(changes) == len(set(changes)) > 0


def collect_until(duration: str, enough: Callable[[], object], *arguments: str) -> None:
    """Run ``predsurv collect`` for ``duration``, on a machine too busy for that again, until there is ``enough``."""

    def recorded_enough() -> object:
        assert main(["collect", *arguments, "--duration", duration]) == 0
        return enough()

    eventually(recorded_enough)


def covered_seconds(data_dir: Path) -> dict[object, float]:
    """Return for how long each instrument was covered, where it was."""
    seconds: dict[object, float] = {}
    for instrument, start, end, state in column(data_dir, "coverage", "instrument_id", "start", "end", "state"):
        if state == "covered":
            seconds[instrument] = seconds.get(instrument, 0) + (int(str(end)) - int(str(start))) / 1e9
    return seconds


class BrokenFeed:
    """A feed that the venue refuses for good."""

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        raise PermanentError("broken: the venue refused us (401); check the key")

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        await asyncio.Event().wait()
        yield []

    async def aclose(self) -> None:
        pass


class BrokenVenue:
    """The mock venue under another name with a feed that never works."""

    name = VenueName("kalshi")
    traits = VenueTraits()

    def catalog(self) -> Catalog:
        raise NotImplementedError

    def feed(self) -> Feed:
        return BrokenFeed()

    def broker(self) -> Broker:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass
