"""Folders of runs below ``runs/``: made, listed and found by a prefix of their ids."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from predsurv.core.errors import INTERRUPTED, ConfigError, IntegrityError
from predsurv.core.ids import InstrumentKey
from predsurv.core.text import path_component, sanitise
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import NS_SECOND, RUNS, stamp_time
from predsurv.store.locks import try_lock
from predsurv.trade.results.result import RunResult
from predsurv.trade.results.valuing import Mark
from predsurv.trade.runs.info import INFO_FILE, LOCK_FILE, RESULTS_FILE, TWIN_FOLDER, RunInfo

RunState = Literal["running", "complete", "incomplete", "failed", "killed", "ended without results", "unreadable"]

RUNS_READ_MAX: Final = 50
"""Most runs that are looked through for the last mark of a position."""

_T = TypeVar("_T")
_SUFFIX: Final = re.compile(r"-[0-9]{3}\Z")  # of one that began in the same millisecond as another
_NEWEST: Final = "latest"


class RunFolder:
    """One run's folder at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: BinaryIO | None = None

    @property
    def run(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def account(self) -> str:
        """The mode that it ran in, as its id has it: also of a run that cannot be read."""
        return _SUFFIX.sub("", self.run.partition("Z-")[2])

    def file(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.path / name

    def twin(self) -> "RunFolder | None":
        """Return the folder of its paper twin, None where it has none."""
        path = self.path / TWIN_FOLDER
        return RunFolder(path) if (path / INFO_FILE).exists() else None

    def info(self) -> RunInfo:
        """Return what the run was made with; raises IntegrityError when that cannot be read."""
        return _read(self.file(INFO_FILE), RunInfo)

    def results(self) -> RunResult | None:
        """Return its results so far, None before there are any; raises IntegrityError when they cannot be read."""
        path = self.file(RESULTS_FILE)
        return _read(path, RunResult) if path.exists() else None

    def write(self, name: str, content: Any) -> None:
        """Replace one of its JSON files; raises OSError."""
        write_whole(self.file(name), msgspec.json.format(msgspec.json.encode(content), indent=1))

    def hold(self) -> None:
        """Show that the run is going on, until ``release`` or the end of the process."""
        self._lock = self.file(LOCK_FILE).open("wb")
        try_lock(self._lock)

    def release(self) -> None:
        """Show that it is over; safe to call twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def end_without_results(self) -> None:
        """Show that the run ended by itself, though nothing could be written of it; needs no space on the disk."""
        self.release()
        with suppress(OSError):
            self.file(LOCK_FILE).unlink(missing_ok=True)

    def state(self, info: RunInfo) -> RunState:
        """Return whether the run goes on, went through, ended early, failed, or was killed.

        Killed is one that says nothing of its end and left its lock behind: who ends by itself takes it along.
        """
        if info.ended is not None:
            failed = info.exit_code not in (None, 0, INTERRUPTED)
            return "complete" if info.complete else "failed" if failed else "incomplete"
        try:
            with self.file(LOCK_FILE).open("rb") as lock:
                return "killed" if try_lock(lock) else "running"
        except OSError:
            return "ended without results"


def make_twin_folder(run: RunFolder) -> RunFolder:
    """Make the folder of a run's paper twin, inside its own; raises OSError."""
    made = run.file(TWIN_FOLDER)
    made.mkdir(mode=PRIVATE_DIR, exist_ok=True)
    return RunFolder(made)


class RunRecord(Struct, frozen=True):
    """What a run's folder says; ``info`` and ``result`` are None where there is none or it cannot be read.

    ``damage``: what cannot be read, "" when everything can.
    """

    folder: RunFolder
    info: RunInfo | None
    result: RunResult | None
    damage: str = ""

    @property
    def mode(self) -> str:
        """The mode that it ran in."""
        return self.folder.account if self.info is None else self.info.mode

    @property
    def state(self) -> RunState:
        """How it ended, or that it goes on."""
        return "unreadable" if self.info is None else self.folder.state(self.info)


def read_run(folder: RunFolder) -> RunRecord:
    """Return what a run's folder says, as far as it can be read."""
    info = None
    try:
        info = folder.info()
        return RunRecord(folder, info, folder.results())
    except IntegrityError as error:
        return RunRecord(folder, info, None, str(error))


def runs_dir(data_dir: Path) -> Path:
    """Return the folder of all runs."""
    return data_dir / RUNS


def create_run(data_dir: Path, mode: str, started: int) -> RunFolder:
    """Make the folder of a run that begins at ``started`` (ns UTC); ids sort by that time and are never used twice.

    Raises OSError.
    """
    parent = runs_dir(data_dir)
    make_dirs(parent)
    milliseconds = started % NS_SECOND // 1_000_000
    name = f"{stamp_time(started)[:-1]}{milliseconds:03d}Z-{path_component(mode)}"
    for suffix in ("", *(f"-{number:03d}" for number in range(1, 1_000))):
        with suppress(FileExistsError):
            (parent / (name + suffix)).mkdir(mode=PRIVATE_DIR)
            return RunFolder(parent / (name + suffix))
    raise ConfigError(f"{parent}: a thousand runs began in the same millisecond; start them more slowly")


def all_runs(data_dir: Path) -> Iterator[RunFolder]:
    """Yield the folders of runs, oldest first; folders without ``run.json`` are no runs."""
    for path in sorted(runs_dir(data_dir).glob(f"*/{INFO_FILE}")):
        yield RunFolder(path.parent)


def find_run(data_dir: Path, prefix: str) -> RunFolder:
    """Return the run whose id begins with ``prefix``, or the ``latest``; raises ConfigError unless it is one."""
    found = list(all_runs(data_dir))
    if not found:
        raise ConfigError(f"no run in {runs_dir(data_dir)} yet; 'predsurv trade --paper' or 'backtest' makes one")
    if prefix == _NEWEST:
        return found[-1]
    prefix = prefix.removesuffix("…")  # as a narrow table shows it
    matching = [each for each in found if each.run.startswith(prefix)]
    exact = [each for each in matching if each.run == prefix]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    said = sanitise(prefix, 60)
    if not matching:
        raise ConfigError(f"no run begins with {said!r}; 'predsurv runs list' shows them")
    names = ", ".join(each.run for each in matching[:3])
    raise ConfigError(f"{len(matching)} runs begin with {said!r}: {names}{', …' if len(matching) > 3 else ''}")


def last_marks(data_dir: Path, mode: str, keys: Iterable[InstrumentKey]) -> dict[InstrumentKey, Mark]:
    """Return the last known marks of ``keys`` in the newest runs of an account; a damaged folder is passed over."""
    missing, found = set(keys), dict[InstrumentKey, Mark]()
    runs = [each for each in all_runs(data_dir) if each.account == path_component(mode)]
    for folder in runs[: -RUNS_READ_MAX - 1 : -1]:
        if not missing:
            break
        with suppress(IntegrityError):
            results = folder.results()
            for mark in () if results is None else results.marks:
                if mark.key in missing:
                    missing.remove(mark.key)
                    found[mark.key] = mark
    return found


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            f"{path}: not as this version writes it: {error}; delete the folder or use the older one"
        ) from None
