"""The object-store client: put new, put over, list, get; the only user of ``obstore``, an optional dependency."""

import asyncio
import atexit
import hashlib
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from msgspec import Struct

from predsurv.core.errors import ConfigError, IntegrityError, TransientError
from predsurv.core.text import sanitise
from predsurv.store.layout import NS_SECOND

if TYPE_CHECKING:
    from obstore.store import ObjectStore

DIGEST: Final = "blake2b"
"""Name of the metadata that holds the BLAKE2b-256 of an object's content, in hex."""

CONNECT_SECONDS_MAX: Final = 5
RETRIES_MAX: Final = 2
RETRY_SECONDS_MAX: Final = 10
REQUEST_SECONDS_MIN: Final = 30.0
"""Time limit of every request, plus the time of its bytes at BYTES_PER_SECOND_MIN."""
BYTES_PER_SECOND_MIN: Final = 50_000
OBJECT_BYTES_MAX: Final = 4_000_000_000
"""Larger than any object of a recording; a store accepts at most 5 GB in one request."""
EXIT_SECONDS: Final = 0.1
CHUNK_BYTES: Final = 4 << 20
LISTING_BYTES: Final = 2_000_000
_NO_BUCKET: Final = "<Code>NoSuchBucket</Code>"
_REASON_CHARS: Final = 240
_STATUS: Final = re.compile(r"status code: (\d{3})")
_NOT_THIS_WAY: Final = ("400", "405", "501")
"""Answers that a repetition does not change: the store does not know this kind of request."""

PutResult = Literal["stored", "there"]


class RequestRejectedError(TransientError):
    """The store rejected the request as such: as bad, or as one that it does not implement."""


class BucketLocation(Struct, frozen=True):
    """Address of the objects: ``url`` is ``s3://bucket/prefix``; "" for ``endpoint`` or ``region``: the default."""

    url: str
    endpoint: str = ""
    region: str = ""


class StoredObject(Struct, frozen=True):
    """An object in a listing; ``modified`` in ns UTC; ``etag`` without quotes, "" when the store tells none."""

    name: str
    bytes: int
    modified: int
    etag: str = ""


class ObjectHead(Struct, frozen=True):
    """What the store says of an object without its content; ``digest``: from its metadata, None when it has none."""

    bytes: int
    digest: str | None


def open_bucket(place: BucketLocation) -> "Bucket":
    """Return the bucket at ``place`` without connecting.

    Credentials come from the environment or the machine's role. Raises ConfigError when the library is not installed
    or rejects the settings.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError:
        raise ConfigError(
            f"data_dir {place.url} needs a library more: run pip install '.[s3]' in the checkout"
        ) from None
    name, _, prefix = place.url.removeprefix("s3://").partition("/")
    settings = {"endpoint": place.endpoint, "region": place.region}
    try:
        store = S3Store(
            name,
            prefix=prefix or None,
            config={"disable_bulk_delete": True} | {key: value for key, value in settings.items() if value},  # type: ignore[arg-type]
            client_options={
                "allow_http": place.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS_MAX),
                "timeout": timedelta(seconds=_time_limit(OBJECT_BYTES_MAX)),
            },
            retry_config={
                "max_retries": RETRIES_MAX,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS_MAX),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )
    except BaseError as error:
        reason = f"{place.url} cannot be used: {_reason(error)}"
        raise ConfigError(f"{reason}; correct [object_store] or the AWS_ variables") from None
    _wait_at_exit()
    return Bucket(store, place.url)


@cache
def _wait_at_exit() -> None:
    """Give the library's threads EXIT_SECONDS when the interpreter ends, once.

    A thread of theirs that asks for the interpreter's lock after that aborts the process: up to one exit in three.
    """
    atexit.register(lambda: Event().wait(EXIT_SECONDS))


class Bucket:
    """The objects under one URL; every temporary failure is a TransientError within bounded time."""

    def __init__(self, store: "ObjectStore", url: str) -> None:
        import obstore  # open_bucket has imported it, or raised ConfigError

        self.url = url
        self._obstore = obstore
        self._store = store

    async def put_new(self, name: str, content: bytes, digest: str) -> PutResult:
        """Store an immutable object; "there" when it exists already.

        Raises IntegrityError when the store has a different object of this name.
        """
        attributes = {DIGEST: digest}
        try:
            async with self._bucket_request(name, len(content)):
                await self._obstore.put_async(
                    self._store, name, content, attributes=attributes, mode="create", use_multipart=False
                )
        except FileExistsError:
            if await self.digest(name) != digest:
                raise IntegrityError(
                    f"{self.url} has another {name} than this folder: two collectors of one id write to it; "
                    "give each a collector.id of its own"
                ) from None
            return "there"
        return "stored"

    async def put(self, name: str, path: Path, digest: str) -> PutResult:
        """Store the file ``path``, replacing an earlier object atomically; "there" when that is the same already."""
        with suppress(FileNotFoundError):
            if await self.digest(name) == digest:
                return "there"
        attributes = {DIGEST: digest}
        async with self._bucket_request(name, await asyncio.to_thread(os.path.getsize, path)):
            await self._obstore.put_async(self._store, name, path, attributes=attributes)
        return "stored"

    async def delete(self, name: str) -> None:
        """Delete an object; one that is not there is deleted already."""
        with suppress(FileNotFoundError):
            async with self._request(name, 0):
                await self._obstore.delete_async(self._store, name)

    async def head(self, name: str) -> ObjectHead:
        """Return what the store says of an object; raises FileNotFoundError."""
        async with self._request(name, 0):
            found = await self._obstore.get_async(self._store, name, options={"head": True})
        return ObjectHead(found.meta["size"], found.attributes.get(DIGEST))

    async def digest(self, name: str) -> str:
        """Return the digest of an object from its metadata, else of its content; raises FileNotFoundError."""
        stated = (await self.head(name)).digest
        return stated if stated is not None else digest_of(await self.read(name))

    async def read(self, name: str) -> bytes:
        """Return the content of a small object; raises FileNotFoundError, IntegrityError when its digest differs."""
        async with self._request(name, 0):
            found = await self._obstore.get_async(self._store, name)
        async with self._request(name, found.meta["size"]):
            content = bytes(await found.bytes_async())
        if found.attributes.get(DIGEST, digest_of(content)) != digest_of(content):
            raise IntegrityError(f"{self.url}/{name} is not what was stored: its digest differs")
        return content

    async def get(self, name: str, draft: Path, digest: str | None = None) -> int:
        """Download an object into the new file ``draft``, durably, and return its size in bytes.

        Raises FileNotFoundError, IntegrityError when it does not match ``digest`` (None: that of its metadata).
        """
        async with self._request(name, 0):
            found = await self._obstore.get_async(self._store, name)
        expected = digest or found.attributes.get(DIGEST)
        state = hashlib.blake2b(digest_size=32)
        size = 0
        with draft.open("xb") as file:
            async with self._request(name, found.meta["size"]):
                async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                    block = bytes(chunk)
                    size += len(block)
                    await asyncio.to_thread(_append_block, block, state, file)
            await asyncio.to_thread(os.fsync, file.fileno())
        if expected is not None and state.hexdigest() != expected:
            raise IntegrityError(f"{self.url}/{name} is not what was stored: its digest is another")
        return size

    async def list(self, prefix: str, after: str | None = None) -> AsyncIterator[StoredObject]:
        """Yield every object below the folder ``prefix``, those whose name follows ``after`` where that is given."""
        pages = self._obstore.list(self._store, prefix, offset=after)
        while True:
            page = None
            async with self._bucket_request(prefix, 0):
                page = await anext(pages, None)
            if page is None:
                return
            for each in page:
                modified = int(each["last_modified"].timestamp()) * NS_SECOND
                yield StoredObject(each["path"], each["size"], modified, (each["e_tag"] or "").strip('"'))

    async def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders in ``prefix``, sorted."""
        async with self._bucket_request(prefix, LISTING_BYTES):
            found = await self._obstore.list_with_delimiter_async(self._store, prefix)
        return sorted(name.rpartition("/")[2] for name in found["common_prefixes"])

    @asynccontextmanager
    async def _bucket_request(self, name: str, size: int) -> AsyncIterator[None]:
        """Make a request that a missing bucket alone can answer with "not found"; raises TransientError then."""
        try:
            async with self._request(name, size):
                yield
        except FileNotFoundError:
            raise TransientError(f"{self.url}: there is no such bucket; create it, or correct data_dir") from None

    @asynccontextmanager
    async def _request(self, name: str, size: int) -> AsyncIterator[None]:
        """Limit the time of a request about ``size`` bytes and translate the library's errors."""
        errors = self._obstore.exceptions
        try:
            async with asyncio.timeout(_time_limit(size)):
                yield
        except errors.AlreadyExistsError:
            raise FileExistsError(name) from None
        except (FileNotFoundError, errors.NotFoundError):
            raise FileNotFoundError(f"{self.url}/{name} is not there") from None
        except TimeoutError:
            raise TransientError(f"{self.url} does not answer about {name}: check the network") from None
        except errors.BaseError as error:
            if _NO_BUCKET in str(error):
                raise FileNotFoundError(self.url) from None
            status = _STATUS.search(str(error))
            kind = RequestRejectedError if status is not None and status[1] in _NOT_THIS_WAY else TransientError
            raise kind(f"{self.url} cannot be used: {_reason(error)}") from None


def _time_limit(size: int) -> float:
    """Return the time limit in seconds of a request about ``size`` bytes."""
    return REQUEST_SECONDS_MIN + size / BYTES_PER_SECOND_MIN


def digest_of(content: bytes) -> str:
    """Return the BLAKE2b-256 of ``content`` in hex, as manifests hold it of files."""
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def _append_block(block: bytes, state: hashlib.blake2b, file: BinaryIO) -> None:
    state.update(block)
    file.write(block)
    file.flush()


def _reason(error: Exception) -> str:
    """Return the first line of the library's message; the others show its source code."""
    return sanitise((str(error).splitlines() or [type(error).__name__])[0], _REASON_CHARS)
