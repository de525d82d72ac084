"""The probe of a store: whether it keeps what it was given, and never replaces it when asked not to.

A store that ignores the condition of a put answers as if all were well, while two collectors of one id overwrite each
other's files. Nothing but an attempt tells the two kinds apart.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.errors import IntegrityError, SafetyError, TransientError
from predsurv.store.remote.object_store import Bucket, RequestRejectedError, digest_of

PROBES: Final = "probe"
"""Folder of the bucket for the objects of probes."""

_WAY_OUT: Final = "files of collectors could replace each other there; use a store that does, or a folder as data_dir"


class StoreTraits(Struct, frozen=True):
    """What a store that can be recorded to is like.

    ``keeps_digests``: objects keep the digest in their metadata; without, looking at an object means reading it whole.
    ``deletes``: the credentials may delete, so that nothing is left of the probe.
    """

    keeps_digests: bool
    deletes: bool


async def probe_store(bucket: Bucket, prober: str) -> StoreTraits:
    """Put an object conditionally, try to replace it, read it back and remove it; five requests, of a few bytes.

    ``prober`` names the object: of one name, no two probes may run at the same time. One that an earlier probe left
    serves as well. Needs no more rights than recording: to put and get; deleting is tried only. Raises SafetyError when
    the store cannot be recorded to, TransientError when it cannot be asked.
    """
    name = f"{PROBES}/{prober}"
    first, second = (f"{text} probe of {prober}\n".encode() for text in ("first", "second"))
    try:
        found = (first,) if await _stored(bucket, name, first) else (first, second)
        if await _stored(bucket, name, second):
            await _removed(bucket, name)
            raise SafetyError(
                f"{bucket.url} does not honour conditional puts (If-None-Match: * replaced an object and answered "
                f"success): {_WAY_OUT}"
            )
    except RequestRejectedError as error:
        await _expect_requests_in_general(bucket, name)
        raise SafetyError(f"{error}: the store knows no conditional puts (If-None-Match: *): {_WAY_OUT}") from None
    keeps = await _read_back(bucket, name, found)
    return StoreTraits(keeps, await _removed(bucket, name))


async def _stored(bucket: Bucket, name: str, content: bytes) -> bool:
    """Return whether a conditional put of ``content`` was carried out."""
    try:
        return await bucket.put_new(name, content, digest_of(content)) == "stored"
    except IntegrityError:  # there is another object, which stayed
        return False
    except FileNotFoundError as error:
        raise TransientError(f"{bucket.url} says that the object of a probe is there and is not: {error}") from None


async def _read_back(bucket: Bucket, name: str, allowed: Sequence[bytes]) -> bool:
    """Return whether the object has its digest in the metadata; raises SafetyError when it is none of ``allowed``."""
    try:
        stated = (await bucket.head(name)).digest
        found = await bucket.read(name)
    except FileNotFoundError:
        raise SafetyError(f"{bucket.url} does not show an object that it has just stored: {_WAY_OUT}") from None
    except IntegrityError:
        stated, found = None, b""
    if found not in allowed:
        raise SafetyError(f"{bucket.url} returns another content than was stored: {_WAY_OUT}")
    return stated is not None


async def _removed(bucket: Bucket, name: str) -> bool:
    try:
        await bucket.delete(name)
    except TransientError:
        return False
    return True


async def _expect_requests_in_general(bucket: Bucket, name: str) -> None:
    """Raise TransientError when the store rejects other requests too: what is wrong then is not the condition."""
    try:
        await bucket.head(name)
    except FileNotFoundError:
        return
