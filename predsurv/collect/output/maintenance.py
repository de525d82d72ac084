"""Merge closed hours and remove expired files, beside the recording.

A failure is logged and retried an hour later; it never ends a run.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Event
from typing import Final

from predsurv.collect.output.maintenance_worker import (
    compact_in_process,
    expire_in_process,
    roll_up_in_process,
)
from predsurv.config import StorageConfig
from predsurv.core.errors import ConfigError, PredsurvError, SafetyError, TransientError
from predsurv.ports import Clock
from predsurv.store.layout import Layout
from predsurv.store.remote.inspection import ObjectState, states_of
from predsurv.store.remote.object_store import Bucket
from predsurv.store.remote.upload_journal import UploadRecord
from predsurv.store.seal.retention import RetentionPolicy

HOUR: Final = 3_600 * 1_000_000_000

SETTLED_AFTER: Final = 300_000_000_000
"""Maintenance begins so long (ns) after a full hour, and after the start: the hour is sealed then, coverage too."""

JUMP_MAX: Final = HOUR
"""After jumps ahead of the machine's clock by more than this (ns) in all, nothing is removed for its age: a clock that
is wrong for some seconds would cost all that was recorded."""

CHECK_INTERVAL: Final = 10_000_000_000
"""How often (ns) to check whether something is due."""

STOP_POLL_SECONDS: Final = 0.1
"""How often to check, while the bucket is asked, whether the recording stops."""

_LOG: Final = logging.getLogger(__name__)


class Maintenance:
    """Maintenance of one collector's files as configured in ``storage``.

    With a ``bucket`` nothing is merged, since objects there cannot be swapped atomically, and nothing is removed
    that is not seen there at that time.
    """

    def __init__(
        self,
        layout: Layout,
        collector: str,
        clock: Clock,
        storage: StorageConfig,
        *,
        bucket: Bucket | None = None,
        roll_up: str | None = None,
    ) -> None:
        """``roll_up``: the name of what measures merged hours (``maintenance_worker``); None: nobody does."""
        self._layout = layout
        self._collector = collector
        self._clock = clock
        self._storage = storage
        self._compacts = storage.compact and bucket is None
        self._bucket = bucket
        self._roll_up = roll_up
        self._began = clock.now() - clock.monotonic()
        self._stopping = Event()

    async def run(self) -> None:
        """Do what is due every hour, until cancelled."""
        done = -1
        began = self._clock.monotonic()
        try:
            while True:
                hour = (self._clock.now() - SETTLED_AFTER) // HOUR
                if hour != done and self._clock.monotonic() - began >= SETTLED_AFTER:
                    done = hour
                    await asyncio.to_thread(self._attempt)
                await self._clock.sleep(CHECK_INTERVAL)
        finally:
            self._stopping.set()

    def _attempt(self) -> None:
        try:
            self.run_once()
        except Exception:  # a defect here must not end the recording
            _LOG.exception("upkeep of the files failed: it is tried again in an hour")

    def run_once(self) -> None:
        """Merge and remove what is due now; what fails is logged and retried in the next hour."""
        if self._compacts:
            self._compact()
        if (self._storage.max_age or self._storage.max_bytes) and not self._stopping.is_set():
            self._expire()

    def _compact(self) -> None:
        level = self._storage.compression_level
        try:
            report = compact_in_process(self._layout, self._collector, level, self._stopping)
        except SafetyError:
            return  # another process is doing it
        except ConfigError as error:
            self._compacts = False
            _LOG.warning("hours stay in many files: %s", error)
            return
        except PredsurvError as error:
            _LOG.warning("%s", error)
            return
        for what in report.damaged:
            _LOG.warning("an hour stays in many files: %s", what)
        if report.hours:
            _LOG.info("merged %d files of %d closed hours and days", report.files, report.hours)
        if self._roll_up is None or self._stopping.is_set():
            return
        try:
            roll_up_in_process(self._layout, report.merged, self._roll_up, self._stopping)
        except PredsurvError as error:
            _LOG.warning("the merged hours were not measured; 'predsurv mine' will: %s", error)

    def _expire(self) -> None:
        storage, bucket = self._storage, self._bucket
        confirm = None if bucket is None else partial(confirmed_objects, bucket, self._stopping)
        ahead = self._clock.now() - self._clock.monotonic() - self._began
        max_age = storage.max_age
        if max_age and ahead > JUMP_MAX:
            _LOG.warning(
                "the machine's clock is %.0f h ahead of where it was at the start: what is too old is not known, and "
                "stays; set the clock, or start again if it is right",
                ahead / HOUR,
            )
            max_age = 0
        policy = RetentionPolicy(max_age, storage.max_bytes, storage.compression_level, confirm)
        try:
            report = expire_in_process(self._layout, self._clock.now(), policy, self._stopping)
        except PredsurvError as error:
            if not self._stopping.is_set():
                _LOG.warning("nothing was removed: %s", error)
            return
        if report.files:
            _LOG.info("removed %d files, %d bytes, that were too old or too much", report.files, report.bytes)
        if report.kept and bucket is not None:
            _LOG.error(
                "%d files that are due stay, since %s does not have them as they were sealed, such as %s: run "
                "'predsurv verify --remote'",
                len(report.kept),
                bucket.url,
                report.kept[0],
            )


def confirmed_objects(bucket: Bucket, stopping: Event, records: Sequence[UploadRecord]) -> set[str]:
    """Return the names of those objects that ``bucket`` has now as recorded, from a thread without an event loop.

    Raises TransientError when it does not answer, or as soon as ``stopping`` is set.
    """
    states = asyncio.run(_states_until(stopping, bucket, records))
    return {name for name, state in states.items() if state == "there"}


async def _states_until(stopping: Event, bucket: Bucket, records: Sequence[UploadRecord]) -> Mapping[str, ObjectState]:
    looking = asyncio.create_task(states_of(bucket, records))
    try:
        while not looking.done():
            if stopping.is_set():
                raise TransientError("the recording stops")
            await asyncio.wait({looking}, timeout=STOP_POLL_SECONDS)
        return looking.result()
    finally:
        looking.cancel()
