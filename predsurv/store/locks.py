"""File locks: one writer per collector id, one compaction at a time, and publishing into the datasets."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import BinaryIO, Final, Self

from msgspec import Struct

from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.core.text import path_component, sanitise
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import segment_name

_SUFFIX: Final = ".lock"
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.02


@contextmanager
def publish_lock(state_dir: Path, *, exclusive: bool = False) -> Iterator[None]:
    """Hold the lock for changing the datasets, shared with others or ``exclusive``.

    Renaming a file into a dataset takes it shared; swapping or removing a folder takes it exclusively, since
    a file renamed into the folder meanwhile would be lost. Blocks, for the time of a few renames. Raises OSError.
    """
    with _locked(state_dir / "publishing", fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH):
        yield


@contextmanager
def universe_lock(state_dir: Path, venue: VenueName) -> Iterator[None]:
    """Hold the lock for adding a scan to a universe file of ``venue``; blocks meanwhile. Raises OSError."""
    with _locked(state_dir / f"universe-{path_component(venue)}", fcntl.LOCK_EX):
        yield


def try_lock(file: BinaryIO) -> bool:
    """Lock an open file until it is closed, and return True; False when somebody else has it locked."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``; raises SafetyError saying that ``what`` runs already, and OSError."""
    with ExitStack() as stack:
        try:
            stack.enter_context(_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            raise SafetyError(f"{what} runs already (it holds {path}): wait for it") from None
        yield


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    make_dirs(path.parent, PRIVATE_DIR)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, mode)
        yield
    finally:
        os.close(fd)


def collector_lock(state_dir: Path, collector: str) -> Path:
    """Return the file that a collector locks; it is there for good once that has recorded into the folder."""
    return state_dir / f"{collector}{_SUFFIX}"


class LockHolder(Struct, frozen=True):
    """A collector that writes to a folder since ``since`` (ns UTC); ``process``: its id, or "unknown"."""

    collector: str
    process: str
    since: int


def lock_holders(state_dir: Path) -> list[LockHolder]:
    """Return the collectors that hold their lock now, sorted by id; those whose lock cannot be read are left out."""
    found: list[LockHolder] = []
    for path in sorted(state_dir.glob(f"*{_SUFFIX}")):
        with suppress(OSError), path.open("rb") as file:
            try:
                # Held for this moment only: a collector that starts now tries more than once.
                fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                since = os.fstat(file.fileno()).st_mtime_ns
                found.append(LockHolder(path.name.removesuffix(_SUFFIX), _process(file.fileno()), since))
    return found


class CollectorLock:
    """Exclusive lock on (state folder, collector id), taken before anything else of the store is touched.

    The kernel releases it when the process dies. ``acquire`` raises SafetyError when another process holds it.
    The file stays: removing it would let two processes lock two different files of the same name.
    """

    def __init__(self, state_dir: Path, collector: str) -> None:
        segment_name(collector, 0)  # raises ConfigError for an id that is not a safe file name
        self._path = collector_lock(state_dir, collector)
        self._collector = collector
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise SafetyError at once."""
        make_dirs(self._path.parent, PRIVATE_DIR)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _taken(fd):
            holder = _process(fd)
            os.close(fd)
            raise SafetyError(
                f"collector {self._collector!r} already writes to {self._path.parent.parent} (process {holder}): "
                "stop it, or give this one another collector.id"
            )
        self._fd = fd
        os.ftruncate(fd, 0)
        with suppress(OSError):  # a full disk: the process id is informative only
            os.pwrite(fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Release the lock; idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


def _taken(fd: int) -> bool:
    """Take the lock and return True, False when somebody else has it for longer than a look at it takes."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            Event().wait(_PAUSE_SECONDS)
        else:
            return True
    return False


def _process(fd: int) -> str:
    return sanitise(os.pread(fd, 32, 0).decode("ascii", "replace"), 32) or "unknown"
