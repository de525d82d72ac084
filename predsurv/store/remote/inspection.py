"""Look at objects again: are they there, and are they still what was uploaded?

An object is known by the digest that its metadata states, and by its size. A listing says as much only where its etag
is the MD5 of the content, which holds for neither encrypted nor multipart objects: it can confirm, and never accuse.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from predsurv.core.errors import IntegrityError
from predsurv.store.remote.bounded import map_bounded
from predsurv.store.remote.object_store import Bucket, StoredObject, digest_of
from predsurv.store.remote.upload_journal import UploadRecord

ObjectState = Literal["there", "missing", "different"]


async def states_of(bucket: Bucket, records: Sequence[UploadRecord]) -> dict[str, ObjectState]:
    """Return by name what each object is now, asking for every one; raises TransientError.

    One whose metadata states no digest is read whole.
    """
    states = await map_bounded(records, lambda record: _state_of(bucket, record))
    return {record.path: state for record, state in zip(records, states, strict=True)}


async def _state_of(bucket: Bucket, record: UploadRecord) -> ObjectState:
    try:
        found = await bucket.head(record.path)
        if found.bytes != record.bytes:
            return "different"
        digest = found.digest if found.digest is not None else digest_of(await bucket.read(record.path))
    except FileNotFoundError:
        return "missing"
    except IntegrityError:
        return "different"
    return "there" if digest == record.blake2b else "different"


def unconfirmed(records: Iterable[UploadRecord], listed: Mapping[str, StoredObject]) -> list[UploadRecord]:
    """Return those of ``records`` that a listing does not show to be there as uploaded: they have to be asked for."""
    return [record for record in records if not _is_listed(record, listed.get(record.path))]


def _is_listed(record: UploadRecord, found: StoredObject | None) -> bool:
    return found is not None and found.bytes == record.bytes and bool(record.md5) and found.etag == record.md5


def md5_of(content: bytes) -> str:
    """Return the MD5 of ``content`` in hex: what stores tell as the etag of a plain object."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


async def listed_below(bucket: Bucket, folder: str, records: Sequence[UploadRecord]) -> dict[str, StoredObject]:
    """Return what a listing of ``folder`` shows from the first to the last of ``records`` by name."""
    names = sorted(record.path for record in records)
    found: dict[str, StoredObject] = {}
    async for each in bucket.list(folder, after=names[0].rpartition(".")[0]):
        if each.name > names[-1]:
            break
        found[each.name] = each
    return found
