"""Days measured by a dask cluster are those that one machine measures, on any workers, and when one of them dies."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed as _distributed
import polars as pl
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core import native
from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import EventId
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.mine import cluster, scores
from predsurv.mine.cluster import Progress, WorkerData, measure_on_cluster
from predsurv.mine.job import mine_days
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.roll_up import roll_up_day
from predsurv.store.layout import NS_DAY, date_of
from tests.kit.market_samples import market
from tests.kit.mining_samples import T0, listed, record, session
from tests.kit.object_store import BUCKET, object_store

SETTINGS = """
data_dir = "s3://{bucket}/field"
local_dir = "local"
[object_store]
endpoint = "{endpoint}"
[mock]
enabled = true
seed = 3
[storage]
seal_interval = "1s"
heartbeat_interval = "1s"
[metrics]
port = 0
"""
pytestmark = pytest.mark.filterwarnings("default")  # of dask's own, such as that of a slow machine
distributed: Any = _distributed  # its functions have no types
WEIGHT = scores.weights({}, "research")


@pytest.fixture(scope="module", params=[1, 2, 4], ids=["one worker", "two workers", "four workers"])
def running(request: pytest.FixtureRequest) -> Iterator[Any]:
    options: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "threads_per_worker": 1, "host": "127.0.0.1"}
    credentials = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "CANARY"}  # workers read the bucket
    with distributed.LocalCluster(n_workers=request.param, processes=True, env=credentials, **options) as cluster:
        yield cluster


@pytest.fixture
def address(running: Any) -> str:
    wait_for_workers(running)
    return str(running.scheduler_address)


def wait_for_workers(running: Any) -> int:
    """Wait until workers that died are there again; return how many there are."""
    workers = len(running.worker_spec)
    with distributed.Client(running.scheduler_address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=300)
    return workers


def later(each: Record, days: int) -> Record:
    shift = days * NS_DAY
    match each:
        case Coverage():
            return replace(each, start=each.start + shift, end=each.end + shift)
        case BookTop() | BookDelta() | Trade():
            return replace(each, ts_recv=each.ts_recv + shift)
        case _:
            raise TypeError(each)


@pytest.fixture
def days(tmp_path: Path) -> list[MiningDay]:
    folder = tmp_path / "data"
    first = record(folder, [[later(each, n) for each in session()] for n in range(4)])
    event = {"event_id": EventId("e"), "mutually_exclusive": True, "exhaustive": True}
    listed(first, *(replace(market(n), **event) for n in (1, 2)))
    return [first._replace(date=date_of(T0 + n * NS_DAY)) for n in range(4)]


def files(days: list[MiningDay]) -> dict[str, bytes]:
    folder = days[0].data_dir
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / "stats").rglob("stats.parquet")}


def forget(days: list[MiningDay]) -> None:
    """Remove what was measured, and the ranks of the days before."""
    for name in ("day_rollups", "rollups", "stats"):
        shutil.rmtree(days[0].data_dir / name, ignore_errors=True)


def killer(address: str, killed: list[int]) -> Progress:
    """Kills a worker when the first task is done."""

    def kill(done: int, of: int) -> None:
        if done == 1 and not killed:
            with distributed.Client(address, set_as_default=False) as client:
                killed.extend(client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

    return kill


def test_a_cluster_finds_what_one_machine_finds(address: str, days: list[MiningDay]) -> None:
    found = measure_on_cluster(address, WorkerData(days[0].data_dir), days)
    there = mine_days(days, WEIGHT, found=found)
    written = files(days)
    forget(days)
    here = mine_days(days, WEIGHT)
    assert there.stats.equals(here.stats)
    assert files(days) == written
    assert len(written) == 4
    assert there.labels == here.labels


def test_a_worker_that_dies_in_the_middle_costs_nothing_but_time(address: str, days: list[MiningDay]) -> None:
    killed: list[int] = []
    found = measure_on_cluster(address, WorkerData(days[0].data_dir), days, killer(address, killed))
    assert killed
    there = mine_days(days, WEIGHT, found=found).stats
    written = files(days)
    forget(days)
    assert there.equals(mine_days(days, WEIGHT).stats)
    assert files(days) == written


@pytest.mark.parametrize("dies", [False, True])
def test_workers_share_one_day(running: Any, address: str, days: list[MiningDay], dies: bool) -> None:
    one, killed, tasks = days[:1], list[int](), set[int]()
    kill = killer(address, killed) if dies else None

    def progress(done: int, of: int) -> None:
        tasks.add(of)
        if kill is not None:
            kill(done, of)

    parts = 1 if native.speedups is None else wait_for_workers(running)
    found = measure_on_cluster(address, WorkerData(one[0].data_dir), one, progress)
    assert tasks == {parts}
    assert bool(killed) == dies
    there = mine_days(one, WEIGHT, found=found)
    written = files(one)
    wait_for_workers(running)
    again = measure_on_cluster(address, WorkerData(one[0].data_dir), one, progress)
    assert tasks == {parts, 0}, "what was put together is remembered"
    assert mine_days(one, WEIGHT, found=again).stats.equals(there.stats)
    forget(one)
    assert there.stats.equals(mine_days(one, WEIGHT).stats)
    assert files(one) == written
    assert there.stats["outcome_legs"].to_list() == [2, 2]


def test_days_with_measured_hours_are_not_divided(address: str, days: list[MiningDay]) -> None:
    one, tasks = days[:1], set[int]()
    roll_up_day(one[0].data_dir, one[0].venue, one[0].date)
    found = measure_on_cluster(address, WorkerData(one[0].data_dir), one, lambda _, of: tasks.add(of))
    assert tasks == {1}
    forget(one)
    assert mine_days(one, WEIGHT, found=found).stats.equals(mine_days(one, WEIGHT).stats)


def test_another_predsurv_is_refused(
    address: str, days: list[MiningDay], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(days[0].data_dir.parent)
    monkeypatch.setattr(cluster, "__version__", "99.0")
    command = ["mine", "mock", "2026-11-20", "--engine", "dask", "--address", address]
    assert main(command) == 5
    assert "this is 99.0: install the same everywhere" in capsys.readouterr().err


def test_the_command_shows_what_the_cluster_found(
    address: str, days: list[MiningDay], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(days[0].data_dir.parent)
    command = ["mine", "mock", "2026-11-20..2026-11-23", "--format", "json"]
    assert main([*command, "--engine", "dask", "--address", address]) == 0
    there = capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().out == there


def test_workers_read_the_bucket_themselves(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    with object_store() as store:
        store.empty()
        settings = SETTINGS.format(bucket=BUCKET, endpoint=store.endpoint)
        for name in ("recorder", "alone", "many"):
            (tmp_path / name / "config").mkdir(parents=True)
            (tmp_path / name / "config" / "surveillance.toml").write_text(settings)
        monkeypatch.chdir(tmp_path / "recorder")
        assert main(["collect", "--duration", "3s"]) == 0
        (day,) = {path.parent.name for path in Path("local/coverage").rglob("coverage_*.parquet")}
        command = ["mine", "mock", day.removeprefix("date="), "--format", "json"]
        monkeypatch.chdir(tmp_path / "alone")
        assert main(command) == 0
        monkeypatch.chdir(tmp_path / "many")
        assert main([*command, "--engine", "dask", "--address", address]) == 0
        assert main([*command, "--engine", "dask", "--address", address, "--html"]) == 2
    capsys.readouterr()
    there, here = (next((tmp_path / name).rglob("stats.parquet")) for name in ("many", "alone"))
    one, other = pl.read_parquet(there), pl.read_parquet(here)
    assert [name for name in one.columns if not one[name].equals(other[name], null_equal=True)] == []
    assert not list((tmp_path / "many").rglob("deltas_*.parquet")), "the day itself stayed in the bucket"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["mock", "2026-11-20", "--engine", "dask"], 2, "go together"),
        (["mock", "2026-11-20", "--address", "tcp://127.0.0.1:9"], 2, "go together"),
        (["--engine", "dask", "--address", "tcp://127.0.0.1:9"], 2, "name the venue and the days"),
    ],
)
def test_options_that_do_not_fit_are_named(
    words: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["mine", *words]) == code
    assert says in capsys.readouterr().err
