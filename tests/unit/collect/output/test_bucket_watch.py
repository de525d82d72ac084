"""What was uploaded is looked at again: what is gone is uploaded again, what is another is never replaced."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from predsurv.collect.output import bucket_watch, uploader
from predsurv.collect.output.uploader import Uploader
from predsurv.core.ids import VenueName
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import Layout
from predsurv.store.manifest import SealedFile
from predsurv.store.remote.object_store import Bucket, BucketLocation, digest_of, open_bucket
from tests.kit.patience import PATIENCE_S
from tests.kit.recorder_samples import START, S
from tests.kit.scripted_store import BUCKET, ScriptedStore, scripted_store

VENUE = VenueName("mock")
DATE = "2027-01-15"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    with scripted_store() as running:
        yield running


@pytest.fixture
def bucket(store: ScriptedStore) -> Bucket:
    return open_bucket(BucketLocation(f"s3://{BUCKET}", store.endpoint))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Four sealed segments of two files each, and a universe."""
    layout = Layout(tmp_path)
    for segment in range(1, 5):
        for dataset in ("coverage", "lifecycle"):
            name = f"{dataset}/venue=mock/date={DATE}/{dataset}_20270115T080000Z-c0-{segment:012d}.parquet"
            path = layout.data_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{dataset} {segment}".encode())
            manifest.append(
                layout.manifest, "c0", [SealedFile(name, 1, START, START, path.stat().st_size, manifest.digest(path))]
            )
    universe = layout.universe(VENUE, DATE)
    universe.parent.mkdir(parents=True)
    universe.write_text("{}\n")
    return layout


class Watched:
    """An uploader whose clock goes on as the test says, and that never waits."""

    def __init__(self, layout: Layout, bucket: Bucket) -> None:
        self.clock = ManualClock(START)
        self.work = Uploader(layout, "c0", self.clock, bucket)
        self.layout = layout

    async def uploaded(self) -> None:
        await self.work.begin([VENUE])
        await self.work._upload_queued()

    async def round(self, looks: int = 4) -> tuple[int, int, int, int]:
        """Look at everything once and return what was checked, missing, restored so far, and lost now."""
        for _ in range(looks):
            await self.clock.advance(bucket_watch.LOOK_INTERVAL)
            await self.work._look_again()
        status = self.work.status
        return status.remote_checked, status.remote_missing, status.remote_restored, status.remote_lost


@pytest.fixture
async def watched(layout: Layout, bucket: Bucket) -> Watched:
    made = Watched(layout, bucket)
    await made.uploaded()
    return made


def objects(store: ScriptedStore) -> dict[str, bytes]:
    return {name: store.objects[name].content for name in store.names()}


async def test_a_round_over_an_untouched_bucket_finds_nothing_and_asks_little(
    store: ScriptedStore, watched: Watched
) -> None:
    before = objects(store)
    assert len(before) == 8 + 4 + 2
    store.asked.clear()
    assert await watched.round() == (13, 0, 0, 0)
    assert await watched.round() == (26, 0, 0, 0)
    assert (store.count("GET"), store.count("HEAD"), store.count("PUT")) == (8, 8, 0)
    assert objects(store) == before


async def test_an_emptied_bucket_is_filled_again_at_once(
    store: ScriptedStore, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    before = objects(store)
    store.objects.clear()
    await watched.clock.advance(bucket_watch.LOOK_INTERVAL)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):  # no time passes
            await watched.work._look_again()
    assert objects(store) == before
    assert watched.work.status.remote_missing == watched.work.status.remote_restored == 13
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 4
    assert await watched.round() == (26, 13, 13, 0)


async def test_a_start_looks_at_the_latest_days_at_once_though_nothing_is_missing_in_their_first_folders(
    store: ScriptedStore, watched: Watched
) -> None:
    kept = objects(store)
    store.lose(store.names("manifest")[-1])
    store.lose(store.names("metadata")[-1])
    for _ in range(4):  # no time passes
        await watched.work._look_again()
    assert objects(store) == kept
    assert not await watched.work._look_again()
    assert await watched.round() == (26, 2, 2, 0)


async def test_a_lost_object_comes_back_from_the_local_file(store: ScriptedStore, watched: Watched) -> None:
    name = store.names("coverage")[2]
    before = store.lose(name)
    assert await watched.round() == (13, 1, 1, 0)
    assert store.objects[name] == before


async def test_a_lost_object_without_a_local_file_is_counted_and_told(
    store: ScriptedStore, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    name = store.names("coverage")[2]
    kept = store.lose(name)
    (watched.layout.data_dir / name).unlink()
    with caplog.at_level(logging.WARNING):
        assert (await watched.round())[1:] == (1, 0, 1)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert name in record.getMessage()
    assert "verify --remote" in record.getMessage()
    store.objects[name] = kept
    assert (await watched.round(8))[3] == 0, "it is back"


async def test_a_local_file_that_is_damaged_restores_nothing(store: ScriptedStore, watched: Watched) -> None:
    name = store.names("coverage")[0]
    store.lose(name)
    (watched.layout.data_dir / name).write_bytes(b"damaged")
    assert (await watched.round())[1:] == (1, 0, 1)
    assert name not in store.objects


@pytest.mark.parametrize("content", [b"", b"coverage", b"coverage 9"])
async def test_an_object_of_another_content_is_told_and_never_replaced(
    store: ScriptedStore, watched: Watched, content: bytes
) -> None:
    name = store.names("coverage")[0]
    store.change(name, content, digest=digest_of(content))
    assert (await watched.round())[1:] == (1, 0, 1)
    assert store.objects[name].content == content
    assert not watched.work.status.refused


async def test_the_last_version_of_a_universe_whose_day_is_over_is_uploaded(
    store: ScriptedStore, watched: Watched
) -> None:
    (name,) = store.names("metadata")
    path = watched.layout.data_dir / name
    path.write_text("{}\n{}\n")
    await watched.round()
    assert store.objects[name].content == b"{}\n", "today's is left to the scans"
    later = watched.layout.universe(VENUE, "2027-01-16")
    later.parent.mkdir(parents=True)
    later.write_text("{}\n")
    assert (await watched.round(8))[1:] == (0, 0, 0), "what nobody has uploaded yet is not lost"
    assert [store.objects[each].content for each in store.names("metadata")] == [b"{}\n{}\n", b"{}\n"]
    store.put(name, b"the larger one of another machine", {})
    await watched.round(8)
    assert store.objects[name].content == b"the larger one of another machine"
    store.lose(store.names("metadata")[1])
    assert (await watched.round(8))[1:] == (1, 1, 0), "now it is"


async def test_a_listing_that_lags_is_no_loss(store: ScriptedStore, watched: Watched) -> None:
    store.unlisted = set(store.names("coverage"))
    assert await watched.round() == (13, 0, 0, 0)
    assert store.count("HEAD") >= 4


async def test_where_etags_say_nothing_every_object_is_asked_for_in_parts(
    store: ScriptedStore, layout: Layout, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.etags = False
    monkeypatch.setattr(bucket_watch, "ASKED_MAX", 3)
    watched = Watched(layout, bucket)
    await watched.uploaded()
    name = store.names("coverage")[3]
    store.change(name, b"coverage 9", digest=digest_of(b"coverage 9"))
    assert (await watched.round(7))[1:] == (1, 0, 1)


async def test_an_object_without_metadata_is_read_to_compare_it(
    store: ScriptedStore, layout: Layout, bucket: Bucket
) -> None:
    store.etags = store.metadata = False
    watched = Watched(layout, bucket)
    await watched.uploaded()
    assert await watched.round() == (13, 0, 0, 0)
    store.change(store.names("coverage")[0], b"coverage 9")
    assert (await watched.round())[1:] == (1, 0, 1)


async def test_a_store_that_fails_for_a_while_has_lost_nothing(store: ScriptedStore, watched: Watched) -> None:
    store.failing = 2
    assert await watched.round() == (13, 0, 0, 0)


async def test_a_claim_that_is_gone_is_renewed_and_one_of_another_folder_ends_the_uploads(
    store: ScriptedStore, watched: Watched
) -> None:
    (name,) = store.names("collectors")
    kept = store.lose(name)
    await watched.round(1)
    assert store.objects[name].content == kept.content
    store.change(name, b"theirs", digest=digest_of(b"theirs"))
    await watched.clock.advance(bucket_watch.LOOK_INTERVAL)
    async with asyncio.timeout(PATIENCE_S):
        await watched.work.run()
    assert watched.work.status.refused
    assert "another data folder" in str(watched.work.status.trouble)


async def test_looks_are_made_while_it_runs(
    store: ScriptedStore, layout: Layout, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploader, "POLL_INTERVAL", 30 * S)
    clock = ManualClock(START, jumps=True)
    work = Uploader(layout, "c0", clock, bucket)
    await work.begin([VENUE])

    look, seen = work._watch.look, 0

    async def counted() -> bucket_watch.WatchReport:
        nonlocal seen
        seen += 1
        if seen == 6:  # the first four looks, at a whole day, are made at once
            raise ZeroDivisionError
        return await look()

    monkeypatch.setattr(work._watch, "look", counted)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(PATIENCE_S):
            await work.run()
    assert clock.now() - START >= 2 * bucket_watch.LOOK_INTERVAL
