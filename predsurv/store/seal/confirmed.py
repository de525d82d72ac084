"""Which local files may go because the bucket has them: seen there now, each with its digest.

That something was uploaded once says nothing about today: a bucket can be emptied, replaced, or written to by others.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.store import manifest
from predsurv.store.files import make_dirs, replace, sync_dir
from predsurv.store.layout import (
    FOLDERS,
    NS_HOUR,
    Layout,
    Partition,
    daily_logs,
    data_files,
    date_of,
    end_of,
    parse_file,
    start_of,
)
from predsurv.store.locks import publish_lock
from predsurv.store.manifest import SealedFile
from predsurv.store.remote.upload_journal import UploadRecord

ConfirmObjects = Callable[[Sequence[UploadRecord]], Collection[str]]
"""Returns the names of those objects that the bucket has as recorded; raises TransientError when it does not answer."""

CHUNK_FILES: Final = 256
"""Files that are asked for together; after a chunk in which one is not there, no more are."""

FILES_MAX: Final = 20_000
"""Files that one call asks for at most, unless a single hour has more; the next goes on from there."""


class ConfirmedFiles(Struct, frozen=True):
    """The files at ``paths`` are in the bucket too, among them all whose rows begin before ``cutoff`` (ns UTC).

    ``kept``: names of files that were due and are not in the bucket as they were sealed.
    """

    cutoff: int
    paths: frozenset[Path]
    kept: tuple[str, ...]


class _DueFile(NamedTuple):
    lo: int
    name: str


def sealed_files(layout: Layout) -> Iterator[tuple[Partition, Path]]:
    """Yield partition and path of every data file on disk."""
    for dataset in FOLDERS:
        for path in data_files(layout, dataset):
            yield parse_file(path)[0], path


def confirmed_files(layout: Layout, before: int, cutoff: int, confirm: ConfirmObjects) -> ConfirmedFiles:
    """Return which files that a ``cutoff`` (ns UTC) concerns are in the bucket, and the cutoff that this allows.

    ``before``: the cutoff until now; the one returned is later, unless something has to stay. A file that was merged
    here from others is there when all these are. Raises OSError, TransientError.
    """
    known = _listed(layout, date_of(cutoff))
    due = _due_files(layout, cutoff, known)
    paths: set[Path] = set()
    kept: list[_DueFile] = []
    done = 0
    while done < len(due) and not kept and (done < FILES_MAX or _hour_of(due[done]) <= before):
        chunk = due[done : done + CHUNK_FILES]
        seen = _seen([file.name for file in chunk], known, layout, confirm)
        paths.update(layout.data_dir / file.name for file in chunk if file.name in seen)
        kept += [file for file in chunk if file.name not in seen]
        done += len(chunk)
    earliest = min((_hour_of(file) for file in (*kept, *due[done : done + 1])), default=cutoff)
    return ConfirmedFiles(min(cutoff, earliest), frozenset(paths), tuple(f.name for f in kept))


def _hour_of(file: _DueFile) -> int:
    return file.lo // NS_HOUR * NS_HOUR


def put_back(layout: Layout) -> None:
    """Put back what a removal took out before it was interrupted: whether the bucket has it is to be seen anew.

    A file that no manifest knows by its content stays where it is.
    """
    taken = [path for path in layout.expired.glob("*/*") if path.is_file()]
    if not taken:
        return
    names = {file.blake2b: file.path for file in _listed(layout, "9999-12-31").values()}
    homes = [(path, names.get(manifest.digest(path))) for path in taken]  # read before the lock: others wait for it
    with publish_lock(layout.state, exclusive=True):
        for path, name in homes:
            if name is not None:
                target = layout.data_dir / name
                make_dirs(target.parent)
                replace(path, target)
                sync_dir(target.parent)
        for folder in layout.expired.iterdir():
            if not any(folder.iterdir()):
                folder.rmdir()


def _listed(layout: Layout, last: str) -> dict[str, SealedFile]:
    """Return the latest entry of every file up to the day ``last``, those that were replaced or removed included."""
    logs = (log for log in daily_logs(layout.manifest) if log.date <= last)
    return {file.path: file for log in logs for file in manifest.parse_lines(log.path.read_bytes())}


def _due_files(layout: Layout, cutoff: int, known: Mapping[str, SealedFile]) -> list[_DueFile]:
    """Return the files to delete, and the coverage to rewrite, in the order of their rows.

    In this order everything before an earlier cutoff comes before the first file that allows no later one.
    """
    due: list[_DueFile] = []
    for partition, path in sealed_files(layout):
        name = layout.relative(path)
        lo = known[name].lo if name in known else start_of(partition)
        cut = partition.dataset == "coverage" and partition.date == date_of(cutoff) and lo < cutoff
        if end_of(partition) <= cutoff or cut:
            due.append(_DueFile(lo, name))
    return sorted(due)


def _seen(names: Iterable[str], known: Mapping[str, SealedFile], layout: Layout, confirm: ConfirmObjects) -> set[str]:
    """Return those of ``names`` that the bucket has, itself or all files of which it was merged."""
    wanted = list(names)
    asked: set[str] = set()
    there: set[str] = set()
    asking = wanted
    while asking:
        asked.update(asking)
        records = [record for name in asking if (record := _record(name, known, layout)) is not None]
        there.update(confirm(records))
        parts = (part for name in asking if name not in there and name in known for part in known[name].replaces)
        asking = [part for part in dict.fromkeys(parts) if part not in asked]
    return {name for name in wanted if _is_there(name, there, known)}


def _is_there(name: str, there: Collection[str], known: Mapping[str, SealedFile]) -> bool:
    if name in there:
        return True
    parts = known[name].replaces if name in known else ()
    return bool(parts) and all(_is_there(part, there, known) for part in parts)


def _record(name: str, known: Mapping[str, SealedFile], layout: Layout) -> UploadRecord | None:
    """Return what the bucket should have under ``name``, None when that is not known any more."""
    if name in known:
        return UploadRecord(name, known[name].blake2b, known[name].bytes)
    path = layout.data_dir / name
    if not path.exists():
        return None
    return UploadRecord(name, manifest.digest(path), path.stat().st_size)
