"""libfaketime, where it is installed: the wall clock of a process is set by what a file says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("usr/lib/*/faketime/libfaketime.so.1", "usr/local/lib/faketime/libfaketime.so.1")
OFFSET: Final = "FAKETIME_TIMESTAMP_FILE"
_NS: Final = 1_000_000_000


def library() -> str | None:
    """Return the path of libfaketime, None where it is not installed."""
    found = sorted(str(path) for pattern in LIBRARIES for path in Path("/").glob(pattern))
    return found[0] if found else None


def environ(path: str, offset: Path) -> Mapping[str, str]:
    """Return what a process is started with so that the file ``offset`` sets its clock; ``path``: the library."""
    return {
        "LD_PRELOAD": path,
        OFFSET: str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def set_offset(offset: Path, by: int) -> None:
    """Set the clock of those who read ``offset`` to ``by`` ns from the machine's."""
    written = offset.with_suffix(".new")
    written.write_text(f"{by / _NS:+.9f}s\n")
    written.replace(offset)
