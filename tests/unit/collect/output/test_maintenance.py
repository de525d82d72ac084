"""Maintenance does what is due every hour, and retries what fails an hour later."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from obstore.store import MemoryStore

from predsurv.collect.output import maintenance
from predsurv.collect.output.maintenance import HOUR, SETTLED_AFTER, Maintenance
from predsurv.config import StorageConfig
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.remote.object_store import Bucket, digest_of
from predsurv.store.remote.upload_journal import UploadRecord
from predsurv.store.seal.compact import CompactReport
from predsurv.store.seal.retention import ExpireReport, RetentionPolicy
from tests.kit.recorder_samples import START
from tests.kit.two_hands import TwoHands


class EndError(BaseException):
    """Enough was seen; not one of the mistakes that maintenance survives."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    def compacted(*_: object) -> CompactReport:
        made.append("compact")
        return CompactReport(hours=2, files=9, damaged=("x.parquet",))

    def expired(*_: object) -> ExpireReport:
        made.append("expire")
        return ExpireReport(1, 2, 3)

    monkeypatch.setattr(maintenance, "compact_in_process", compacted)
    monkeypatch.setattr(maintenance, "expire_in_process", expired)
    return made


def keeping(tmp_path_layout: Layout, clock: ManualClock, **storage: object) -> Maintenance:
    return Maintenance(tmp_path_layout, "c0", clock, StorageConfig(**storage))  # type: ignore[arg-type]


@pytest.fixture
def layout(tmp_path: object) -> Layout:
    return Layout(tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ({}, ["compact"]),
        ({"compact": False}, []),
        ({"max_age": 5}, ["compact", "expire"]),
        ({"compact": False, "max_bytes": 5}, ["expire"]),
    ],
)
def test_only_configured_maintenance_is_done(
    layout: Layout, calls: list[str], storage: dict[str, object], expected: list[str]
) -> None:
    keeping(layout, ManualClock(START), **storage).run_once()
    assert calls == expected


def test_with_a_bucket_nothing_is_merged_and_only_what_is_uploaded_is_removed(
    layout: Layout, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    policies: list[RetentionPolicy] = []

    def expired(_: object, __: int, policy: RetentionPolicy, ___: object) -> ExpireReport:
        policies.append(policy)
        return ExpireReport()

    monkeypatch.setattr(maintenance, "expire_in_process", expired)
    bucket = Bucket(MemoryStore(), "s3://b/p")
    Maintenance(layout, "c0", ManualClock(START), StorageConfig(max_age=5), bucket=bucket).run_once()
    assert calls == []
    (policy,) = policies
    assert policy.confirm is not None
    asyncio.run(bucket.put_new("a", b"x", digest_of(b"x")))
    records = [UploadRecord("a", digest_of(b"x"), 1), UploadRecord("b", digest_of(b"x"), 1)]
    assert policy.confirm(records) == {"a"}


@pytest.mark.parametrize(
    ("ahead", "max_age"), [(-HOUR, 30 * 24 * HOUR), (HOUR, 30 * 24 * HOUR), (HOUR + 1, 0), (8_760 * HOUR, 0)]
)
def test_a_clock_that_jumped_ahead_makes_nothing_too_old(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ahead: int, max_age: int
) -> None:
    clock, policies = TwoHands(START), list[RetentionPolicy]()
    storage = StorageConfig(compact=False, max_age=30 * 24 * HOUR, max_bytes=9)
    upkeep = Maintenance(layout, "c0", clock, storage)

    def expired(_: object, __: int, policy: RetentionPolicy, ___: object) -> ExpireReport:
        policies.append(policy)
        return ExpireReport()

    monkeypatch.setattr(maintenance, "expire_in_process", expired)
    clock.run(HOUR, step=ahead)
    upkeep.run_once()
    assert [(each.max_age, each.max_bytes) for each in policies] == [(max_age, 9)]
    assert ("too old is not known" in caplog.text) == (max_age == 0)


async def test_maintenance_is_due_once_an_hour_some_minutes_after_it_closed(layout: Layout, calls: list[str]) -> None:
    clock = ManualClock(START + HOUR // 2, jumps=True)
    times: list[int] = []

    def stop_after(count: int) -> Callable[[], None]:
        def once() -> None:
            times.append(clock.now() - START)
            if len(times) == count:
                raise EndError

        return once

    work = keeping(layout, clock)
    work.run_once = stop_after(3)  # type: ignore[method-assign]
    with pytest.raises(EndError):
        await work.run()
    assert [-(-at // SETTLED_AFTER) for at in times] == [7, 13, 25]


async def test_maintenance_goes_on_after_any_failure(layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    wrongs: list[BaseException] = [ValueError("strange"), ZeroDivisionError(), EndError()]

    def once() -> None:
        raise wrongs.pop(0)

    work = keeping(layout, ManualClock(START, jumps=True))
    work.run_once = once  # type: ignore[method-assign]
    with pytest.raises(EndError):
        await work.run()
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


@pytest.mark.parametrize(
    ("error", "again", "said"),
    [(SafetyError("busy"), 2, 0), (TransientError("full"), 2, 2), (ConfigError("no exchange"), 1, 1)],
)
def test_maintenance_that_fails_is_logged_and_retried(
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    again: int,
    said: int,
) -> None:
    tried = 0

    def fail(*_: object) -> CompactReport:
        nonlocal tried
        tried += 1
        raise error

    monkeypatch.setattr(maintenance, "compact_in_process", fail)
    work = keeping(layout, ManualClock(START))
    with caplog.at_level(logging.WARNING):
        work.run_once()
        work.run_once()
    assert (tried, len(caplog.records)) == (again, said)


def test_data_that_cannot_be_removed_is_logged(
    layout: Layout, calls: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> ExpireReport:
        raise TransientError("read-only")

    monkeypatch.setattr(maintenance, "expire_in_process", fail)
    with caplog.at_level(logging.WARNING):
        keeping(layout, ManualClock(START), compact=False, max_age=1).run_once()
    assert [line.getMessage() for line in caplog.records] == ["nothing was removed: read-only"]


def test_what_was_merged_is_measured_and_a_failure_of_that_is_logged(
    calls: list[str], layout: Layout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def measured(_layout: Layout, _merged: object, name: str, _stopping: object) -> None:
        calls.append(name)
        raise TransientError("a worker process ended without a word")

    monkeypatch.setattr(maintenance, "roll_up_in_process", measured)
    Maintenance(layout, "c0", ManualClock(START), StorageConfig(), roll_up="some.module:function").run_once()
    assert calls == ["compact", "some.module:function"]
    assert "the merged hours were not measured" in caplog.text
