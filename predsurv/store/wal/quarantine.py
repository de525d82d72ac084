"""Where damaged parts of the log are kept for people to look at, and the mark that they leave.

Kept apart because what is in quarantine is never read by the program again. The mark is: whoever starts
next has to look for time that nobody accounts for, and for claims whose records went with the segment.
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


_MARKING: Final = Lock()
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def keep_segment(path: Path, layout: Layout) -> None:
    """Move the segment at ``path`` into quarantine, marked; the log has forgotten it then. Raises OSError.

    All of it is there before any of it goes: half a segment is nothing that anybody could look at.
    """
    folder = layout.quarantine
    collector, segment = parse_segment(path)
    with _MARKING:
        _write_mark(layout, collector, {*(marked(layout, collector) or ()), segment})
    make_dirs(folder, PRIVATE_DIR)
    files = list(segment_files(path))
    for file in files:
        _keep_too(file, folder / file.name)
    sync_dir(folder)
    for file in files:  # the database file is first: without it there is no segment
        file.unlink(missing_ok=True)
        sync_dir(path.parent)


def keeps(path: Path, layout: Layout) -> bool:
    """Return whether the segment that was at ``path`` is in quarantine."""
    return (layout.quarantine / path.name).exists()


def _keep_too(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        replace(file, target)


def marked(layout: Layout, collector: str) -> Sequence[int] | None:
    """Return the damaged segments that no recording has heard of yet; None when there is nothing to mend at all."""
    try:
        words = _mark_path(layout, collector).read_text("ascii", "replace").split()
    except FileNotFoundError:
        return None
    return [int(word) for word in words if word.isdecimal()]


def heard(layout: Layout, collector: str, segments: Iterable[int]) -> None:
    """Let the mark say that the recording took back its claims for ``segments``, durably; raises OSError."""
    with _MARKING:
        _write_mark(layout, collector, set(marked(layout, collector) or ()).difference(segments))


def clear(layout: Layout, collector: str) -> None:
    """Forget the mark: all time is accounted for. Raises OSError."""
    _mark_path(layout, collector).unlink(missing_ok=True)


def _write_mark(layout: Layout, collector: str, segments: Iterable[int]) -> None:
    make_dirs(layout.state, PRIVATE_DIR)
    write_whole(_mark_path(layout, collector), " ".join(map(str, sorted(segments))).encode())


def _mark_path(layout: Layout, collector: str) -> Path:
    return layout.state / f"{collector}.damaged"


def keep_tail(path: Path, torn: int, folder: Path) -> None:
    """Copy the last ``torn`` bytes of the WAL of the segment at ``path`` into ``folder``; raises OSError."""
    make_dirs(folder, PRIVATE_DIR)
    with wal_path(path).open("rb") as file:
        file.seek(-torn, 2)
        tail = file.read(TAIL_BYTES_MAX)
    write_whole(folder / f"{path.name}.torn", tail)
