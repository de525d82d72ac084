"""Upload sealed files to the bucket, beside the recording.

Recording goes on whatever happens here: the object store may be slow, unreachable for days, or refuse.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from predsurv.collect.output.bucket_watch import LOOK_INTERVAL, BucketWatch
from predsurv.collect.output.claim import CollectorClaim
from predsurv.collect.status import UploadStatus
from predsurv.core.errors import IntegrityError, PermanentError, SafetyError, TransientError
from predsurv.core.ids import VenueName
from predsurv.ports import Clock
from predsurv.store import manifest
from predsurv.store.layout import Layout, parse_segment
from predsurv.store.manifest import SealedFile
from predsurv.store.remote import upload_journal
from predsurv.store.remote.inspection import md5_of
from predsurv.store.remote.object_store import Bucket, digest_of
from predsurv.store.remote.upload_journal import UploadBatch, UploadRecord
from predsurv.store.seal.seal import SealReport
from predsurv.store.universe import latest_universe

FILES_AT_ONCE: Final = 4
"""Files uploaded at the same time; each is in memory meanwhile."""

POLL_INTERVAL: Final = 500_000_000
"""How often (ns) the queue of sealed segments is checked."""

SEGMENTS_QUEUED_MAX: Final = 10_000
"""Waiting segments held in memory; the rest is read from disk again once these are uploaded."""

RETRY_INTERVAL: Final = 1_000_000_000
RETRY_INTERVAL_MAX: Final = 60_000_000_000
"""Backoff (ns): RETRY_INTERVAL after the first failure, twice as long after each further one, up to this."""

CLAIM_SECONDS_MAX: Final = 4.0
"""How long the start waits for the checks that the store can be recorded to and that no other folder has this id."""

_REFUSED: Final = "nothing more is uploaded, files stay"
_LOG: Final = logging.getLogger(__name__)


class Uploader:
    """Uploads one collector's files to ``bucket``, segment by segment, oldest first. One event loop only.

    ``status`` is replaced with every change. ``at``: called with the name of each step before it, for fault injection.
    """

    def __init__(self, layout: Layout, collector: str, clock: Clock, bucket: Bucket) -> None:
        self.status = UploadStatus(bucket.url)
        self.at: Callable[[str], None] = lambda _: None
        self._layout = layout
        self._collector = collector
        self._clock = clock
        self._bucket = bucket
        self._universes: list[VenueName] = []
        self._queue: dict[int, UploadBatch] = {}
        self._uploaded: set[int] = set()
        self._more_on_disk = True  # than is queued: what an earlier run left
        self._claim = CollectorClaim(layout, collector, clock, bucket)
        self._watch = BucketWatch(layout, collector, bucket)
        self._look_due = 0

    async def begin(self, venues: Sequence[VenueName]) -> None:
        """Probe the store and claim the collector's id in it; the universes of ``venues`` are uploaded later.

        Raises SafetyError when the store does not honour conditional puts, or another folder has claimed the id. When
        the store cannot be reached that is retried later, before anything is uploaded.
        """
        self._universes = list(venues)
        try:
            async with asyncio.timeout(CLAIM_SECONDS_MAX):
                await self._claim.hold()
        except (TransientError, TimeoutError) as error:
            self._set_failed(str(error) or f"{self._bucket.url} does not answer")

    def add(self, report: SealReport) -> None:
        """Queue a segment that was just sealed."""
        segment = parse_segment(Path(report.segment))[1]
        if len(self._queue) >= SEGMENTS_QUEUED_MAX:
            self._more_on_disk = True
        elif report.files and segment not in self._uploaded:
            self._queue.setdefault(segment, upload_journal.new_batch(self._collector, segment, report.files))
            self._set_waiting()

    async def run(self) -> None:
        """Upload segments as they are sealed until cancelled, and look again at what was uploaded.

        A permanent refusal ends it and is kept in ``status``.
        """
        pause = RETRY_INTERVAL
        while True:
            try:
                await self._upload_queued()
                more = await self._look_again()
            except (TransientError, OSError) as error:
                self._set_failed(str(error))
                await self._clock.sleep(pause)
                pause = min(2 * pause, RETRY_INTERVAL_MAX)
            except (IntegrityError, SafetyError) as error:
                self._set_failed(str(error), _REFUSED)
                return
            else:
                pause = RETRY_INTERVAL
                if not more:
                    await self._clock.sleep(POLL_INTERVAL)

    async def finish(self, seconds: float) -> None:
        """Try once more, for ``seconds`` at most; what is left then is uploaded by the next start."""
        if self.status.refused:
            return
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._upload_queued()
        except (TransientError, OSError) as error:  # a timeout is among these
            self._set_failed(str(error) or f"{self._bucket.url} did not take everything in time", "files wait")
        except (IntegrityError, SafetyError) as error:
            self._set_failed(str(error), _REFUSED)

    async def _upload_queued(self) -> None:
        await self._refill()
        if await self._claim.hold():
            self._set_reachable()
        while self._universes:
            path = await asyncio.to_thread(latest_universe, self._layout.data_dir, self._universes[-1])
            if path is not None:
                await upload_universe(self._bucket, self._layout, path)
                self._watch.uploaded_universe(self._layout.relative(path))
                self._set_reachable()
            self._universes.pop()
        while self._queue:
            segment = min(self._queue)
            try:
                await self._upload(self._queue[segment])
            except PermanentError as error:
                _LOG.warning("%s; its segment is left out until the next start", error)
                self.status = msgspec.structs.replace(self.status, failures=self.status.failures + 1)
            self._uploaded.add(segment)
            self._queue.pop(segment)
            self._set_reachable()
            if not self._queue:
                await self._refill()

    async def _refill(self) -> None:
        """Queue what waits on disk, as far as there is room."""
        while self._more_on_disk and not self._queue:
            self._more_on_disk = False  # before reading: what is sealed meanwhile may not be found
            try:
                found = await asyncio.to_thread(upload_journal.pending_batches, self._layout, self._collector)
            except BaseException:
                self._more_on_disk = True
                raise
            for each in found:
                if len(self._queue) >= SEGMENTS_QUEUED_MAX:
                    self._more_on_disk = True
                    break
                if each.segment not in self._uploaded:
                    self._queue.setdefault(each.segment, each)
            self._set_waiting()

    async def _look_again(self) -> bool:
        """Look at some of what was uploaded, when that is due, and at the claim; return whether to look again at once.

        Raises SafetyError, TransientError.
        """
        if self._clock.monotonic() < self._look_due:
            return False
        await self._claim.renew()
        found = await self._watch.look()
        self._look_due = self._clock.monotonic() + (0 if found.more else LOOK_INTERVAL)
        before = self.status
        self.status = msgspec.structs.replace(
            before,
            remote_checked=before.remote_checked + found.checked,
            remote_missing=before.remote_missing + found.missing,
            remote_restored=before.remote_restored + found.restored,
            remote_lost=found.lost,
        )
        if found.missing:
            lost = found.missing - found.restored
            outlook = f"{lost} cannot be uploaded again: see 'predsurv verify --remote'" if lost else "uploaded again"
            level = logging.ERROR if lost else logging.WARNING
            _LOG.log(
                level,
                "%s does not have %d objects as they were uploaded, such as %s; %s",
                *(self._bucket.url, found.missing, found.example, outlook),
            )
        return found.more

    async def _upload(self, batch: UploadBatch) -> None:
        """Upload a segment: its files, the journal line of each, then the manifest object that completes it."""
        limit = asyncio.Semaphore(FILES_AT_ONCE)

        async def upload(file: SealedFile) -> UploadRecord:
            async with limit:
                content = await asyncio.to_thread(_content, self._layout.data_dir / file.path, file)
                await self._bucket.put_new(file.path, content, file.blake2b)
                return UploadRecord(file.path, file.blake2b, file.bytes, await asyncio.to_thread(md5_of, content))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(upload(file)) for file in batch.missing]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self.at("journal")
        dates: dict[str, list[UploadRecord]] = {}
        for task in tasks:
            dates.setdefault(upload_journal.date_of_file(task.result().path), []).append(task.result())
        for date, lines in dates.items():
            await asyncio.to_thread(upload_journal.append, self._layout, self._collector, date, lines)
        self.at("manifest")
        whole = UploadRecord(batch.name, digest_of(batch.text), len(batch.text), md5_of(batch.text))
        await self._bucket.put_new(whole.path, batch.text, whole.blake2b)
        self.at("complete")
        await asyncio.to_thread(upload_journal.append, self._layout, self._collector, batch.date, [whole])
        size = self.status.bytes + sum(file.bytes for file in batch.missing)
        self.status = msgspec.structs.replace(self.status, bytes=size)

    def _set_waiting(self) -> None:
        waiting = sum(max(len(each.missing), 1) for each in self._queue.values())
        self.status = msgspec.structs.replace(self.status, waiting=waiting)

    def _set_reachable(self) -> None:
        self._set_waiting()
        if self.status.trouble is not None:
            _LOG.warning("%s can be reached again; %d files wait", self._bucket.url, self.status.waiting)
            self.status = msgspec.structs.replace(self.status, trouble=None)

    def _set_failed(self, reason: str, outlook: str = "recording goes on, files wait") -> None:
        refused = outlook == _REFUSED
        if self.status.trouble is None or refused:
            level = logging.ERROR if refused else logging.WARNING
            _LOG.log(level, "%s; %s in %s", reason, outlook, self._layout.data_dir)
        failures = self.status.failures + 1
        self.status = msgspec.structs.replace(self.status, trouble=reason, failures=failures, refused=refused)


async def upload_universe(bucket: Bucket, layout: Layout, path: Path) -> None:
    """Put the universe file at ``path`` into the bucket in place of an earlier one; raises TransientError."""
    digest = await asyncio.to_thread(manifest.digest, path)
    await bucket.put(path.relative_to(layout.data_dir).as_posix(), path, digest)


def _content(path: Path, file: SealedFile) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise PermanentError(f"{file.path} is gone and cannot be uploaded") from None
    if digest_of(content) != file.blake2b:
        raise PermanentError(f"{file.path} is not what was sealed and is not uploaded: run 'predsurv verify'")
    return content
