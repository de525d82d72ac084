"""Segments of which retention has removed the journal of one day are told by their manifest objects."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from predsurv.collect.output.maintenance import confirmed_objects
from predsurv.collect.output.uploader import Uploader
from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_HOUR, NS_SECOND, Layout
from predsurv.store.remote.audit import AuditReport, RemoteFinding, audit_bucket
from predsurv.store.remote.object_store import Bucket, BucketLocation, open_bucket
from predsurv.store.seal.retention import RetentionPolicy, expire
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.scripted_store import BUCKET, ScriptedStore, scripted_store

MIDNIGHT = 1_800_057_600_000_000_000  # 2027-01-16T00:00:00Z
KEY = InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("i"))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    with scripted_store() as running:
        yield running


@pytest.fixture
def bucket(store: ScriptedStore) -> Bucket:
    return open_bucket(BucketLocation(f"s3://{BUCKET}", store.endpoint))


def seal(layout: Layout, start: int, end: int) -> None:
    """A segment with a trade at its start and one at its end."""
    log = WriteAheadLog(layout.state, "c0", ManualClock(start))
    records: list[Record] = [Trade(KEY, ts, None, Price(1), Size(7), None, None) for ts in (start + 1, end - 1)]
    log.append([*records, Coverage(KEY, start, end, "covered", "live", 1)])
    path = log.close()
    assert path is not None
    seal_segment(path, layout, ManualClock(end))


@pytest.fixture
async def layout(tmp_path: Path, bucket: Bucket) -> Layout:
    """Everything is uploaded; the day before midnight is removed here, of which the second segment has a part."""
    layout, clock = Layout(tmp_path), ManualClock(MIDNIGHT + 5 * NS_HOUR)
    seal(layout, MIDNIGHT - 3 * NS_HOUR, MIDNIGHT - 2 * NS_HOUR)
    seal(layout, MIDNIGHT - 30 * NS_SECOND, MIDNIGHT + 30 * NS_SECOND)
    seal(layout, MIDNIGHT + 3 * NS_HOUR, MIDNIGHT + 4 * NS_HOUR)
    uploader = Uploader(layout, "c0", clock, bucket)
    await uploader.begin([])
    await uploader.finish(60)
    policy = RetentionPolicy(4 * NS_HOUR, confirm=lambda records: confirmed_objects(bucket, Event(), records))
    removed = await asyncio.to_thread(expire, layout, clock, policy)
    assert removed.files > 0
    assert [path.name for path in sorted(layout.uploads.glob("*.jsonl"))] == ["c0-2027-01-16.jsonl"]
    return layout


async def test_what_retention_removed_here_is_not_unknown_there(layout: Layout, bucket: Bucket) -> None:
    assert await audit_bucket(bucket, layout) == AuditReport(compared=10, incomplete=0, findings=())


async def test_what_is_lost_or_changed_of_it_is_found(layout: Layout, bucket: Bucket, store: ScriptedStore) -> None:
    before_midnight = [name for name in store.names() if "date=2027-01-15" in name and "-000000000002" in name]
    coverage, trades = before_midnight
    store.lose(coverage)
    store.change(trades, b"another")
    stranger = trades.replace("-000000000002", "-000000000001")
    store.put(stranger, b"x", {})
    assert set((await audit_bucket(bucket, layout)).findings) == {
        RemoteFinding("missing", coverage, local=False),
        RemoteFinding("different", trades, local=False),
        RemoteFinding("unknown", stranger, local=None),
    }
