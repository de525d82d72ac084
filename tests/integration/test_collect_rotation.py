"""Rotation, restarts and shards: no instrument's time is lost or recorded twice."""

import asyncio
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.selection.activity import LEAST_SECONDS, RecentActivity
from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentId
from predsurv.core.market import Market
from predsurv.mine.sql import query
from predsurv.ports import MarketQuery
from predsurv.store.layout import Layout
from predsurv.store.read.verify import check_tiling
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import MOCK, FastClock, S, assert_whole, column, configured, record, scan
from tests.kit.killed_collector import die
from tests.kit.patience import until

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
(STATEMENT,) = re.findall(r"```sql\n(.*?)```", _PAGE, re.DOTALL)


async def scan_part(config: Config, clock: FastClock, first: int, count: int) -> None:
    catalog = MockVenue(config.mock, clock).catalog()
    markets = [market async for market in catalog.markets(MarketQuery())]
    with UniverseWriter(config.data_dir, MOCK, clock.now()) as writer:
        for market in markets[first : first + count]:
            writer.write(market)
        writer.commit()


async def test_every_fault_is_a_gap_of_its_own_kind(tmp_path: Path) -> None:
    # Far enough apart that a busy machine has its books back before the next: a gap has the reason it began with.
    faults = ["gap@3s", "freeze@9s:4s", "overflow@17s", "drop@24s", "malformed@31s"]
    config = configured(tmp_path, mock__faults=faults, mock__rate=500, collector__rotation_period="1h")
    clock = FastClock(factor=5)
    await scan(config, clock)
    report = await record(config, clock, 36 * S)
    (venue,) = report.venues
    assert {"seq_gap", "stall", "overflow", "disconnect", "decode_error"} <= venue.gaps.keys()
    assert {"seq_gap", "stall", "overflow", "disconnect", "decode_error"} <= venue.gap_ns.keys()
    assert venue.gaps["seq_gap"] <= 2  # one book, not all
    assert venue.gaps["stall"] >= 30
    assert venue.dropped > 0
    assert_whole(tmp_path)


async def test_a_market_that_comes_back_after_restarts_without_it_leaves_no_hole(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, mock__markets=40, collector__max_instruments=20), FastClock()
    await scan_part(config, clock, 0, 40)
    await record(config, clock, 5 * S)
    clock.wall += 2 * 24 * 3_600 * S
    await scan_part(config, clock, 20, 20)
    await record(config, clock, 5 * S)
    clock.wall += 3_600 * S
    await scan_part(config, clock, 0, 40)
    await record(config, clock, 9 * S)
    assert list(check_tiling(Layout(tmp_path))) == []
    intervals = column(tmp_path, "coverage", "instrument_id", "start", "end", "reason")
    long = [row for row in intervals if row[3] == "rotated_out" and int(str(row[2])) - int(str(row[1])) > 3_600 * S]
    assert long, "an instrument was not recorded for more than an hour"
    assert_whole(tmp_path)


async def test_one_line_is_logged_for_each_change_of_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = configured(tmp_path, mock__faults=["drop@5s:4s"], collector__rotation_period="1h")
    clock = FastClock(factor=3)
    await scan(config, clock)
    with caplog.at_level(logging.INFO, "predsurv.collect"):
        await record(config, clock, 14 * S)
    states = [line.getMessage().split(": ")[1] for line in caplog.records if "wanted books" in line.getMessage()]
    assert [state for state in states if state != "starting"] == ["recording", "blind", "recording"]
    assert sum("rotation" in line.getMessage() for line in caplog.records) == 1


async def test_three_shards_record_everything_once_into_one_folder(tmp_path: Path) -> None:
    clock = FastClock(factor=4)
    configs = [
        configured(
            tmp_path,
            collector__id=f"c{number}",
            collector__shard=f"{number}/3",
            collector__max_instruments=400,
            collector__rotation_period="1h",
        )
        for number in (1, 2, 3)
    ]
    await scan(configs[0], clock)
    catalog = MockVenue(configs[0].mock, clock).catalog()
    listed = tradable_pairs([market async for market in catalog.markets(MarketQuery())])
    venues = [MockVenue(config.mock, clock) for config in configs]
    jobs = [Collector(config, [venue], clock, CollectorDeps()) for config, venue in zip(configs, venues, strict=True)]
    running = [asyncio.create_task(job.run()) for job in jobs]
    # Every shard has room for all of its markets, so its first set is complete: no need to wait for a certain time.
    await until(lambda: all(job.sessions[0].recorder.counters.trusted >= 10 for job in jobs))
    await until(lambda: all(job.sessions[0].recorder.counters.events >= 200 for job in jobs))
    for job in jobs:
        job.stop()
    reports = await asyncio.gather(*running)
    assert all(report.venues[0].instruments >= 10 for report in reports)
    assert_whole(tmp_path)
    owners = defaultdict(set)
    for path in (tmp_path / "coverage").rglob("*.parquet"):
        for (instrument,) in set(column_of(path)):
            owners[instrument].add(path.name.split("-")[1])
    assert all(len(names) == 1 for names in owners.values())
    # Markets listed or closed meanwhile may or may not have been recorded, depending on when that was.
    open_throughout = listed.intersection(
        *(tradable_pairs(venue.clocked_exchange.exchange.markets()) for venue in venues)
    )
    assert len(open_throughout) >= 20
    assert open_throughout <= owners.keys()


def tradable_pairs(markets: Iterable[Market]) -> set[InstrumentId]:
    """Return the first outcome of each binary market that is tradable."""
    return {market.keys()[0].instrument_id for market in markets if market.tradable and len(market.keys()) == 2}


def column_of(path: Path) -> list[tuple[object, ...]]:
    import pyarrow.parquet as pq

    return [(value,) for value in pq.read_table(path, columns=["instrument_id"], partitioning=None)[0].to_pylist()]


async def test_a_shard_without_a_name_of_its_own_is_refused(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, collector__shard="2/3"), FastClock()
    await scan(config, clock)
    with pytest.raises(ConfigError, match=r"collector\.id"):
        Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    named = replace(config, collector=replace(config.collector, id="c2"))
    Collector(named, [MockVenue(config.mock, clock)], clock, CollectorDeps())


@pytest.mark.parametrize("killed", [False, True])
async def test_what_rotation_learnt_survives_a_stop_and_a_kill(tmp_path: Path, *, killed: bool) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="8s"), FastClock()
    await scan(config, clock)
    if killed:
        await die(config, clock, lambda job, _: job.sessions[0].scheduler.rotations >= 3)
    else:
        await record(config, clock, 20 * S)
    left = RecentActivity()
    with closing(CoverageIndex(Layout(tmp_path).state, config.collector.id)) as index:
        left.restore(index.learnt(MOCK) or b"", MOCK)
    busy = {key: each for key, each in left.known().items() if each.updates and each.seconds > 1.2 * LEAST_SECONDS}
    assert busy
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    running = asyncio.create_task(job.run())
    scheduler = job.sessions[0].scheduler
    await until(lambda: running.done() or scheduler.plan is not None)
    known = scheduler.learning.recent.known()
    job.stop()
    await running
    assert busy.keys() <= known.keys()
    assert all(0.5 < known[key].updates / each.updates <= 1 for key, each in busy.items()), "none was seen since"


async def test_who_leaves_weighs_nothing_beside_who_arrives(tmp_path: Path) -> None:
    """Make before break: both are recorded for a while, but only what was chosen for the period counts in totals."""
    places = 20
    config = configured(tmp_path, collector__max_instruments=places, collector__rotation_period="6s")
    clock = FastClock()
    await scan(config, clock)
    await record(config, clock, 30 * S)
    names = ("start", "end", "state", "reason", "inclusion")
    rows = [(int(str(start)), int(str(end)), *rest) for start, end, *rest in column(tmp_path, "coverage", *names)]
    wanted = [each for each in rows if each[3] not in ("rotated_out", "no_capacity", "shutdown")]
    chosen = [each for each in wanted if each[4]]
    assert most_at_once(wanted) > places, "some were wanted beside those that replaced them"
    assert most_at_once(chosen) <= places, "a place weighs once, whoever has it"
    assert {each[4] for each in chosen} - {1.0}, "some were drawn"


def most_at_once(rows: Iterable[tuple[object, ...]]) -> int:
    steps: dict[int, int] = defaultdict(int)
    for start, end, *_ in rows:
        steps[int(str(start))] += 1
        steps[int(str(end))] -= 1
    return max(accumulate(steps[ts] for ts in sorted(steps)))


async def test_totals_follow_from_the_files_by_the_documented_statement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path / "data", collector__max_instruments=20, collector__rotation_period="6s")
    clock = FastClock()
    await scan(config, clock)
    await record(config, clock, 27 * S)
    assert_whole(tmp_path / "data")
    rows = column(tmp_path / "data", "rotations", "period", "reason", "inclusion", "pool", "drawn")
    plans = {period for period, reason, *_ in rows if reason == "drawn"}
    assert len(plans) >= 4
    for period in plans:
        drawn = [row for row in rows if row[0] == period and row[1] == "drawn"]
        assert {row[4] for row in drawn} == {len(drawn)}
        assert all(0 < float(str(row[2])) < 1 for row in drawn)
    assert {"exploited", "swept", "turn_over"} <= {str(reason) for _, reason, *_ in rows}
    monkeypatch.chdir(tmp_path)
    (date,) = {path.parent.name for path in (tmp_path / "data" / "rotations").rglob("*.parquet")}
    totals = json_of(capsys, "mine", "totals", "mock", date.removeprefix("date="))
    intervals = json_of(capsys, "mine", "totals", "mock", date.removeprefix("date="), "--by", "interval")
    by_instrument = json_of(capsys, "mine", "totals", "mock", date.removeprefix("date="), "--by", "instrument")
    ((by_sql,),) = query(tmp_path / "data", STATEMENT).rows
    estimate = {row["total"]: row["estimate"] for row in totals}
    assert by_sql == pytest.approx(estimate["updates"], rel=0.02), "but for what a lagging recorder changes late"
    for name, value in estimate.items():
        for parts in (intervals, by_instrument):
            assert sum(row[f"ht_{name}"] or 0 for row in parts) == pytest.approx(value, rel=1e-9)
    assert sum(row["updates"] for row in intervals) == totals[0]["recorded"]
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in totals)


def json_of(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main([*words, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found
