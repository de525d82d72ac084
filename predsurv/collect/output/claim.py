"""The claim of a collector's id in a bucket: segments are numbered per data folder, so one id may have only one."""

import asyncio
import logging
import secrets
from typing import Final

import msgspec

from predsurv.core.errors import IntegrityError, SafetyError
from predsurv.ports import Clock
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import Layout
from predsurv.store.remote.object_store import Bucket, digest_of
from predsurv.store.remote.probe import probe_store

_LOG: Final = logging.getLogger(__name__)


class CollectorClaim:
    """The object that says which data folder a collector's id belongs to, put after a probe of the store."""

    def __init__(self, layout: Layout, collector: str, clock: Clock, bucket: Bucket) -> None:
        self._layout = layout
        self._collector = collector
        self._clock = clock
        self._bucket = bucket
        self._name = f"collectors/{collector}.json"
        self._probed = False
        self._held = False

    async def hold(self) -> bool:
        """Probe the store and put the claim, once; return whether that was done now.

        Raises SafetyError when the store does not honour conditional puts, or when another folder was first.
        """
        if self._held:
            return False
        content = await asyncio.to_thread(_identity, self._layout, self._collector, self._clock.now())
        if not self._probed:
            traits = await probe_store(self._bucket, f"{self._collector}-{digest_of(content)[:16]}")
            if not traits.keeps_digests:
                _LOG.warning("%s keeps no metadata: to compare an object, it is read whole", self._bucket.url)
            self._probed = True
        try:
            await self._bucket.put_new(self._name, content, digest_of(content))
        except IntegrityError:
            raise SafetyError(
                f"collector.id {self._collector!r} is used by another data folder in {self._bucket.url}: "
                "two collectors of one id would mix their files; give this one another collector.id"
            ) from None
        self._held = True
        return True

    async def renew(self) -> None:
        """Put the claim again if it is gone; raises SafetyError when it is another folder's now."""
        content = await asyncio.to_thread(_identity, self._layout, self._collector, self._clock.now())
        try:
            self._held = await self._bucket.digest(self._name) == digest_of(content)
        except FileNotFoundError:
            self._held = False
        await self.hold()


def _identity(layout: Layout, collector: str, now: int) -> bytes:
    """Return the identity of this folder among those with a collector of this id; created when first needed."""
    path = layout.uploads / f"{collector}.claim"
    if not path.exists():
        make_dirs(layout.uploads, PRIVATE_DIR)
        token = secrets.token_hex(
            16
        )  # two folders may be claimed at one instant of coarse clocks, by processes of one id
        write_whole(path, msgspec.json.encode({"collector": collector, "claimed": now, "folder": token}))
    return path.read_bytes()
