"""What a bucket has of a folder's sealed files, and what it still has to get.

Kept apart from speaking to the bucket because this alone decides what is uploaded: what the manifest lists, less what
the journal of uploads lists. Nothing else remembers it, so whatever interrupts an upload is made good by looking again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, append_lines, make_dirs, sync_dir
from predsurv.store.layout import Layout, parse_file, segment_name, segments_of
from predsurv.store.manifest import SealedFile

MANIFESTS: Final = "manifest"
"""Folder of the bucket with one object per segment, stored after its files: without it a segment is incomplete."""

_MANIFEST_FILE = re.compile(r"(?P<collector>.+)-[0-9]{4}-[0-9]{2}-[0-9]{2}\.jsonl\Z")


class UploadRecord(Struct, frozen=True):
    """An object that the bucket has, by its name there and the digest of its content."""

    path: str
    blake2b: str
    bytes: int


class UploadBatch(Struct, frozen=True):
    """A sealed segment that the bucket does not have whole: all its ``files``, and those that are ``missing``."""

    collector: str
    segment: int
    files: tuple[SealedFile, ...]
    missing: tuple[SealedFile, ...]

    @property
    def name(self) -> str:
        """Return the name of the object that completes the segment."""
        return manifest_name(self.collector, self.segment)

    @property
    def text(self) -> bytes:
        """Return what that object holds: the manifest lines of the segment."""
        return b"".join(msgspec.json.encode(file) + b"\n" for file in self.files)

    @property
    def date(self) -> str:
        """Return the latest date of its files, YYYY-MM-DD."""
        return max(date_of_file(file.path) for file in self.files)


_DECODER = msgspec.json.Decoder(UploadRecord)


def manifest_name(collector: str, segment: int) -> str:
    """Return the name of the manifest object of a segment."""
    return f"{MANIFESTS}/{collector}-{segment:012d}.jsonl"


def date_of_file(name: str) -> str:
    """Return the date (YYYY-MM-DD) of the data file ``name``."""
    return parse_file(Path(name))[0].date


def new_batch(collector: str, segment: int, files: Iterable[SealedFile]) -> UploadBatch:
    """Return a segment of which the bucket has nothing."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return UploadBatch(collector, segment, ordered, ordered)


def append(layout: Layout, collector: str, date: str, uploads: Iterable[UploadRecord]) -> None:
    """Append to the journal that the bucket has these objects of ``date``, durably; raises OSError."""
    text = b"".join(msgspec.json.encode(upload) + b"\n" for upload in uploads)
    make_dirs(layout.uploads, PRIVATE_DIR)
    append_lines(layout.uploads / f"{collector}-{date}.jsonl", b"\n" + text)
    sync_dir(layout.uploads)


def uploaded_names(layout: Layout, collector: str) -> set[str]:
    """Return the names that the bucket is known to have of ``collector``, without a line torn by a power cut."""
    names: set[str] = set()
    for path in _of(layout.uploads, collector):
        for line in path.read_bytes().splitlines():
            try:
                names.add(_DECODER.decode(line).path)
            except msgspec.MsgspecError:
                continue
    return names


def pending_batches(layout: Layout, collector: str) -> list[UploadBatch]:
    """Return what ``collector`` has sealed for good and the bucket does not have whole, oldest first.

    A segment that the log still holds may be sealed again and is left out. So is a file made here from others of which
    the bucket has any: what it says is there already.
    """
    known = uploaded_names(layout, collector)
    remade: set[str] = set()
    for path in _of(layout.manifest, collector):
        for file in manifest.parse_lines(path.read_bytes()):
            if any(name in known or name in remade for name in file.replaces):
                remade.add(file.path)
    unsealed = {path.name for path in segments_of(layout.wal, collector)}
    groups: defaultdict[int, list[SealedFile]] = defaultdict(list)
    for file in manifest.read(layout.manifest, collector=collector):
        segment = parse_file(Path(file.path))[1].segment
        if segment_name(collector, segment) not in unsealed and file.path not in remade:
            groups[segment].append(file)
    batches = [new_batch(collector, segment, groups[segment]) for segment in sorted(groups)]
    return [
        msgspec.structs.replace(each, missing=tuple(file for file in each.files if file.path not in known))
        for each in batches
        if each.name not in known
    ]


def earliest_pending(layout: Layout) -> int | None:
    """Return the earliest time (ns UTC) of any row that the bucket may not have, None when it has all."""
    collectors = {match["collector"] for path in layout.manifest.glob("*.jsonl") if (match := _named(path))}
    times = (file.lo for name in collectors for each in pending_batches(layout, name) for file in each.files)
    return min(times, default=None)


def replaced_files(layout: Layout) -> set[str]:
    """Return the files of all collectors that others took the place of here."""
    paths = sorted(layout.manifest.glob("*.jsonl"))
    return {name for path in paths for file in manifest.parse_lines(path.read_bytes()) for name in file.replaces}


def _of(folder: Path, collector: str) -> Iterator[Path]:
    for path in sorted(folder.glob(f"{collector}-*.jsonl")):
        match = _named(path)
        if match is not None and match["collector"] == collector:
            yield path


def _named(path: Path) -> re.Match[str] | None:
    return _MANIFEST_FILE.match(path.name)
