"""Quarantine of damaged log segments, and the marker file that a repair is due.

The program never reads quarantined files again. The marker ``state/{collector}.damaged`` lists the
segments whose coverage has not been retracted yet; it stays, empty, until all time is accounted for.
"""

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir, write_whole
from predsurv.store.layout import Layout, parse_segment
from predsurv.store.wal.segment import segment_files, wal_path

TAIL_BYTES_MAX: Final = 16 << 20
"""Most that is kept of a torn tail."""


_MARKER_LOCK: Final = Lock()
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def move_segment(path: Path, layout: Layout) -> None:
    """Move the segment at ``path`` into quarantine and add it to the damage marker; raises OSError.

    All its files are in quarantine before the first is removed from the log, so an interruption
    leaves at least one complete copy.
    """
    folder = layout.quarantine
    collector, segment = parse_segment(path)
    with _MARKER_LOCK:
        _write_marker(layout, collector, {*(damaged_segments(layout, collector) or ()), segment})
    make_dirs(folder, PRIVATE_DIR)
    files = list(segment_files(path))
    for file in files:
        _link_or_move(file, folder / file.name)
    sync_dir(folder)
    for file in files:  # the database file is first: without it there is no segment
        file.unlink(missing_ok=True)
        sync_dir(path.parent)


def holds_segment(path: Path, layout: Layout) -> bool:
    """Return whether the segment that was at ``path`` is in quarantine."""
    return (layout.quarantine / path.name).exists()


def _link_or_move(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        replace(file, target)


def damaged_segments(layout: Layout, collector: str) -> Sequence[int] | None:
    """Return the damaged segments whose coverage is not retracted yet; None without a marker: nothing to repair."""
    try:
        words = _marker_path(layout, collector).read_text("ascii", "replace").split()
    except FileNotFoundError:
        return None
    return [int(word) for word in words if word.isdecimal()]


def mark_retracted(layout: Layout, collector: str, segments: Iterable[int]) -> None:
    """Durably mark ``segments`` as handled: their coverage was replaced by ``crash`` gaps; raises OSError."""
    with _MARKER_LOCK:
        _write_marker(layout, collector, set(damaged_segments(layout, collector) or ()).difference(segments))


def clear_marker(layout: Layout, collector: str) -> None:
    """Remove the damage marker: all time is accounted for; raises OSError."""
    _marker_path(layout, collector).unlink(missing_ok=True)


def _write_marker(layout: Layout, collector: str, segments: Iterable[int]) -> None:
    make_dirs(layout.state, PRIVATE_DIR)
    write_whole(_marker_path(layout, collector), " ".join(map(str, sorted(segments))).encode())


def _marker_path(layout: Layout, collector: str) -> Path:
    return layout.state / f"{collector}.damaged"


def copy_torn_tail(path: Path, torn: int, folder: Path) -> None:
    """Copy the last ``torn`` bytes of the WAL of the segment at ``path`` into ``folder``; raises OSError."""
    make_dirs(folder, PRIVATE_DIR)
    with wal_path(path).open("rb") as file:
        file.seek(-torn, 2)
        tail = file.read(TAIL_BYTES_MAX)
    write_whole(folder / f"{path.name}.torn", tail)
