"""A whole recording against the mock venue: faults, restarts, refusals, and what is left on disk."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.output.committer import Committer
from predsurv.collect.resume.checkpoint import find_checkpoint, open_intervals, store_checkpoint
from predsurv.collect.startup import PreparedRun, start
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.num import MICROS
from predsurv.ports import MarketQuery
from predsurv.state.book import Book
from predsurv.store.layout import FOLDERS, Layout
from predsurv.store.locks import CollectorLock
from predsurv.store.read.replay import replay
from predsurv.store.read.verify import verify_recording
from predsurv.store.universe_writer import UniverseWriter
from predsurv.store.wal.log import LogFact, LogPaused, LogResumed
from predsurv.telemetry.monitor import Monitor
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import (
    HOUR,
    LEVELS,
    MOCK,
    START,
    BrokenVenue,
    FastClock,
    S,
    assert_whole,
    column,
    configured,
    record,
    scan,
)
from tests.kit.late_venue import LateVenue


def assert_tops_are_what_the_deltas_give(data_dir: Path, end: int) -> None:
    prices = [f"{side}_{what}_{n:02d}" for side in ("bid", "ask") for n in range(LEVELS) for what in ("px", "sz")]
    shown = sorted(
        row for row in column(data_dir, "snapshots", "ts_recv", "instrument_id", "trusted", *prices) if row[2]
    )
    changes = (e for e in replay(data_dir, MOCK, START, end) if isinstance(e, BookSnapshot | BookDelta))
    books: dict[str, Book] = {}
    pending = next(changes, None)
    for ts, instrument, _, *levels in shown:
        while pending is not None and pending.ts_recv <= ts:  # type: ignore[operator]
            books.setdefault(pending.key.instrument_id, Book(pending.key)).apply(pending)
            pending = next(changes, None)
        assert levels == flat(books[str(instrument)])


def flat(book: Book) -> list[float | None]:
    cells: list[float | None] = []
    for side in book.top(LEVELS):
        known = [number / MICROS for level in side for number in level]
        cells += known + [None] * (2 * LEVELS - len(known))
    return cells


async def test_a_recording_with_faults_is_whole_and_has_gaps_where_they_were(tmp_path: Path) -> None:
    faults = ["drop@4s", "gap@7s", "malformed@9s", "overflow@13s", "unknown@14s"]
    config, clock = configured(tmp_path, mock__faults=faults), FastClock()
    await scan(config, clock)
    monitor = Monitor([MOCK])
    deps = CollectorDeps(metrics=monitor.metrics, gauges=monitor.recording)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, deps)
    report = await job.run(20 * S)
    (venue,) = report.venues
    assert {"disconnect", "decode_error"} <= set(venue.gaps)
    assert (venue.malformed, venue.failure) == (1, None)
    assert venue.instruments > 40
    assert report.seals >= 4
    assert set(report.rows) == set(FOLDERS)
    assert_whole(tmp_path)
    assert_tops_are_what_the_deltas_give(tmp_path, clock.now())
    reasons = {reason for _, reason in column(tmp_path, "coverage", "state", "reason")}
    assert {"live", "subscribing", "disconnect", "decode_error", "rotated_out"} <= reasons
    assert not list((tmp_path / "state" / "wal").glob("*.db"))
    value = monitor.registry.get_sample_value
    assert value("predsurv_rows_written_total", {"dataset": "book_deltas"}) == report.rows["deltas"]
    for reason, count in venue.gaps.items():  # those of the last second are not shown any more
        shown = value("predsurv_gaps_total", {"venue": "mock", "reason": reason})
        assert shown is not None
        assert 0 <= shown <= count, reason
    assert value("predsurv_gaps_total", {"venue": "mock", "reason": "disconnect"})
    assert value("predsurv_gaps_total", {"venue": "mock", "reason": "probe_mismatch"}) == 0


async def test_seals_are_waited_for_from_the_end_of_the_recovery_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovery may take many times the seal interval: its end is no time to raise an alarm."""
    config, clock, monitor, seen = configured(tmp_path), FastClock(), Monitor([MOCK]), list[float | None]()
    await scan(config, clock)

    def shown() -> float | None:
        return monitor.registry.get_sample_value("predsurv_last_seal_timestamp_seconds")

    def recovering(*run: Any) -> PreparedRun:
        seen.append(shown())
        return start(*run)

    monkeypatch.setattr("predsurv.collect.collector.start", recovering)
    deps = CollectorDeps(metrics=monitor.metrics, gauges=monitor.recording)
    await Collector(config, [MockVenue(config.mock, clock)], clock, deps).run(2 * S)
    assert seen == [None]
    assert (shown() or 0) * S >= START


async def test_every_hour_folder_starts_each_live_instrument_with_its_whole_book(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    await record(config, clock, 16 * S)
    hour = START // HOUR * HOUR + HOUR
    rows = column(tmp_path, "deltas", "instrument_id", "ts_recv", "kind")
    first, second = set[object](), dict[object, tuple[object, object]]()
    for instrument, ts, kind in rows:
        if int(str(ts)) < hour:
            first.add(instrument)
        elif instrument in first:  # who was listed later begins later
            second.setdefault(instrument, (ts, kind))
    assert len(second) >= 30
    assert set(second.values()) == {(hour, "clear")}


async def test_a_stop_leaves_a_shutdown_gap_until_the_next_run(tmp_path: Path) -> None:
    # Places change hands during a rotation, and a stop in the middle of one leaves fewer than all in use.
    config, clock = configured(tmp_path, collector__rotation_period="60s"), FastClock()
    await scan(config, clock)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    running = asyncio.create_task(job.run())
    await clock.sleep(5 * S)
    job.stop()
    await running
    clock.wall += 600 * S
    report = await record(config, clock, 4 * S)
    assert report.recovered == 0
    rows = column(tmp_path, "coverage", "reason", "start", "end")
    away = sum(int(str(end)) - int(str(start)) for reason, start, end in rows if reason == "shutdown")
    # Of the 40 a few may be markets that were born during the first run, which the universe of the second lacks.
    assert away >= 36 * 600 * S
    assert report.venues[0].gap_ns["shutdown"] < 600 * S, "the report is about this run alone"
    assert_whole(tmp_path)


async def test_a_jump_of_the_wall_clock_is_a_gap_and_no_row_is_lost(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    running = asyncio.create_task(record(config, clock, 12 * S))
    await clock.sleep(4 * S)
    clock.wall += 2 * HOUR
    await clock.sleep(4 * S)
    clock.wall -= HOUR
    report = await running
    assert report.venues[0].gaps["clock_step"] >= 70
    assert report.venues[0].gap_ns["clock_step"] >= 35 * 2 * HOUR * 99 // 100
    assert_whole(tmp_path)


@pytest.mark.parametrize("jumps", [[600 * S], [2 * HOUR, -HOUR, 30 * HOUR], [-HOUR, S // 2, HOUR]])
async def test_what_waits_while_the_clock_jumps_is_recorded_in_the_order_in_which_it_came(
    tmp_path: Path, jumps: list[int]
) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="1h", mock__rate=2_000), FastClock()
    await scan(config, clock)
    job = Collector(config, [LateVenue(MockVenue(config.mock, clock))], clock, CollectorDeps())
    running = asyncio.create_task(job.run((4 * len(jumps) + 3) * S))
    for jump in jumps:
        await clock.sleep(4 * S)
        clock.wall += jump
    report = await running
    assert report.venues[0].gaps["clock_step"] >= 35
    assert job.status.clock_steps == sum(abs(jump) >= S for jump in jumps)
    assert verify_recording(Layout(tmp_path), deep=True).findings == ()


async def test_recorded_time_goes_on_after_a_recovery_that_was_killed(tmp_path: Path) -> None:
    config, clock = configured(tmp_path), FastClock()
    await scan(config, clock)
    await record(config, clock, 3 * S)
    layout = Layout(tmp_path)
    reached = max(int(str(ts)) for (ts,) in column(tmp_path, "deltas", "ts_recv"))
    # It had sealed everything and forgotten the log; the checkpoint is a second old, and the clock was set back.
    store_checkpoint(layout, config.collector.id, {"alive:mock": str(reached - S).encode()})
    clock.wall -= HOUR
    again = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    prepared = start(config, again.sessions, clock)
    assert again.sessions[0].recorder.watermark == reached
    assert prepared.recovery.last is None
    prepared.writer.finish()
    prepared.index.close()


async def test_a_full_disk_is_a_gap_and_the_recording_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    told: list[LogFact] = []
    commit = Committer.commit

    async def with_facts(self: Committer) -> None:
        await commit(self)
        if told:
            self.react(told.pop(0), [session.recorder.watermark for session in job.sessions])

    monkeypatch.setattr(Committer, "commit", with_facts)
    running = asyncio.create_task(job.run(12 * S))
    await clock.sleep(4 * S)
    told.append(LogPaused(clock.now(), "no space"))
    await clock.sleep(3 * S)
    told.append(LogResumed(clock.now(), 5))
    report = await running
    (venue,) = report.venues
    assert venue.gaps["disk_full"] >= 35
    assert venue.gap_ns["disk_full"] > 35 * 2 * S
    assert job.reading().status.venues[0].trusted == 0
    assert venue.covered_ns > 35 * 6 * S
    assert_whole(tmp_path)


async def test_a_run_that_died_between_recovery_and_its_first_commit_is_not_forgotten(tmp_path: Path) -> None:
    config, clock = configured(tmp_path), FastClock()
    await scan(config, clock)
    await record(config, clock, 3 * S)  # before the first rotation: nobody is on the way in or out
    notes = find_checkpoint(Layout(tmp_path), "c0")
    gaps = open_intervals(MOCK, notes).gaps
    assert sum(gap.reason == "shutdown" for gap in gaps) == 40
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    start(config, job.sessions, clock).writer._log.close()  # as far as it came
    assert find_checkpoint(Layout(tmp_path), "c0") == notes
    await record(config, clock, 4 * S)
    assert_whole(tmp_path)


async def test_a_recording_without_a_universe_is_refused_with_advice(tmp_path: Path) -> None:
    config, clock = configured(tmp_path), FastClock()
    with pytest.raises(ConfigError, match="run 'predsurv scan'"):
        Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    assert not (tmp_path / "state").exists()


async def test_a_second_collector_of_the_same_name_is_refused(tmp_path: Path) -> None:
    config, clock = configured(tmp_path), FastClock()
    await scan(config, clock)
    with CollectorLock(tmp_path / "state", "c0"), pytest.raises(SafetyError, match="already writes"):
        await record(config, clock, S)


async def test_a_venue_that_refuses_does_not_stop_the_others(tmp_path: Path) -> None:
    config, clock = configured(tmp_path), FastClock()
    await scan(config, clock)
    catalog = MockVenue(config.mock, clock).catalog()
    with UniverseWriter(tmp_path, BrokenVenue.name, clock.now()) as writer:
        async for market in catalog.markets(MarketQuery(limit=10)):
            writer.write(msgspec.structs.replace(market, venue=BrokenVenue.name))
        writer.commit()
    job = Collector(config, [BrokenVenue(), MockVenue(config.mock, clock)], clock, CollectorDeps())
    broken, working = (await job.run(5 * S)).venues
    assert (broken.events, broken.failure) == (0, "broken: the venue refused us (401); check the key")
    assert working.events > 0
    assert broken.covered_ns == 0
    assert_whole(tmp_path)
