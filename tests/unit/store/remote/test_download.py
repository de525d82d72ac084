"""Downloads are exactly what was requested: complete segments, valid names, each file once."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from obstore.store import MemoryStore

from predsurv.core.errors import IntegrityError
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import NS_DAY, NS_HOUR, Layout
from predsurv.store.manifest import SealedFile
from predsurv.store.read.missing import missing_files
from predsurv.store.remote import download, upload_journal
from predsurv.store.remote.download import DownloadReport, DownloadRequest, fetch_missing
from predsurv.store.remote.object_store import Bucket, digest_of
from predsurv.store.remote.upload_journal import UploadRecord
from predsurv.store.seal.retention import RetentionPolicy, expire
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.unit.store.conftest import NOON

Records = Callable[[int, int], list[Record]]
DATE = "2027-01-15"
UNIVERSE = f"metadata/venue=mock/date={DATE}/universe.jsonl"


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(MemoryStore(), "s3://b/p")


@pytest.fixture
def recorded(layout: Layout, clock: ManualClock, records: Records) -> Layout:
    for number in range(2):
        log = WriteAheadLog(layout.state, "c0", clock)
        log.append(records(number * 100, 100))
        path = log.close()
        assert path is not None
        seal_segment(path, layout, clock)
    return layout


@pytest.fixture
def reader(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "reader")


async def upload(bucket: Bucket, layout: Layout, *, whole: bool = True) -> None:
    for batch in upload_journal.pending_batches(layout, "c0"):
        for file in batch.files:
            await bucket.put_new(file.path, (layout.data_dir / file.path).read_bytes(), file.blake2b)
        if whole:
            await bucket.put_new(batch.name, batch.text, digest_of(batch.text))


def everything(records: Sequence[UploadRecord]) -> list[str]:
    """A bucket that has all that it is asked for."""
    return [record.path for record in records]


def here(layout: Layout) -> dict[str, str]:
    return {
        path.relative_to(layout.data_dir).as_posix(): manifest.digest(path)
        for path in layout.data_dir.rglob("*.parquet")
    }


async def test_a_reader_gets_what_was_sealed_and_nothing_twice(
    bucket: Bucket, recorded: Layout, reader: Layout
) -> None:
    await upload(bucket, recorded)
    told: list[tuple[int, int, int]] = []
    fetched = await fetch_missing(bucket, reader, DownloadRequest(), lambda *each: told.append(each))
    assert here(reader) == here(recorded)
    assert (fetched.files, fetched.incomplete) == (len(here(recorded)), 0)
    assert fetched.bytes == sum(path.stat().st_size for path in reader.data_dir.rglob("*.parquet"))
    assert told[0] == (0, fetched.files, 0)
    assert told[-1] == (fetched.files, fetched.files, fetched.bytes)
    assert {file.path: file.blake2b for file in manifest.read(reader.manifest)} == here(recorded)
    assert upload_journal.pending_batches(reader, "c0") == [], "what came from the bucket never goes there"
    assert await fetch_missing(bucket, reader, DownloadRequest()) == DownloadReport()
    assert await fetch_missing(bucket, recorded, DownloadRequest()) == DownloadReport()
    assert not list(reader.staging("fetch").iterdir())


async def test_only_requested_files_are_downloaded(bucket: Bucket, recorded: Layout, reader: Layout) -> None:
    await upload(bucket, recorded)
    for nothing in (
        DownloadRequest(venue="kalshi"),
        DownloadRequest(venue="../x"),
        DownloadRequest(dates=["2027-01-14"], venue="mock"),
    ):
        assert await fetch_missing(bucket, reader, nothing) == DownloadReport()
    await fetch_missing(bucket, reader, DownloadRequest(venue="mock", dates=[DATE], datasets=("coverage",)))
    assert {name.partition("/")[0] for name in here(reader)} == {"coverage"}
    await fetch_missing(bucket, reader, DownloadRequest(venue="mock"))
    assert here(reader) == here(recorded)


async def test_a_segment_is_downloaded_once_it_is_complete(bucket: Bucket, recorded: Layout, reader: Layout) -> None:
    await upload(bucket, recorded, whole=False)
    assert await fetch_missing(bucket, reader, DownloadRequest()) == DownloadReport(incomplete=len(here(recorded)))
    assert here(reader) == {}
    await upload(bucket, recorded)
    await fetch_missing(bucket, reader, DownloadRequest())
    assert here(reader) == here(recorded)


async def test_a_file_that_the_bucket_lost_is_told_and_fetched_once_it_is_back(
    bucket: Bucket, recorded: Layout, reader: Layout
) -> None:
    await upload(bucket, recorded)
    name = next(name for name in here(recorded) if name.startswith("trades/"))
    content = await bucket.read(name)
    await bucket.delete(name)
    fetched = await fetch_missing(bucket, reader, DownloadRequest())
    assert (fetched.files, fetched.lost) == (len(here(recorded)) - 1, 1)
    assert [each.path for each in missing_files(reader)] == [name]
    assert name not in upload_journal.uploaded_names(reader, "c0")
    again = await fetch_missing(bucket, reader, DownloadRequest(datasets=("coverage",)))
    assert again == DownloadReport(), "what was not asked for is not missed"
    await bucket.put_new(name, content, digest_of(content))
    assert (await fetch_missing(bucket, reader, DownloadRequest())).files == 1
    assert here(reader) == here(recorded)
    assert missing_files(reader) == []


async def test_an_interrupted_download_is_completed(
    bucket: Bucket, recorded: Layout, reader: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(bucket, recorded)

    def die(*_: object) -> None:
        raise KeyError("died")

    with monkeypatch.context() as patch:
        patch.setattr(download, "_record_downloads", die)
        with pytest.raises(KeyError):
            await fetch_missing(bucket, reader, DownloadRequest())
    assert list(manifest.read(reader.manifest)) == []
    assert (await fetch_missing(bucket, reader, DownloadRequest())).bytes == 0
    assert {file.path for file in manifest.read(reader.manifest)} == set(here(recorded))


@pytest.mark.parametrize(
    "name",
    [
        "coverage/venue=mock/date=2027-01-15/../../../../evil-20270115T120000Z-c0-000000000001.parquet",
        "coverage/venue=mock/date=../coverage_20270115T120000Z-c0-000000000001.parquet",
        "coverage/venue=../date=2027-01-15/coverage_20270115T120000Z-c0-000000000001.parquet",
        "coverage/venue=mock/date=2027-01-15/x/coverage_20270115T120000Z-c0-000000000001.parquet",
        "coverage/venue=mock/date=2027-01-15/coverage_20270115T120000Z-c%2F..-000000000001.parquet",
        "coverage/hour=1/coverage_20270115T120000Z-c0-000000000001.parquet",
        "coverage/coverage.parquet",
        "/coverage/venue=mock/date=2027-01-15/coverage_20270115T120000Z-c0-000000000001.parquet",
    ],
)
def test_object_names_outside_the_layout_are_skipped(reader: Layout, name: str) -> None:
    assert download._fetchable_stamp(reader, name, 0, DownloadRequest()) is None


async def test_a_foreign_object_in_the_bucket_is_not_downloaded(
    bucket: Bucket, recorded: Layout, reader: Layout
) -> None:
    await upload(bucket, recorded)
    for name in ("coverage/readme.txt", f"coverage/venue=mock/date={DATE}/x.parquet", "metadata/venue=mock/x.jsonl"):
        await bucket.put_new(name, b"x", digest_of(b"x"))
    await fetch_missing(bucket, reader, DownloadRequest(universe=True))
    assert here(reader) == here(recorded)
    assert len([each async for each in download.data_objects(bucket)]) == len(here(recorded))
    assert await download.recorded_days(bucket) == await download.recorded_days(bucket, "mock") == [(DATE, "mock")]


async def test_an_object_that_differs_from_its_manifest_is_not_published(
    bucket: Bucket, recorded: Layout, reader: Layout
) -> None:
    first, *_ = upload_journal.pending_batches(recorded, "c0")
    await bucket.put_new(first.files[0].path, b"other", digest_of(b"other"))
    await bucket.put_new(first.name, first.text, digest_of(first.text))
    with pytest.raises(IntegrityError, match="its digest is another"):
        await fetch_missing(bucket, reader, DownloadRequest())
    assert here(reader) == {}


async def test_a_manifest_names_no_file_that_was_not_listed(bucket: Bucket, recorded: Layout, reader: Layout) -> None:
    first, *_ = upload_journal.pending_batches(recorded, "c0")
    evil = SealedFile("../../evil", 1, 1, 1, 1, digest_of(b"x"))
    text = first.text + msgspec.json.encode(evil) + b"\n"
    for file in first.files:
        await bucket.put_new(file.path, (recorded.data_dir / file.path).read_bytes(), file.blake2b)
    await bucket.put_new(first.name, text, digest_of(text))
    await fetch_missing(bucket, reader, DownloadRequest())
    assert here(reader).keys() == {file.path for file in first.files}
    assert evil.path not in {file.path for file in manifest.read(reader.manifest)}


async def test_files_removed_by_retention_are_downloaded_only_for_a_requested_day(
    bucket: Bucket, recorded: Layout
) -> None:
    await upload(bucket, recorded)
    for batch in upload_journal.pending_batches(recorded, "c0"):
        done = [upload_journal.UploadRecord(file.path, file.blake2b, file.bytes) for file in batch.files]
        upload_journal.append(recorded, "c0", batch.date, [*done, upload_journal.UploadRecord(batch.name, "d", 1)])
    before = here(recorded)
    clock = ManualClock(NOON + 2 * NS_HOUR)
    expire(recorded, clock, RetentionPolicy(max_age=NS_HOUR, confirm=everything))
    trimmed = here(recorded)
    assert len(trimmed) < len(before)
    assert await fetch_missing(bucket, recorded, DownloadRequest()) == DownloadReport()
    assert await fetch_missing(bucket, recorded, DownloadRequest(venue="mock", dates=[DATE])) == DownloadReport(), (
        "its coverage was trimmed"
    )
    assert here(recorded) == trimmed
    expire(
        recorded,
        ManualClock(NOON + 2 * NS_DAY),
        RetentionPolicy(max_age=NS_HOUR, confirm=everything),
    )
    assert here(recorded) == {}
    assert await fetch_missing(bucket, recorded, DownloadRequest()) == DownloadReport()
    await fetch_missing(bucket, recorded, DownloadRequest(venue="mock", dates=[DATE]))
    assert here(recorded) == before


async def test_the_newest_universe_and_that_of_the_day_are_downloaded(
    bucket: Bucket, reader: Layout, tmp_path: Path
) -> None:
    for date in ("2027-01-13", "2027-01-14", DATE):
        await bucket.put_new(f"metadata/venue=mock/date={date}/universe.jsonl", date.encode(), digest_of(date.encode()))
    await fetch_missing(bucket, reader, DownloadRequest(venue="mock", dates=["2027-01-13"], universe=True))
    found = {path.parent.name: path.read_text() for path in reader.data_dir.rglob("universe.jsonl")}
    assert found == {"date=2027-01-13": "2027-01-13", f"date={DATE}": DATE}


async def test_a_newer_universe_replaces_the_local_one_and_an_older_does_not(bucket: Bucket, reader: Layout) -> None:
    await bucket.put_new(UNIVERSE, b"theirs", digest_of(b"theirs"))
    path = reader.data_dir / UNIVERSE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"ours")
    newer = path.stat().st_mtime_ns
    await fetch_missing(bucket, reader, DownloadRequest(universe=True))
    assert path.read_bytes() == b"ours"
    os.utime(path, ns=(newer - NS_HOUR, newer - NS_HOUR))
    await fetch_missing(bucket, reader, DownloadRequest(universe=True))
    assert path.read_bytes() == b"theirs"
