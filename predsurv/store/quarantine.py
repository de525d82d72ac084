"""Where damaged parts of the log are kept for people to look at.

Kept apart because nothing in here is ever read by the program again.
"""

from pathlib import Path
from typing import Final

from predsurv.store.durable import PRIVATE_DIR, make_dirs, replace, sync_dir, write_whole
from predsurv.store.segment import segment_files, wal_path

TAIL_BYTES_MAX: Final = 16 << 20
"""Most that is kept of a torn tail."""


def keep_segment(path: Path, folder: Path) -> None:
    """Move the segment at ``path`` into ``folder``; the log has forgotten it then. Raises OSError."""
    make_dirs(folder, PRIVATE_DIR)
    for file in segment_files(path):  # the database file is first: without it there is no segment
        replace(file, folder / file.name)
        sync_dir(folder)
        sync_dir(path.parent)


def keep_tail(path: Path, torn: int, folder: Path) -> None:
    """Copy the last ``torn`` bytes of the WAL of the segment at ``path`` into ``folder``; raises OSError."""
    make_dirs(folder, PRIVATE_DIR)
    with wal_path(path).open("rb") as file:
        file.seek(-torn, 2)
        tail = file.read(TAIL_BYTES_MAX)
    write_whole(folder / f"{path.name}.torn", tail)
