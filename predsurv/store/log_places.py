"""Where the logs of a data folder are: a note of each log file that a run was told to write.

``predsurv logs`` finds them by it. A note is one small file below ``state/logs``, named after the log file; those of
log files that are gone are removed when the next one is written.
"""

from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import Layout

_FOLDER: Final = "logs"
_SUFFIX: Final = ".path"
_PATH_BYTES_MAX: Final = 4_096


def note_log(layout: Layout, file: Path) -> None:
    """Note that a run on this data folder logs to ``file``; raises OSError."""
    folder = layout.state / _FOLDER
    make_dirs(folder, PRIVATE_DIR)
    for note in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError):
            if not _noted(note).exists():
                note.unlink(missing_ok=True)
    text = bytes(file.absolute())
    write_whole(folder / f"{blake2b(text, digest_size=8).hexdigest()}{_SUFFIX}", text)


def noted_logs(layout: Layout) -> list[Path]:
    """Return the log files of runs on this data folder that are there, sorted."""
    return sorted(_existing(layout.state / _FOLDER))


def _existing(folder: Path) -> Iterator[Path]:
    for note in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError, ValueError):  # removed this moment, or damaged
            if (path := _noted(note)).is_file():
                yield path


def _noted(note: Path) -> Path:
    with note.open("rb") as file:
        return Path(file.read(_PATH_BYTES_MAX).decode("utf-8", "surrogateescape"))
