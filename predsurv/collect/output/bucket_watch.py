"""Look again at what was uploaded, a few objects at a time, and upload what is gone.

A bucket that somebody empties, or a lifecycle rule, tells nobody: that an object was stored once is no sign that it is.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.store import manifest
from predsurv.store.layout import Layout, daily_logs, parse_file
from predsurv.store.manifest import SealedFile
from predsurv.store.remote import upload_journal
from predsurv.store.remote.inspection import listed_below, states_of, unconfirmed
from predsurv.store.remote.object_store import Bucket, digest_of
from predsurv.store.remote.upload_journal import UploadRecord, new_batch, parse_records
from predsurv.store.universe import universe_files, universe_venues

LOOK_INTERVAL: Final = 60_000_000_000
"""How often (ns) a folder of the bucket is looked at; at once again while anything is missing."""

DAYS_AT_ONCE: Final = 2
"""Days that are looked at without pauses at the start: short recordings, each a new start, get further than a folder;
one that began before midnight has two."""

ASKED_MAX: Final = 256
"""Objects that one look asks for one by one, where the listing does not show that they are as uploaded."""


class WatchReport(Struct, frozen=True):
    """What one look found: objects ``checked``, newly ``missing`` ones (or different ones), how many were ``restored``.

    ``lost``: how many objects are known to be missing or different and could not be restored. ``example``: a newly
    missing one, None without. ``more``: whether to look again at once.
    """

    checked: int = 0
    missing: int = 0
    restored: int = 0
    lost: int = 0
    example: str | None = None
    more: bool = False


class _Group(Struct, frozen=True):
    """Objects that one listing shows."""

    folder: str
    records: Sequence[UploadRecord]


class _Universe(Struct, frozen=True):
    """A universe file here; ``over``: there is one of a later day, so that no scan adds to it."""

    path: Path
    name: str
    bytes: int
    over: bool


class BucketWatch:
    """Looks at the objects of one collector in turns, those of the latest day first. One event loop only."""

    def __init__(self, layout: Layout, collector: str, bucket: Bucket) -> None:
        self._layout = layout
        self._collector = collector
        self._bucket = bucket
        self._dates: deque[str] = deque()
        self._groups: deque[_Group] = deque()
        self._lost: set[str] = set()
        self._universes_there: set[str] = set()  # those that the bucket has had
        self._days_begun = 0

    def uploaded_universe(self, name: str) -> None:
        """Say that a universe file is in the bucket: should it be gone from now on, it was lost."""
        self._universes_there.add(name)

    async def look(self) -> WatchReport:
        """Look at the next group of objects and upload those that are gone and still here; raises TransientError.

        An object of another content is never replaced.
        """
        group = await self._next_group()
        if group is None:
            return await self._look_at_universes()
        listed = await listed_below(self._bucket, group.folder, group.records)
        doubtful = unconfirmed(group.records, listed)
        if rest := doubtful[ASKED_MAX:]:
            self._groups.appendleft(_Group(group.folder, rest))
        asked = doubtful[:ASKED_MAX]
        states = await states_of(self._bucket, asked)
        wrong = [record for record in asked if states[record.path] != "there"]
        new = [record.path for record in wrong if record.path not in self._lost]
        restored = await self._restore([record for record in wrong if states[record.path] == "missing"])
        looked = {record.path for record in group.records} - {record.path for record in rest}
        self._lost -= looked
        self._lost |= {record.path for record in wrong} - restored
        example = new[0] if new else None
        return WatchReport(len(looked), len(new), len(restored), len(self._lost), example, more=self._more(new))

    def _more(self, missing: Sequence[str]) -> bool:
        begun = self._days_begun
        return bool(missing or begun < DAYS_AT_ONCE or (begun == DAYS_AT_ONCE and self._groups))

    async def _next_group(self) -> _Group | None:
        """Return the next group, None at the end of a round."""
        while not self._groups:
            if not self._dates:
                logs = await asyncio.to_thread(lambda: list(daily_logs(self._layout.uploads, self._collector)))
                self._dates.extend(sorted((log.date for log in logs), reverse=True))
                self._dates.append("")
            date = self._dates.popleft()
            self._days_begun += 1
            if not date:
                self._days_begun = DAYS_AT_ONCE + 1
                return None
            self._groups.extend(await asyncio.to_thread(self._groups_of, date))
        return self._groups.popleft()

    def _groups_of(self, date: str) -> list[_Group]:
        """Return the groups of a day, the manifest objects last, so that these are restored after their files."""
        found: defaultdict[str, dict[str, UploadRecord]] = defaultdict(dict)
        for log in daily_logs(self._layout.uploads, self._collector, date):
            for record in parse_records(log.path.read_bytes()):
                found[_folder(record.path)][record.path] = record
        ordered = sorted(found, key=lambda folder: (folder == upload_journal.MANIFESTS, folder))
        return [_Group(folder, sorted(found[folder].values(), key=lambda each: each.path)) for folder in ordered]

    async def _restore(self, records: Iterable[UploadRecord]) -> set[str]:
        """Upload what is here as it was uploaded, and return the names of that."""
        restored: set[str] = set()
        segments: dict[str, bytes] | None = None
        for record in records:
            if _folder(record.path) == upload_journal.MANIFESTS:
                if segments is None:
                    segments = await asyncio.to_thread(self._manifest_texts)
                content = segments.get(record.path)
            else:
                content = await asyncio.to_thread(_content, self._layout.data_dir / record.path)
            if content is None or digest_of(content) != record.blake2b:
                continue
            try:
                await self._bucket.put_new(record.path, content, record.blake2b)
            except IntegrityError:
                continue
            restored.add(record.path)
        return restored

    def _manifest_texts(self) -> dict[str, bytes]:
        """Return the content of every manifest object as it was uploaded, by name."""
        uploaded = upload_journal.uploaded_names(self._layout, self._collector)
        files: defaultdict[int, dict[str, SealedFile]] = defaultdict(dict)
        for log in daily_logs(self._layout.manifest, self._collector):
            for file in manifest.parse_lines(log.path.read_bytes()):
                if file.path in uploaded:
                    files[parse_file(Path(file.path))[1].segment][file.path] = file
        batches = (new_batch(self._collector, segment, found.values()) for segment, found in files.items())
        return {batch.name: batch.text for batch in batches}

    async def _look_at_universes(self) -> WatchReport:
        """Upload the universe files that the bucket lacks, or has a smaller version of whose day is over.

        The scans upload a file that grows all day; the upload of its last version may have failed. Of the versions that
        several machines have of a day the largest stays.
        """
        here = await asyncio.to_thread(_universes, self._layout)
        if not here:
            return WatchReport(lost=len(self._lost))
        there = {each.name: each.bytes async for each in self._bucket.list("metadata")}
        new = [each for each in here if each.name not in there]  # of a day that began while recording, or lost
        gone = [each for each in new if each.name in self._universes_there]
        behind = [each for each in here if each.over and there.get(each.name, each.bytes) < each.bytes]
        for each in (*new, *behind):
            digest = await asyncio.to_thread(manifest.digest, each.path)
            await self._bucket.put(each.name, each.path, digest)
        self._universes_there.update(each.name for each in here)
        return WatchReport(len(here), len(gone), len(gone), len(self._lost), gone[0].name if gone else None)


def _folder(name: str) -> str:
    """Return the folder of the bucket whose listing shows the object ``name``: that of a day, or of the manifests."""
    parts = name.split("/")
    return parts[0] if parts[0] == upload_journal.MANIFESTS else "/".join(parts[:3])


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _universes(layout: Layout) -> list[_Universe]:
    found: list[_Universe] = []
    for venue in universe_venues(layout.data_dir):
        paths = list(universe_files(layout.data_dir, venue).values())
        for path in paths:
            with suppress(FileNotFoundError):  # retention has removed it just now
                found.append(_Universe(path, layout.relative(path), path.stat().st_size, over=path != paths[-1]))
    return found
