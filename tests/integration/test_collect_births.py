"""Markets that are born while a recording runs, over the venue's own protocol: recorded, or accounted for."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.report import CollectReport
from predsurv.collect.rescan import ListedUniverse
from predsurv.collect.session import RecordingSession
from predsurv.config import CollectorConfig, Config, StorageConfig
from predsurv.config.schema import ScannerConfig
from predsurv.core.ids import VenueName
from predsurv.ports import MarketQuery, Venue
from predsurv.store.layout import Layout
from predsurv.store.read.verify import check_files, check_tiling
from tests.kit.collect_runs import column
from tests.kit.given_clock import GivenClock
from tests.kit.patience import until
from tests.kit.served_venues import Served, Simulated, kalshi, polymarket, scanned

S = 1_000_000_000
PLACES = 8


both_venues = pytest.mark.parametrize("simulated", [kalshi, polymarket], ids=["kalshi", "polymarket"])


def configured(served: Served, data_dir: Path, **collector: object) -> Config:
    return replace(
        served.config,
        data_location=data_dir,
        collector=CollectorConfig(**collector),  # type: ignore[arg-type]
        scanner=ScannerConfig(refresh=S),
        storage=StorageConfig(seal_interval=S),
    )


async def record(
    config: Config, venue: Venue, clock: GivenClock, enough: Callable[[Collector], bool], *, rescans: bool = False
) -> CollectReport:
    """Record until there is ``enough``; the list is read again every second with ``rescans``."""

    async def scan(_: VenueName) -> ListedUniverse:
        return await scanned(config, venue, clock)

    job = Collector(config, [venue], clock, CollectorDeps(scan=scan if rescans else None))
    running = asyncio.create_task(job.run())
    await until(lambda: enough(job) or running.done())
    job.stop()
    return await running


def lifecycle(data_dir: Path, kind: str) -> dict[str, int]:
    """Return the markets that have a row of ``kind`` with their question, and when it was."""
    rows = column(data_dir, "lifecycle", "market_id", "kind", "ts_recv", "value")
    return {
        str(market): int(str(ts))
        for market, each, ts, value in rows
        if each == kind and json.loads(str(value))["market"]["question"]
    }


def assert_tiled(data_dir: Path) -> None:
    assert list(check_files(Layout(data_dir))) == []
    assert list(check_tiling(Layout(data_dir))) == []


def changes(data_dir: Path, kind: str) -> dict[str, int]:
    """Return the markets that have a row of ``kind``, and when the first was."""
    rows = column(data_dir, "lifecycle", "market_id", "kind", "ts_recv")
    return {str(market): int(str(ts)) for market, each, ts in sorted(rows, reverse=True, key=str) if each == kind}


def intervals(data_dir: Path) -> dict[str, list[tuple[int, int, str]]]:
    found: dict[str, list[tuple[int, int, str]]] = {}
    for market, start, end, reason in column(data_dir, "coverage", "market_id", "start", "end", "reason"):
        found.setdefault(str(market), []).append((int(str(start)), int(str(end)), str(reason)))
    return {market: sorted(rows) for market, rows in found.items()}


def for_a_second(holds: Callable[[RecordingSession], bool]) -> Callable[[Collector], bool]:
    """Return whether something has held at a time that is a second of recording ago."""
    since: list[int] = []

    def enough(job: Collector) -> bool:
        (session,) = job.sessions
        if holds(session):
            since.append(session.recorder.watermark)
        return bool(since) and session.recorder.watermark > since[0] + S

    return enough


def records_a_newcomer(session: RecordingSession) -> bool:
    """Return whether the book of a market is known that is not in the universe the run began with."""
    recorded = session.recorder.instruments.items()
    return any(each.book.trusted for key, each in recorded if key.market_id not in KNOWN)


KNOWN: set[str] = set()


async def begin(config: Config, venue: Venue, clock: GivenClock) -> None:
    """Write the universe of the start."""
    await scanned(config, venue, clock)
    KNOWN.clear()
    async for market in venue.catalog().markets(MarketQuery()):
        KNOWN.add(market.market_id)


@both_venues
async def test_a_market_born_while_there_is_a_free_place_is_recorded_and_named(
    simulated: Simulated, tmp_path: Path
) -> None:
    async with simulated(tmp_path) as served:
        config = configured(served, tmp_path / "data")
        await begin(config, served.venue, served.clock)
        await record(config, served.venue, served.clock, for_a_second(records_a_newcomer))
    born, tradable = lifecycle(config.data_dir, "created"), changes(config.data_dir, "activated")
    covered = {market: rows for market, rows in intervals(config.data_dir).items() if market in born}
    assert covered, "in coverage"
    recorded = {market for (market,) in column(config.data_dir, "deltas", "market_id")}
    assert recorded & covered.keys(), "and recorded"
    for market, rows in covered.items():
        assert rows[0][2] in ("subscribing", "live")  # the book may be there at once
        assert 0 <= rows[0][0] - tradable[market] < 10 * S
    assert_tiled(config.data_dir)


@both_venues
async def test_a_market_born_without_a_free_place_is_in_the_ledger(simulated: Simulated, tmp_path: Path) -> None:
    async with simulated(tmp_path) as served:
        config = configured(served, tmp_path / "data", max_instruments=PLACES, explore_share=0)
        _, venue, clock = served
        await begin(config, venue, clock)

        waits = for_a_second(lambda session: len(session.scheduler.admission.waiting) > 0)
        await record(config, venue, clock, waits)
        tradable = changes(config.data_dir, "activated")
        ledger = {market: rows for market, rows in intervals(config.data_dir).items() if market in tradable}
        assert ledger
        for market, rows in ledger.items():
            assert rows[0][2] == "no_capacity"
            assert 0 <= rows[0][0] - tradable[market] < 10 * S
        await begin(config, venue, clock)

        def has_places(job: Collector) -> bool:
            return (
                bool(job.status.venues) and job.status.venues[0].trusted > PLACES and not job.status.venues[0].waiting
            )

        await record(configured(served, tmp_path / "data"), venue, clock, has_places)
    for market, rows in intervals(config.data_dir).items():
        if market in ledger:
            assert rows[0][2] == "no_capacity"
            assert all(before[1] == after[0] for before, after in pairwise(rows)), "without a hole"
    assert_tiled(config.data_dir)


async def test_a_market_that_only_the_list_tells_of_is_taken_up_after_the_next_rescan(tmp_path: Path) -> None:
    async with kalshi(tmp_path, keyed=False) as served:  # without a key there are no announcements
        config = configured(served, tmp_path / "data")
        await begin(config, served.venue, served.clock)
        report = await record(config, served.venue, served.clock, for_a_second(records_a_newcomer), rescans=True)
    listed = lifecycle(config.data_dir, "listed")
    covered = {market for market, rows in intervals(config.data_dir).items() if "polled" in {row[2] for row in rows}}
    assert listed.keys() & covered
    assert not KNOWN & listed.keys(), "what was known is not told again"
    assert report.rescans is not None
    assert report.rescans.completed > 0
    assert report.rescans.trouble is None
    assert_tiled(config.data_dir)
