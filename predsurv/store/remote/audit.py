"""Compare a whole bucket with what was uploaded to it, by names, sizes and digests; nothing is downloaded.

What should be there is told by the upload journals of this folder and, for all other segments, by their manifest
objects; for these too of which retention has removed the journal of one day and not of another. Days are compared one
at a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, Layout, daily_logs, is_date, parse_file
from predsurv.store.remote.bounded import map_bounded
from predsurv.store.remote.inspection import states_of, unconfirmed
from predsurv.store.remote.object_store import Bucket, StoredObject
from predsurv.store.remote.upload_journal import MANIFESTS, UploadRecord, date_of_file, manifest_name, parse_records

OnDay = Callable[[str, int], None]
"""Called with each date (YYYY-MM-DD) before it is compared and the number of objects compared until then."""


class RemoteFinding(Struct, frozen=True):
    """An object that is not as it should be; ``local``: whether this folder has it as it should be, None: not known."""

    state: Literal["missing", "different", "unknown"]
    name: str
    local: bool | None


class AuditReport(Struct, frozen=True):
    """Objects ``compared`` and what was found; ``incomplete``: data files of segments that are still being uploaded."""

    compared: int
    incomplete: int
    findings: tuple[RemoteFinding, ...]


async def audit_bucket(bucket: Bucket, layout: Layout, on_day: OnDay = lambda *_: None) -> AuditReport:
    """Compare everything in ``bucket`` with what should be there; raises TransientError."""
    audit = _Audit(bucket, layout)
    await audit.read_manifests()
    for date in sorted(await audit.dates()):
        on_day(date, audit.compared)
        await audit.compare_day(date)
    await audit.compare_manifests()
    return AuditReport(audit.compared, audit.incomplete, tuple(audit.findings))


class _Audit:
    """The comparison so far."""

    def __init__(self, bucket: Bucket, layout: Layout) -> None:
        self.compared = 0
        self.incomplete = 0
        self.findings: list[RemoteFinding] = []
        self._bucket = bucket
        self._layout = layout
        self._manifests: dict[str, StoredObject] = {}
        self._uploaded_manifests: dict[str, UploadRecord] = {}
        self._told: defaultdict[str, dict[str, UploadRecord]] = defaultdict(dict)  # by the manifests, by date and name
        self._read: set[str] = set()  # manifests

    async def read_manifests(self) -> None:
        """Read those manifest objects whose segments this folder did not upload."""
        self._uploaded_manifests = await asyncio.to_thread(_uploaded_manifests, self._layout)
        self._manifests = {each.name: each async for each in self._bucket.list(MANIFESTS)}
        foreign = [name for name in self._manifests if name not in self._uploaded_manifests]
        for name in await self._read_told(foreign):
            self._find("different", name, local=None)

    async def dates(self) -> set[str]:
        """Return every date that something should be there of, or is."""
        found = {log.date for log in daily_logs(self._layout.uploads)} | set(self._told)
        for folder in FOLDERS.values():
            for venue in await self._bucket.folders(folder):
                names = await self._bucket.folders(f"{folder}/{venue}")
                found |= {date for name in names if is_date(date := name.removeprefix("date="))}
        return found

    async def compare_day(self, date: str) -> None:
        """Compare the data objects of a day."""
        expected = await asyncio.to_thread(self._expected, date)
        listed = {each.name: each async for each in self._objects_of(date)}
        segments = {segment for name in listed.keys() - expected.keys() if (segment := self._segment(name)) is not None}
        await self._read_told(sorted(segments & self._uploaded_manifests.keys() & self._manifests.keys() - self._read))
        expected = self._told.get(date, {}) | expected
        await self._compare(expected, listed)
        own = await asyncio.to_thread(lambda: set(manifest.read_by_path(self._layout.manifest, date)))
        for name in sorted(listed.keys() - expected.keys()):
            segment = self._segment(name)
            if segment is None or segment in self._manifests:
                self._find("unknown", name, local=None)
            elif name not in own:
                self.incomplete += 1

    async def compare_manifests(self) -> None:
        """Compare the manifest objects that this folder uploaded."""
        await self._compare(self._uploaded_manifests, self._manifests)

    async def _compare(self, expected: Mapping[str, UploadRecord], listed: Mapping[str, StoredObject]) -> None:
        doubtful = unconfirmed(expected.values(), listed)
        self.compared += len(expected)
        for name, state in sorted((await states_of(self._bucket, doubtful)).items()):
            if state != "there":
                self._find(state, name, local=await asyncio.to_thread(_is_here, self._layout, expected[name]))

    def _expected(self, date: str) -> dict[str, UploadRecord]:
        found = dict(self._told.get(date, {}))
        for log in daily_logs(self._layout.uploads, date=date):
            records = parse_records(log.path.read_bytes())
            found |= {record.path: record for record in records if not record.path.startswith(f"{MANIFESTS}/")}
        return found

    async def _objects_of(self, date: str) -> AsyncIterator[StoredObject]:
        for folder in FOLDERS.values():
            for venue in await self._bucket.folders(folder):
                async for each in self._bucket.list(f"{folder}/{venue}/date={date}"):
                    yield each

    async def _read_told(self, names: Sequence[str]) -> list[str]:
        """Take in what manifest objects tell, and return the names of those that are damaged or gone meanwhile."""
        self._read.update(names)
        texts = await map_bounded(names, self._content)
        for text in texts:
            for file in manifest.parse_lines(text or b""):
                self._told[date_of_file(file.path)][file.path] = UploadRecord(file.path, file.blake2b, file.bytes)
        return [name for name, text in zip(names, texts, strict=True) if text is None]

    async def _content(self, name: str) -> bytes | None:
        """Return the content of a manifest object, None when it is damaged or gone meanwhile."""
        try:
            return await self._bucket.read(name)
        except (FileNotFoundError, IntegrityError):
            return None

    def _segment(self, name: str) -> str | None:
        """Return the manifest object of the segment that ``name`` is a data file of, None when it is none of ours."""
        try:
            partition, stamp = parse_file(Path(name))
            ours = self._layout.relative(self._layout.file(partition, stamp)) == name
        except ValueError:
            return None
        return manifest_name(stamp.collector, stamp.segment) if ours else None

    def _find(self, state: Literal["missing", "different", "unknown"], name: str, *, local: bool | None) -> None:
        self.findings.append(RemoteFinding(state, name, local))


def _uploaded_manifests(layout: Layout) -> dict[str, UploadRecord]:
    records = (record for log in daily_logs(layout.uploads) for record in parse_records(log.path.read_bytes()))
    return {record.path: record for record in records if record.path.startswith(f"{MANIFESTS}/")}


def _is_here(layout: Layout, record: UploadRecord) -> bool | None:
    if record.path.startswith(f"{MANIFESTS}/"):
        return None
    path = layout.data_dir / record.path
    return path.exists() and manifest.digest(path) == record.blake2b
