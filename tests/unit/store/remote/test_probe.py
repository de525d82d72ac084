"""A store is recorded to only when it shows that it never replaces an object when asked not to."""

import asyncio
import sys
from collections.abc import Iterator

import pytest

from predsurv.core.errors import SafetyError, TransientError
from predsurv.store.remote.object_store import Bucket, BucketLocation, open_bucket
from predsurv.store.remote.probe import StoreTraits, probe_store
from tests.kit.patience import PATIENCE_S
from tests.kit.scripted_store import BUCKET, ScriptedStore, StoredContent, scripted_store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    with scripted_store() as running:
        yield running


@pytest.fixture
def bucket(store: ScriptedStore) -> Bucket:
    return open_bucket(BucketLocation(f"s3://{BUCKET}/p", store.endpoint))


async def test_a_store_that_honours_conditions_is_accepted_and_left_as_it_was(
    store: ScriptedStore, bucket: Bucket
) -> None:
    assert await probe_store(bucket, "c0") == StoreTraits(keeps_digests=True, deletes=True)
    assert store.names() == []
    assert len(store.asked) <= 6


async def test_a_store_that_replaces_objects_is_refused(store: ScriptedStore, bucket: Bucket) -> None:
    store.conditions = False
    with pytest.raises(SafetyError, match="does not honour conditional puts"):
        await probe_store(bucket, "c0")
    assert store.names() == []


@pytest.mark.parametrize("status", [400, 405, 501])
async def test_a_store_that_rejects_the_condition_is_refused(store: ScriptedStore, bucket: Bucket, status: int) -> None:
    store.condition_status = status
    with pytest.raises(SafetyError, match=rf"{status} .*knows no conditional puts"):
        await probe_store(bucket, "c0")


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_store_that_fails_for_now_is_asked_again_later(
    store: ScriptedStore, bucket: Bucket, status: int
) -> None:
    store.condition_status = status
    with pytest.raises(TransientError):
        await probe_store(bucket, "c0")


async def test_what_rejects_every_request_says_nothing_of_the_condition(store: ScriptedStore, bucket: Bucket) -> None:
    """Such as a wrong region, of which the answer is 400 too."""
    store.condition_status = 400
    store.forbidden = {"HEAD"}
    with pytest.raises(TransientError):
        await probe_store(bucket, "c0")


async def test_a_conflict_with_nothing_behind_it_is_asked_again_later(store: ScriptedStore, bucket: Bucket) -> None:
    store.condition_status = 409
    with pytest.raises(TransientError, match="is there and is not"):
        await probe_store(bucket, "c0")


async def test_one_answer_of_503_is_no_reason_to_refuse(store: ScriptedStore, bucket: Bucket) -> None:
    store.failing = 1
    assert (await probe_store(bucket, "c0")).deletes


async def test_without_the_right_to_delete_one_object_stays_and_serves_the_next_probe(
    store: ScriptedStore, bucket: Bucket
) -> None:
    store.forbidden = {"DELETE", "POST"}
    for _ in range(3):
        assert await probe_store(bucket, "c0") == StoreTraits(keeps_digests=True, deletes=False)
    assert store.names() == ["p/probe/c0"]
    store.conditions = False
    with pytest.raises(SafetyError):
        await probe_store(bucket, "c0")
    store.conditions = True
    assert not (await probe_store(bucket, "c0")).deletes, "what a failed probe left serves too"


async def test_a_store_without_metadata_is_accepted_and_said(store: ScriptedStore, bucket: Bucket) -> None:
    store.metadata = False
    assert await probe_store(bucket, "c0") == StoreTraits(keeps_digests=False, deletes=True)


async def test_a_store_that_forgets_or_changes_what_it_stored_is_refused(
    store: ScriptedStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put

    def changed(name: str, content: bytes, metadata: dict[str, str]) -> str:
        put(name, content[:-1], metadata)
        return store.objects[name].etag

    monkeypatch.setattr(store, "put", changed)
    with pytest.raises(SafetyError, match="another content than was stored"):
        await probe_store(bucket, "c0")
    store.objects["p/probe/c1"] = StoredContent(b"of somebody else", {}, "e")
    with pytest.raises(SafetyError, match="another content than was stored"):
        await probe_store(bucket, "c1")


async def test_programs_that_used_a_bucket_end_with_their_own_exit_code() -> None:
    """The library's threads abort a process that ends while they ask for the interpreter's lock: one in three."""
    script = (
        "import asyncio\n"
        "from predsurv.core.errors import TransientError\n"
        "from predsurv.store.remote.object_store import BucketLocation, open_bucket\n"
        "bucket = open_bucket(BucketLocation('s3://b/p', 'http://127.0.0.1:9'))\n"
        "try:\n"
        "    asyncio.run(bucket.folders(''))\n"
        "except TransientError:\n"
        "    raise SystemExit(7)\n"
    )
    started = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(12)]
    async with asyncio.timeout(PATIENCE_S):
        assert [await process.wait() for process in started] == [7] * 12
