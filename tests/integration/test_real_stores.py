"""What the recorder relies on holds on stores that others wrote, and a store on which it does not hold is refused."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from predsurv.cli.commands.bucket import bucket_of
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.output.maintenance import confirmed_objects
from predsurv.config import Config
from predsurv.core.errors import IntegrityError, SafetyError
from predsurv.net.clock import ManualClock
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, daily_logs, data_files
from predsurv.store.remote.audit import audit_bucket
from predsurv.store.remote.download import DownloadRequest, fetch_missing
from predsurv.store.remote.inspection import unconfirmed
from predsurv.store.remote.object_store import Bucket, digest_of
from predsurv.store.remote.probe import StoreTraits, probe_store
from predsurv.store.remote.upload_journal import parse_records
from predsurv.store.seal.retention import RetentionPolicy, expire
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import FastClock, S, configured, scan
from tests.kit.patience import until
from tests.kit.real_stores import BUCKET, HONOURING, MOTO, PYS3LOCAL, SEAWEEDFS, real_store

URL = f"s3://{BUCKET}/field"


@pytest.fixture(scope="module", params=[MOTO, SEAWEEDFS, PYS3LOCAL])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with real_store(request.param, tmp_path_factory.mktemp("store")) as endpoint:
        yield request.param, endpoint


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    for name in ("STOP_SECONDS_MAX", "UPLOAD_SECONDS_MAX"):
        monkeypatch.setattr(f"predsurv.collect.collector.{name}", 60.0)


@pytest.fixture
def config(running: tuple[str, str], request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """A machine with a prefix of its own in the bucket."""
    return placed(running[1], f"{URL}/{request.node.originalname}", tmp_path / "one")


@pytest.fixture
def bucket(config: Config) -> Bucket:
    found = bucket_of(config)
    assert found is not None
    return found


@pytest.fixture
def honouring(running: tuple[str, str]) -> None:
    if running[0] not in HONOURING:
        pytest.skip("this store is refused")


def placed(endpoint: str, url: str, folder: Path) -> Config:
    return configured(folder, data_dir=url, local_dir=str(folder), object_store__endpoint=endpoint)


async def recorded(config: Config, bucket: Bucket, clock: FastClock) -> None:
    await scan(config, clock)
    await Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps(bucket=bucket)).run(8 * S)


async def names(bucket: Bucket) -> list[str]:
    return [each.name async for each in bucket.list("")]


async def test_the_probe_tells_the_stores_apart(running: tuple[str, str], bucket: Bucket) -> None:
    if running[0] in HONOURING:
        assert await probe_store(bucket, "c0") == StoreTraits(keeps_digests=True, deletes=True)
    else:
        with pytest.raises(SafetyError, match="does not honour conditional puts"):
            await probe_store(bucket, "c0")
    assert await names(bucket) == []


async def test_a_recording_is_refused_where_objects_are_replaced(
    running: tuple[str, str], config: Config, bucket: Bucket
) -> None:
    if running[0] in HONOURING:
        pytest.skip("this store is fine")
    with pytest.raises(SafetyError, match="does not honour conditional puts"):
        await recorded(config, bucket, FastClock())
    assert await names(bucket) == []


@pytest.mark.usefixtures("honouring")
async def test_of_many_that_put_at_the_same_time_one_succeeds(bucket: Bucket) -> None:
    for number in range(3):
        contents = [f"{number} {each}".encode() for each in range(8)]
        puts = (bucket.put_new(f"race/{number}", content, digest_of(content)) for content in contents)
        ended = await asyncio.gather(*puts, return_exceptions=True)
        (winner,) = (n for n, end in enumerate(ended) if end == "stored")
        assert all(isinstance(end, IntegrityError | FileNotFoundError) for n, end in enumerate(ended) if n != winner)
        assert await bucket.read(f"race/{number}") == contents[winner]


@pytest.mark.usefixtures("honouring")
async def test_what_is_uploaded_is_confirmed_by_the_listing_alone_and_fetched_elsewhere(
    running: tuple[str, str], config: Config, bucket: Bucket, tmp_path: Path
) -> None:
    await recorded(config, bucket, FastClock())
    logs = daily_logs(Layout(config.data_dir).uploads)
    records = [record for log in logs for record in parse_records(log.path.read_bytes())]
    assert len(records) > 10
    assert unconfirmed(records, {each.name: each async for each in bucket.list("")}) == []
    reader = placed(running[1], config.bucket or "", tmp_path / "reader")
    fetched = await fetch_missing(bucket, Layout(reader.data_dir), DownloadRequest())
    assert (fetched.files, fetched.incomplete) == (len(files_of(config)), 0)
    assert [path.read_bytes() for path in files_of(reader)] == [path.read_bytes() for path in files_of(config)]
    assert (await audit_bucket(bucket, Layout(config.data_dir))).findings == ()


@pytest.mark.usefixtures("honouring")
async def test_an_emptied_bucket_is_noticed_stops_retention_and_is_filled_again(config: Config, bucket: Bucket) -> None:
    clock = FastClock()
    await recorded(config, bucket, clock)
    before = {name for name in await names(bucket) if not name.startswith("metadata")}
    for name in before:
        await bucket.delete(name)
    layout, later = Layout(config.data_dir), ManualClock(clock.now() + 48 * NS_HOUR)
    audit = await audit_bucket(bucket, layout)
    assert {each.state for each in audit.findings} == {"missing"}
    assert {each.name for each in audit.findings} | {"collectors/c0.json"} == before
    policy = RetentionPolicy(max_age=NS_HOUR, confirm=lambda records: confirmed_objects(bucket, Event(), records))
    here = files_of(config)
    assert (await asyncio.to_thread(expire, layout, later, policy)).files == 0
    assert files_of(config) == here
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps(bucket=bucket))
    running = asyncio.create_task(job.run())
    await until(lambda: job.status.bucket is not None and job.status.bucket.remote_restored >= len(before) - 1)
    job.stop()
    report = await running
    assert report.bucket is not None
    assert (report.bucket.remote_lost, report.bucket.refused) == (0, False)
    assert before <= set(await names(bucket))
    assert (await audit_bucket(bucket, layout)).findings == ()
    assert (await asyncio.to_thread(expire, layout, later, policy)).files >= len(here)


def files_of(config: Config) -> list[Path]:
    return [path for dataset in FOLDERS for path in data_files(Layout(config.data_dir), dataset)]
