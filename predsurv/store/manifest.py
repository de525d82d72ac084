"""The manifest: rows, times and digest of every sealed file, one JSON line each in ``state/manifest``."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.store.files import PRIVATE_DIR, append_lines, make_dirs, sync_dir, write_whole
from predsurv.store.layout import daily_log_path, daily_logs, end_of, parse_file

_TAIL_BYTES: Final = 1 << 18
_CUTOFF: Final = "cutoff.json"


class SealedFile(Struct, frozen=True):
    """A file of a dataset as it was sealed; ``path`` is relative to the data folder.

    ``lo``, ``hi``: least and greatest time of its rows, ns UTC. ``blake2b``: of the whole file.
    ``replaces``: files whose rows it holds and that were deleted.
    """

    path: str
    rows: int
    lo: int
    hi: int
    bytes: int
    blake2b: str
    replaces: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(SealedFile)


def append(folder: Path, collector: str, files: Iterable[SealedFile]) -> None:
    """Append a line for each of ``files`` to the manifests of their dates, durably; raises OSError."""
    texts: defaultdict[str, bytes] = defaultdict(bytes)
    for file in files:
        texts[parse_file(Path(file.path))[0].date] += msgspec.json.encode(file) + b"\n"
    if not texts:
        return
    make_dirs(folder, PRIVATE_DIR)
    for date, text in texts.items():
        append_lines(daily_log_path(folder, collector, date), b"\n" + text)
    sync_dir(folder)


class _Cutoff(Struct, frozen=True):
    cutoff: int


def read_cutoff(folder: Path) -> int:
    """Return the time (ns UTC) before which retention removed everything, 0 when it never did."""
    try:
        return msgspec.json.decode((folder / _CUTOFF).read_bytes(), type=_Cutoff).cutoff
    except FileNotFoundError:
        return 0


def set_cutoff(folder: Path, cutoff: int) -> None:
    """Durably record that everything before ``cutoff`` (ns UTC) is removed; raises OSError."""
    make_dirs(folder, PRIVATE_DIR)
    write_whole(folder / _CUTOFF, msgspec.json.encode(_Cutoff(cutoff)))


def read(folder: Path, date: str | None = None, collector: str | None = None) -> Iterator[SealedFile]:
    """Yield the latest entry of every file in the manifests of ``date`` (YYYY-MM-DD) and ``collector``, None for all.

    Files that were replaced by others or removed by retention are left out. Blank lines and a line torn by a power
    cut are skipped: its file is sealed and listed again. A missing ``folder`` is an empty manifest.
    """
    cutoff = read_cutoff(folder)
    for log in daily_logs(folder, collector, date):
        latest = {file.path: file for file in parse_lines(log.path.read_bytes())}
        gone = {name for file in latest.values() for name in file.replaces}
        for file in latest.values():
            if file.path not in gone and (not cutoff or end_of(parse_file(Path(file.path))[0]) > cutoff):
                yield file


def read_by_path(folder: Path, date: str | None = None) -> dict[str, SealedFile]:
    """Return what ``read`` yields by the path of each file (relative to the data folder)."""
    return {file.path: file for file in read(folder, date)}


def last_times(folder: Path, collector: str) -> dict[VenueName, int]:
    """Return by venue the greatest time (ns UTC) of a row in the files that ``collector`` sealed last.

    What a recording has reached, even where its log is gone: a recovery that was killed had sealed it.
    """
    times: dict[VenueName, int] = {}
    for log in list(daily_logs(folder, collector))[-1:]:
        with log.path.open("rb") as text:
            text.seek(max(0, text.seek(0, os.SEEK_END) - _TAIL_BYTES))
            for file in parse_lines(text.read()):
                venue = parse_file(Path(file.path))[0].venue
                times[venue] = max(times.get(venue, 0), file.hi)
    return times


def parse_lines(text: bytes) -> Iterator[SealedFile]:
    """Yield the entry of each line of a manifest, skipping blank and unreadable lines."""
    for line in text.splitlines():
        with suppress(msgspec.MsgspecError):
            yield _DECODER.decode(line)


def digest(path: Path) -> str:
    """Return the BLAKE2b-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
