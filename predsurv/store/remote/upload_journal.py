"""The upload journal: which objects the bucket is known to have, and which sealed files are pending.

Pending is what the manifest lists less what the journal lists. There is no other state, so an interrupted upload
resumes from the two files.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, append_lines, make_dirs, sync_dir
from predsurv.store.layout import Layout, daily_log_path, daily_logs, parse_file, segment_name, segments_of
from predsurv.store.manifest import SealedFile

MANIFESTS: Final = "manifest"
"""Folder of the bucket with one object per segment, stored after its files: without it a segment is incomplete."""


class UploadRecord(Struct, frozen=True):
    """An object that the bucket has, by its name there and the digest of its content; ``md5`` is "" where not known."""

    path: str
    blake2b: str
    bytes: int
    md5: str = ""


class UploadBatch(Struct, frozen=True):
    """A sealed segment that is not completely uploaded: all its ``files``, and those that are ``missing``."""

    collector: str
    segment: int
    files: tuple[SealedFile, ...]
    missing: tuple[SealedFile, ...]

    @property
    def name(self) -> str:
        """Name of the manifest object, which completes the segment."""
        return manifest_name(self.collector, self.segment)

    @property
    def text(self) -> bytes:
        """Content of the manifest object: the manifest lines of the segment."""
        return b"".join(msgspec.json.encode(file) + b"\n" for file in self.files)

    @property
    def date(self) -> str:
        """Latest date of its files, YYYY-MM-DD."""
        return max(date_of_file(file.path) for file in self.files)


_DECODER = msgspec.json.Decoder(UploadRecord)


def manifest_name(collector: str, segment: int) -> str:
    """Return the name of the manifest object of a segment."""
    return f"{MANIFESTS}/{collector}-{segment:012d}.jsonl"


def date_of_file(name: str) -> str:
    """Return the date (YYYY-MM-DD) of the data file ``name``."""
    return parse_file(Path(name))[0].date


def new_batch(collector: str, segment: int, files: Iterable[SealedFile]) -> UploadBatch:
    """Return the batch of a segment of which nothing is uploaded."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return UploadBatch(collector, segment, ordered, ordered)


def append(layout: Layout, collector: str, date: str, uploads: Iterable[UploadRecord]) -> None:
    """Durably append ``uploads`` of ``date`` (YYYY-MM-DD) to the journal; raises OSError."""
    text = b"".join(msgspec.json.encode(upload) + b"\n" for upload in uploads)
    make_dirs(layout.uploads, PRIVATE_DIR)
    append_lines(daily_log_path(layout.uploads, collector, date), b"\n" + text)
    sync_dir(layout.uploads)


def uploaded_names(layout: Layout, collector: str) -> set[str]:
    """Return the names of the objects of ``collector`` in the journal, skipping a line torn by a power cut."""
    logs = daily_logs(layout.uploads, collector)
    return {record.path for log in logs for record in parse_records(log.path.read_bytes())}


def known_names(layout: Layout) -> set[str]:
    """Return the names of the data files of all collectors in the journals."""
    records = (record for log in daily_logs(layout.uploads) for record in parse_records(log.path.read_bytes()))
    return {record.path for record in records if not record.path.startswith(f"{MANIFESTS}/")}


def parse_records(text: bytes) -> Iterator[UploadRecord]:
    """Yield the record of each line of a journal, skipping blank and unreadable lines."""
    for line in text.splitlines():
        with suppress(msgspec.MsgspecError):
            yield _DECODER.decode(line)


def pending_batches(layout: Layout, collector: str) -> list[UploadBatch]:
    """Return the sealed segments of ``collector`` that are not completely uploaded, oldest first.

    A segment that the log still holds may be sealed again and is left out. So is a file merged here from others of
    which the bucket has any: it has their rows.
    """
    known = uploaded_names(layout, collector)
    merged: set[str] = set()
    for log in daily_logs(layout.manifest, collector):
        for file in manifest.parse_lines(log.path.read_bytes()):
            if any(name in known or name in merged for name in file.replaces):
                merged.add(file.path)
    unsealed = {path.name for path in segments_of(layout.wal, collector)}
    groups: defaultdict[int, list[SealedFile]] = defaultdict(list)
    for file in manifest.read(layout.manifest, collector=collector):
        segment = parse_file(Path(file.path))[1].segment
        if segment_name(collector, segment) not in unsealed and file.path not in merged:
            groups[segment].append(file)
    batches = [new_batch(collector, segment, groups[segment]) for segment in sorted(groups)]
    return [
        msgspec.structs.replace(each, missing=tuple(file for file in each.files if file.path not in known))
        for each in batches
        if each.name not in known
    ]


def earliest_pending(layout: Layout) -> int | None:
    """Return the earliest time (ns UTC) of any row that may not be uploaded, None when all are."""
    collectors = {log.collector for log in daily_logs(layout.manifest)}
    times = (file.lo for name in collectors for each in pending_batches(layout, name) for file in each.files)
    return min(times, default=None)


def replaced_files(layout: Layout) -> set[str]:
    """Return the files of all collectors that were replaced by merged ones in this folder."""
    texts = (log.path.read_bytes() for log in daily_logs(layout.manifest))
    return {name for text in texts for file in manifest.parse_lines(text) for name in file.replaces}
