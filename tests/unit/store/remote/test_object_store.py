"""Objects are stored once, compared when they exist, and checked by digest when they are read."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from predsurv.core.errors import ConfigError, IntegrityError, TransientError
from predsurv.store.remote import object_store as module
from predsurv.store.remote.object_store import DIGEST, Bucket, BucketLocation, digest_of, open_bucket

X = digest_of(b"x")


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(MemoryStore(), "s3://b/p")


async def test_an_object_is_stored_once(bucket: Bucket) -> None:
    assert await bucket.put_new("a/b", b"x", X) == "stored"
    assert await bucket.put_new("a/b", b"x", X) == "there"
    with pytest.raises(IntegrityError, match=r"two collectors of one id"):
        await bucket.put_new("a/b", b"y", digest_of(b"y"))
    assert await bucket.read("a/b") == b"x"


async def test_an_object_without_a_digest_is_read_to_compare_it(bucket: Bucket) -> None:
    await bucket._obstore.put_async(bucket._store, "a", b"x")
    assert await bucket.put_new("a", b"x", X) == "there"


async def test_an_object_may_be_put_over(bucket: Bucket, tmp_path: Path) -> None:
    path = tmp_path / "universe"
    for content, expected in ((b"1", "stored"), (b"1", "there"), (b"2", "stored")):
        path.write_bytes(content)
        assert await bucket.put("u", path, digest_of(content)) == expected
        assert await bucket.read("u") == content


async def test_an_object_with_a_wrong_digest_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    await bucket._obstore.put_async(bucket._store, "a", b"x", attributes={DIGEST: digest_of(b"y")})
    for number, digest in enumerate((None, digest_of(b"y"), digest_of(b"z"))):
        with pytest.raises(IntegrityError, match="its digest is another"):
            await bucket.get("a", tmp_path / str(number), digest)
    with pytest.raises(IntegrityError):
        await bucket.read("a")
    assert await bucket.get("a", tmp_path / "right", X) == 1
    assert (tmp_path / "right").read_bytes() == b"x"


async def test_a_missing_object_or_bucket_is_reported(bucket: Bucket, tmp_path: Path) -> None:
    for asked in (bucket.read("n"), bucket.digest("n"), bucket.get("n", tmp_path / "n")):
        with pytest.raises(FileNotFoundError):
            await asked


async def test_folders_and_objects_are_listed(bucket: Bucket) -> None:
    for name in ("c/v=1/d=1/x", "c/v=1/d=2/y", "cc/v=2/z"):
        await bucket.put_new(name, b"x", X)
    assert [(each.name, each.bytes) async for each in bucket.list("c")] == [("c/v=1/d=1/x", 1), ("c/v=1/d=2/y", 1)]
    assert await bucket.folders("c/v=1") == ["d=1", "d=2"]
    assert await bucket.folders("") == ["c", "cc"]
    assert await bucket.folders("none") == []


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_a_store_that_never_answers_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    monkeypatch.setattr(module, "REQUEST_SECONDS_MIN", 0.1)
    monkeypatch.setattr(module, "LISTING_BYTES", 0)
    mute = open_bucket(BucketLocation("s3://bucket/p", silent))
    for asked in (mute.put_new("a", b"", X), mute.read("a"), mute.folders("")):
        with pytest.raises(TransientError, match="does not answer"):
            await asyncio.wait_for(asked, 20)


def test_the_time_limit_grows_with_the_size_of_a_request() -> None:
    assert module._time_limit(0) == module.REQUEST_SECONDS_MIN
    assert module._time_limit(64_000_000) > 1_000


def test_settings_that_the_library_rejects_are_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "rubbish")
    with pytest.raises(ConfigError, match="correct"):
        open_bucket(BucketLocation("s3://bucket"))
