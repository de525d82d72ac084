"""Uploads never delay the recording: failures are retried later, a refusal is logged once, a stop waits briefly."""

import asyncio
import logging
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from predsurv.collect.output import uploader as uploading
from predsurv.collect.output.uploader import Uploader
from predsurv.core.errors import SafetyError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import Layout
from predsurv.store.manifest import SealedFile
from predsurv.store.remote import upload_journal
from predsurv.store.remote.object_store import Bucket, PutResult, digest_of
from predsurv.store.remote.probe import PROBES
from predsurv.store.seal.seal import SealReport
from tests.kit.patience import PATIENCE_S
from tests.kit.recorder_samples import START, S

VENUE = VenueName("mock")


class ShakyBucket(Bucket):
    """One that is down, or never answers, while it is told to be."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "s3://b/p")
        self.down = False
        self.mute = False
        self.put: list[str] = []  # type: ignore[assignment]

    async def put_new(self, name: str, content: bytes, digest: str) -> PutResult:
        if not name.startswith(f"{PROBES}/"):
            self.put.append(name)
        if self.mute:
            await asyncio.Event().wait()
        if self.down:
            raise TransientError("s3://b/p cannot be used: down")
        return await super().put_new(name, content, digest)


@pytest.fixture
def bucket() -> ShakyBucket:
    return ShakyBucket()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def sealed(layout: Layout, segment: int) -> SealReport:
    """A segment of one file, as sealing leaves it."""
    name = f"coverage/venue=mock/date=2027-01-15/coverage_20270115T080000Z-c0-{segment:012d}.parquet"
    path = layout.data_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"{segment}".encode())
    file = SealedFile(name, 1, START, START, path.stat().st_size, manifest.digest(path))
    manifest.append(layout.manifest, "c0", [file])
    return SealReport(f"c0-{segment:012d}.db", files=(file,))


def up(layout: Layout, bucket: Bucket) -> Uploader:
    return Uploader(layout, "c0", ManualClock(START), bucket)


async def test_the_oldest_segment_is_uploaded_first_and_its_manifest_last(layout: Layout, bucket: ShakyBucket) -> None:
    for segment in (3, 1):
        sealed(layout, segment)
    work = up(layout, bucket)
    await work.finish(20)
    work.add(sealed(layout, 4))
    work.add(sealed(layout, 1))  # known already
    assert work.status.waiting == 1
    await work.finish(20)
    assert [name.rpartition("-")[2] for name in bucket.put[1:]] == [
        f"00000000000{n}.{kind}" for n in (1, 3, 4) for kind in ("parquet", "jsonl")
    ]
    assert (work.status.waiting, work.status.bytes, work.status.failures) == (0, 3, 0)
    assert upload_journal.pending_batches(layout, "c0") == []


async def test_of_a_long_backlog_a_part_is_queued(
    layout: Layout, bucket: ShakyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "SEGMENTS_QUEUED_MAX", 2)
    for segment in (1, 2, 3):
        sealed(layout, segment)
    (layout.data_dir / sealed(layout, 1).files[0].path).unlink()
    work = up(layout, bucket)
    await work.finish(20)
    work.add(sealed(layout, 4))
    for _ in range(3):
        await work.finish(20)
    assert [each.segment for each in upload_journal.pending_batches(layout, "c0")] == [1]
    assert work.status.waiting == 0


async def test_a_segment_with_a_damaged_or_missing_file_is_left_out_and_the_rest_is_uploaded(
    layout: Layout, bucket: ShakyBucket, caplog: pytest.LogCaptureFixture
) -> None:
    damaged, gone, _ = (sealed(layout, n).files[0].path for n in (1, 2, 3))
    (layout.data_dir / damaged).write_bytes(b"X")
    (layout.data_dir / gone).unlink()
    work = up(layout, bucket)
    with caplog.at_level(logging.WARNING):
        await work.finish(20)
    assert [each.segment for each in upload_journal.pending_batches(layout, "c0")] == [1, 2]
    assert (work.status.failures, work.status.refused) == (2, False)
    assert [line.getMessage().partition(" ")[2][:12] for line in caplog.records] == ["is not what ", "is gone and "]


async def test_failures_are_logged_once_and_retried_with_backoff(
    layout: Layout, bucket: ShakyBucket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(layout, 1)
    bucket.down = True
    clock = ManualClock(START, jumps=True)
    monkeypatch.setattr(uploading, "RETRY_INTERVAL_MAX", 4 * S)
    work = Uploader(layout, "c0", clock, bucket)
    with caplog.at_level(logging.WARNING):
        running = asyncio.create_task(work.run())
        while len(clock.slept) < 5:  # noqa: ASYNC110 - files are read in threads
            await asyncio.sleep(0.001)
        bucket.down = False
        while work.status.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait([running])
    assert [pause // S for pause in clock.slept[:5]] == [1, 2, 4, 4, 4]
    assert ["again" in line.getMessage() for line in caplog.records] == [False, True]
    assert work.status.failures >= 5
    assert work.status.trouble is None


async def test_a_stop_waits_no_longer_than_it_may(layout: Layout, bucket: ShakyBucket) -> None:
    bucket.mute = True
    work = up(layout, bucket)
    work.add(sealed(layout, 1))
    async with asyncio.timeout(PATIENCE_S):
        await work.finish(0.05)
        await work.finish(-1)
    assert work.status.waiting == 1
    assert work.status.trouble == "s3://b/p did not take everything in time"


async def test_a_start_waits_no_longer_than_it_may_for_a_store_that_does_not_answer(
    layout: Layout, bucket: ShakyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "CLAIM_SECONDS_MAX", 0.05)
    bucket.mute = True
    work = up(layout, bucket)
    async with asyncio.timeout(PATIENCE_S):
        await work.begin([VENUE])
    assert work.status.trouble == "s3://b/p does not answer"
    bucket.mute = False
    await work.finish(20)
    assert work.status.trouble is None


async def test_an_id_that_another_folder_has_is_refused_also_when_that_comes_out_late(
    tmp_path: Path, bucket: ShakyBucket, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = Layout(tmp_path / "one"), Layout(tmp_path / "two")
    await Uploader(one, "c0", ManualClock(START + 1), bucket).begin([])
    await Uploader(one, "c0", ManualClock(START + 9), bucket).begin([])  # the same folder may come back
    late = Uploader(two, "c0", ManualClock(START + 2), bucket)
    with pytest.raises(SafetyError, match="another data folder"):
        await late.begin([])
    sealed(two, 1)
    with caplog.at_level(logging.ERROR):
        await late.run()
        await late.finish(20)
    assert len(caplog.records) == 1
    assert late.status.refused
    assert bucket.put == ["collectors/c0.json"] * 4
    assert await bucket.read("collectors/c0.json") == (one.uploads / "c0.claim").read_bytes()


async def test_a_segment_of_another_content_in_the_bucket_is_refused(layout: Layout, bucket: ShakyBucket) -> None:
    (file,) = sealed(layout, 1).files
    await bucket.put_new(file.path, b"theirs", digest_of(b"theirs"))
    work = up(layout, bucket)
    await work.run()
    assert work.status.refused
    assert work.status.trouble is not None
    assert "two collectors of one id" in work.status.trouble
    assert await bucket.read(file.path) == b"theirs"


async def test_a_failed_read_of_the_backlog_is_repeated(
    layout: Layout, bucket: ShakyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed(layout, 1)
    work = up(layout, bucket)

    def unreadable(*_: object) -> list[object]:
        raise OSError("unreadable")

    with monkeypatch.context() as patch:
        patch.setattr(upload_journal, "pending_batches", unreadable)
        await work.finish(20)
    assert work.status.trouble == "unreadable"
    await work.finish(20)
    assert upload_journal.pending_batches(layout, "c0") == []


async def test_a_segment_sealed_while_the_backlog_is_read_is_not_forgotten(
    layout: Layout, bucket: ShakyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = up(layout, bucket)
    found = upload_journal.pending_batches

    def late(*_: object) -> list[upload_journal.UploadBatch]:
        before = found(layout, "c0")
        work.add(sealed(layout, 1))
        return before

    with monkeypatch.context() as patch:
        patch.setattr(upload_journal, "pending_batches", late)
        await work.finish(20)
    assert upload_journal.pending_batches(layout, "c0") == []
