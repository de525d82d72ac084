"""Rows of data files as the compiled replay takes them, kept so that the next run over a recording need not decode it.

Made of files that a manifest lists and found by their digest, so that whatever changes makes other entries; nothing
else reads it, and it may be deleted at any time. An entry holds the rows in order of reception, then a header, the
header's length and digest; what is not whole, or of a file that was touched since, counts as not there.
"""

import mmap
import os
import shutil
import sys
from array import array
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from predsurv.core.ids import InstrumentKey
from predsurv.core.native import EDITION, speedups
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.tables import ReplayFile

REPLAY_CACHE: Final = "replay_cache"
"""Name of the folder in that of the state."""

_MAGIC: Final = b"psrows01"
_DIGEST_BYTES: Final = 32
_TRAILER_BYTES: Final = 8 + _DIGEST_BYTES + len(_MAGIC)
_PACKED_ROWS: Final = 16_384
"""Rows that are written at a time."""
_ROW_BYTES: Final = 56
_SHARED: Final = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)


class CacheEntry(Struct, frozen=True):
    """Where the rows of a data file are or would be, and that file's size and time of change (ns) before it is read."""

    path: Path
    bytes: int
    changed: int


class KeptRows(NamedTuple):
    """Rows in order, market id and instrument id by number, and the ids of the trades among them, None of books."""

    rows: Any
    ids: Mapping[int, tuple[str, str]]
    trade_ids: list[str | None] | None


class _Header(Struct, frozen=True, array_like=True):
    """``sums`` are over the rows; ``instruments``: market and instrument id, by what the rows call them."""

    bytes: int
    changed: int
    rows: int
    sums: tuple[int, int]
    instruments: list[tuple[str, str]]
    trade_ids: list[str | None] | None


class ReplayCache:
    """Keeps rows in ``folder``, together at most ``bytes_max``: what was not used for longest makes room.

    What this process used stays, so that a run over more than fits keeps its first part instead of replacing it in
    turn. Nothing is kept while less than ``bytes_max`` would be left free on the disk, or where writing fails.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self._folder, self._bytes_max = folder, bytes_max
        self._used: set[str] = set()
        self._digests: dict[int, tuple[Set[InstrumentKey], str]] = {}  # by identity, of few sets for many files
        self._others: list[tuple[int, Path]] | None = None  # size and path, those used last at the end
        self._total = 0

    def entry(self, source: ReplayFile, query: ReplayQuery) -> CacheEntry | None:
        """Return the entry of what ``query`` reads of a file, None for one that no manifest lists, or that is gone."""
        if source.content is None:
            return None
        try:
            found = source.path.stat()
        except OSError:
            return None
        lo, hi = max(query.start, source.lo), min(query.end - 1, source.hi)
        parts = [EDITION, sys.byteorder, source.dataset, source.path.name, source.content, lo, hi]
        parts.append("all" if query.instruments is None else self._digest_of(query.instruments))
        name = blake2b("\n".join(map(str, parts)).encode(), digest_size=20).hexdigest()
        return CacheEntry(self._folder / f"{name}.rows", found.st_size, found.st_mtime_ns)

    def find(self, entry: CacheEntry, number_of: Callable[[str, str], int]) -> Any:
        """Return the rows (``NativeRows``) of an entry, None when it is not there or cannot be used.

        ``number_of`` returns the number of an instrument by market id and instrument id.
        """
        try:
            with entry.path.open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, flags=_SHARED, prot=mmap.PROT_READ)
            header = _header_of(content)
            if header is None or (header.bytes, header.changed) != (entry.bytes, entry.changed):
                return None
            numbers = [number_of(*ids) for ids in header.instruments]
            assert speedups is not None  # noqa: S101 - rows are compiled
            rows = speedups.NativeRows.map(content, 0, header.rows, header.sums, numbers, header.trade_ids)
            os.utime(entry.path)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        self._used.add(entry.path.name)
        return rows

    def keep(self, entry: CacheEntry, made: KeptRows) -> None:
        """Write an entry. Does nothing where that fails."""
        draft = entry.path.with_suffix(f".{os.getpid()}.draft")
        try:
            make_dirs(self._folder, PRIVATE_DIR)
            if not self._make_room(len(made.rows) * _ROW_BYTES):
                return
            with draft.open("wb") as file:
                _write(file, entry, made)
                size = file.tell()
            if not self._make_room(size):  # with the header, which is little where rows are many
                draft.unlink()
                return
            draft.replace(entry.path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return
        self._used.add(entry.path.name)
        self._total += size

    def _digest_of(self, instruments: Set[InstrumentKey]) -> str:
        known = self._digests.get(id(instruments))
        if known is None or known[0] is not instruments:
            names = sorted(f"{key.market_id}\0{key.instrument_id}" for key in instruments)
            known = instruments, blake2b("\n".join(names).encode(), digest_size=20).hexdigest()
            self._digests[id(instruments)] = known
        return known[1]

    def _make_room(self, size: int) -> bool:
        if shutil.disk_usage(self._folder).free - size < self._bytes_max:
            return False
        if self._others is None:
            with os.scandir(self._folder) as entries:
                found = sorted((each.stat().st_mtime_ns, each.stat().st_size, each.path) for each in entries)
            self._others = [(held, Path(path)) for _, held, path in found]
            self._total = sum(held for held, _ in self._others)
        while self._others and self._total + size > self._bytes_max:
            held, path = self._others.pop(0)
            if path.name not in self._used:
                path.unlink(missing_ok=True)
                self._total -= held
        return self._total + size <= self._bytes_max


def _write(file: Any, entry: CacheEntry, made: KeptRows) -> None:
    rows, ids, trade_ids = made
    places = array("i", [-1]) * (max(ids, default=0) + 1)
    for place, number in enumerate(ids):
        places[number] = place
    count = len(rows)
    for first in range(0, count, _PACKED_ROWS):
        file.write(rows.pack(first, min(_PACKED_ROWS, count - first), places))
    sums = rows.sums() if count else (0, 0)
    header = msgspec.msgpack.encode(_Header(entry.bytes, entry.changed, count, sums, list(ids.values()), trade_ids))
    digest = blake2b(header, digest_size=_DIGEST_BYTES).digest()
    file.write(header + len(header).to_bytes(8, "little") + digest + _MAGIC)


def _header_of(content: mmap.mmap) -> _Header | None:
    """Return the header of an entry, None when it is not whole."""
    trailer = content[-_TRAILER_BYTES:]
    if len(trailer) < _TRAILER_BYTES or not trailer.endswith(_MAGIC):
        return None
    end = len(content) - _TRAILER_BYTES
    header = content[max(end - int.from_bytes(trailer[:8], "little"), 0) : end]
    if blake2b(header, digest_size=_DIGEST_BYTES).digest() != trailer[8:-8]:
        return None
    return msgspec.msgpack.decode(header, type=_Header)
