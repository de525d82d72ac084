"""Recordings go to a bucket of a real server over a socket, whatever happens on the way, and come back from there."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from predsurv.cli.commands.bucket import bucket_of
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.config import Config
from predsurv.core.errors import IntegrityError, SafetyError
from predsurv.ports import Clock
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, Layout, data_files, date_of
from predsurv.store.read.verify import check_files, check_tiling
from predsurv.store.remote import download, upload_journal
from predsurv.store.remote.download import DownloadRequest
from predsurv.store.remote.object_store import Bucket
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import START, FastClock, S, column, configured, scan
from tests.kit.object_store import BUCKET, ObjectStoreServer, object_store
from tests.kit.patience import until

URL = f"s3://{BUCKET}/pred/surv"


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectStoreServer]:
    with object_store() as server:
        yield server


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need longer than a stop may take; what is left then is for the tests that are about that."""
    for name in ("STOP_SECONDS_MAX", "UPLOAD_SECONDS_MAX"):
        monkeypatch.setattr(f"predsurv.collect.collector.{name}", 1_000.0)


@pytest.fixture
def server(running: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch) -> ObjectStoreServer:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    running.empty()
    return running


def placed(server: ObjectStoreServer, folder: Path, **flags: object) -> Config:
    """Return the configuration of a machine whose own folder is ``folder``."""
    base = {"data_dir": URL, "local_dir": str(folder), "object_store.endpoint": server.endpoint}
    return configured(folder, **{name.replace(".", "__"): value for name, value in (base | flags).items()})


def job_of(config: Config, clock: Clock) -> Collector:
    return Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps(bucket=bucket(config)))


def bucket(config: Config) -> Bucket:
    found = bucket_of(config)
    assert found is not None
    return found


async def names(config: Config) -> set[str]:
    return {each.name async for each in bucket(config).list("")}


def sealed(config: Config) -> dict[str, str]:
    """Return the digests of all data files of the folder by name."""
    layout = Layout(config.data_dir)
    paths = [path for dataset in FOLDERS for path in data_files(layout, dataset)]
    return {path.relative_to(config.data_dir).as_posix(): manifest.digest(path) for path in paths}


async def assert_uploaded(config: Config) -> None:
    """Every file of the folder is in the bucket as it is here, no other is, and nothing is owed."""
    here, place = sealed(config), bucket(config)
    there = {each.name: await place.digest(each.name) async for _, _, each in download.data_objects(place)}
    assert here == there != {}
    assert upload_journal.pending_batches(Layout(config.data_dir), config.collector.id) == []
    assert upload_journal.earliest_pending(Layout(config.data_dir)) is None


async def test_everything_recorded_is_in_the_bucket_at_the_end(server: ObjectStoreServer, tmp_path: Path) -> None:
    config, clock = placed(server, tmp_path), FastClock()
    await scan(config, clock)
    job = job_of(config, clock)
    report = await job.run(10 * S)
    assert report.bucket is not None
    assert (report.bucket.waiting, report.bucket.failures, report.bucket.trouble) == (0, 0, None)
    assert report.bucket.bytes == sum(report.bytes.values())
    await assert_uploaded(config)
    found = await names(config)
    assert len([name for name in found if name.startswith("manifest/c0-")]) == report.seals
    assert f"metadata/venue=mock/date={date_of(START)}/universe.jsonl" in found
    assert "collectors/c0.json" in found


class DeathError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["journal", "manifest", "complete"])
async def test_an_interrupted_upload_is_completed_without_duplicates(
    server: ObjectStoreServer, tmp_path: Path, step: str
) -> None:
    config, clock = placed(server, tmp_path), FastClock()
    await scan(config, clock)
    job = job_of(config, clock)

    def die(at: str) -> None:
        if at == step:
            raise DeathError

    assert job.uploader is not None
    job.uploader.at = die
    with pytest.raises(DeathError):
        await job.run(30 * S)
    assert upload_journal.pending_batches(Layout(tmp_path), "c0")
    await job_of(config, clock).run(4 * S)
    await assert_uploaded(config)
    assert list(check_files(Layout(tmp_path))) == []


async def test_recording_goes_on_while_the_store_is_down(
    server: ObjectStoreServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, clock = placed(server, tmp_path), FastClock()
    await scan(config, clock)
    server.off()
    try:
        job = job_of(config, clock)
        with caplog.at_level(logging.WARNING, "predsurv.collect.output.uploader"):
            running = asyncio.create_task(job.run())
            await until(lambda: job.status.bucket is not None and job.status.bucket.waiting >= 8)
            assert job.status.bucket is not None
            assert job.status.bucket.trouble is not None
    finally:
        server.on()
    with caplog.at_level(logging.WARNING, "predsurv.collect.output.uploader"):
        await until(lambda: job.status.bucket is not None and job.status.bucket.trouble is None)
        job.stop()
        report = await running
    lost, back = [line.getMessage() for line in caplog.records if "uploader" in line.name]
    assert lost.endswith(f"; recording goes on, files wait in {tmp_path}")
    assert "can be reached again" in back
    assert report.bucket is not None
    assert report.bucket.failures > 0
    await assert_uploaded(config)


async def test_a_store_that_stays_down_leaves_everything_to_the_next_start(
    server: ObjectStoreServer, tmp_path: Path
) -> None:
    config, clock = placed(server, tmp_path), FastClock()
    await scan(config, clock)
    server.off()
    try:
        report = await job_of(config, clock).run(8 * S)
    finally:
        server.on()
    assert report.bucket is not None
    assert report.bucket.waiting == len(sealed(config)) > 0
    assert await names(config) == set()
    await job_of(config, clock).run(S)
    await assert_uploaded(config)


async def test_the_same_id_from_two_machines_is_refused(server: ObjectStoreServer, tmp_path: Path) -> None:
    one, two, clock = placed(server, tmp_path / "one"), placed(server, tmp_path / "two"), FastClock()
    for config in (one, two):
        await scan(config, clock)
    await job_of(one, clock).run(8 * S)
    with pytest.raises(SafetyError, match="'c0' is used by another data folder"):
        await job_of(two, clock).run(2 * S)
    assert sealed(two) == {}
    await assert_uploaded(one)


async def test_two_shards_share_a_bucket_and_overlap_nowhere(server: ObjectStoreServer, tmp_path: Path) -> None:
    clock = FastClock()
    shards = [
        placed(server, tmp_path / str(n), **{"collector.id": f"s{n}", "collector.shard": f"{n}/2"}) for n in (1, 2)
    ]
    for config in shards:
        await scan(config, clock)
    await asyncio.gather(*(job_of(config, clock).run(8 * S) for config in shards))
    own = [sealed(config) for config in shards]
    assert not own[0].keys() & own[1].keys()
    reader = placed(server, tmp_path / "reader")
    await download.fetch_missing(bucket(reader), Layout(reader.data_dir), DownloadRequest())
    assert sealed(reader) == own[0] | own[1]
    assert list(check_files(Layout(reader.data_dir))) == []
    assert list(check_tiling(Layout(reader.data_dir))) == []
    instruments = [instruments_of(config) for config in shards]
    assert instruments[0]
    assert instruments[1]
    assert not instruments[0] & instruments[1]
    assert instruments_of(reader) == instruments[0] | instruments[1]
    again = await download.fetch_missing(bucket(reader), Layout(reader.data_dir), DownloadRequest())
    assert again == download.DownloadReport()


async def test_another_machine_downloads_only_complete_segments_and_detects_a_changed_object(
    server: ObjectStoreServer, tmp_path: Path
) -> None:
    config, clock = placed(server, tmp_path / "one"), FastClock()
    await scan(config, clock)
    await job_of(config, clock).run(8 * S)
    place = bucket(config)
    incomplete = [file for file in sealed(config) if file.endswith("-000000000001.parquet")]
    other = placed(server, tmp_path / "two")
    text = await place.read(upload_journal.manifest_name("c0", 1))
    await bucket_delete(place, upload_journal.manifest_name("c0", 1))
    fetched = await download.fetch_missing(bucket(other), Layout(other.data_dir), DownloadRequest())
    assert fetched.incomplete == len(incomplete) > 0
    assert sealed(other).keys() == sealed(config).keys() - set(incomplete)
    (tmp_path / "junk").write_bytes(b"junk")
    await place.put(incomplete[0], tmp_path / "junk", manifest.digest(tmp_path / "junk"))
    await place.put_new(upload_journal.manifest_name("c0", 1), text, "")
    with pytest.raises(IntegrityError, match="is not what was stored"):
        await download.fetch_missing(bucket(other), Layout(other.data_dir), DownloadRequest())
    assert list(check_files(Layout(other.data_dir))) == []


async def bucket_delete(place: Bucket, name: str) -> None:
    await place._obstore.delete_async(place._store, name)


def instruments_of(config: Config) -> set[object]:
    return {row[0] for row in column(config.data_dir, "coverage", "instrument_id")}
