"""Numbers of log segments: each is used once, whatever happens.

Kept apart because a number used twice would make sealing overwrite data it had already sealed.
"""

import sqlite3
from pathlib import Path

from predsurv.core.errors import PredsurvError
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import FOLDERS, Layout, data_files, parse_file, parse_segment, segment_name, segments_of
from predsurv.store.wal.segment import FORMAT, SegmentHeader, SegmentWriter


def create_segment(layout: Layout, collector: str, opened: int) -> SegmentWriter:
    """Create the next segment of ``collector``, opened at ``opened`` (ns UTC).

    Its number is durably taken before the file exists. Raises PredsurvError when the disk refuses.
    """
    try:
        make_dirs(layout.state, PRIVATE_DIR)
        make_dirs(layout.wal, PRIVATE_DIR)
        number = last_number(layout, collector) + 1
        write_whole(_last_path(layout, collector), str(number).encode())
        path = layout.wal / segment_name(collector, number)
        return SegmentWriter(path, SegmentHeader(FORMAT, collector, number, opened))
    except (sqlite3.Error, OSError) as error:
        raise PredsurvError(f"cannot open a log segment in {layout.wal} ({error}): free disk space") from error


def last_number(layout: Layout, collector: str) -> int:
    """Return the highest segment number ever taken by ``collector``, 0 when none was.

    The durable record says; where it is missing or unreadable, every sealed file is looked at.
    """
    found = max((parse_segment(path)[1] for path in segments_of(layout.wal, collector)), default=0)
    try:
        recorded = int(_last_path(layout, collector).read_bytes())
    except (OSError, ValueError):
        recorded = max((_sealed_number(path, collector) for path in _sealed(layout)), default=0)
    return max(found, recorded)


def _last_path(layout: Layout, collector: str) -> Path:
    return layout.wal / f"{collector}.last"


def _sealed(layout: Layout) -> list[Path]:
    return [path for dataset in FOLDERS for path in data_files(layout, dataset)]


def _sealed_number(path: Path, collector: str) -> int:
    _, stamp = parse_file(path)
    return stamp.segment if stamp.collector == collector else 0
