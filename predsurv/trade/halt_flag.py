"""The halt flag: a file whose existence stops trading in every process, across restarts, until a person removes it."""

from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from predsurv.core.errors import is_no_space
from predsurv.core.text import sanitise
from predsurv.store.files import make_dirs, sync_dir, write_whole
from predsurv.store.layout import Layout

POLL_INTERVAL: Final = 100_000_000
"""How often a running trader reads the flag (ns): the longest it trades on after a halt."""


class HaltRecord(Struct, frozen=True):
    """Since when (ns UTC) and why trading is stopped, or ``reducing`` positions only."""

    ts: int
    reason: str
    trading: Literal["reducing", "halted"] = "halted"


class HaltFlag:
    """The flag file at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> HaltRecord | None:
        """Return the halt in force, None when there is none; an unreadable file halts too."""
        try:
            body = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return HaltRecord(0, f"the halt flag cannot be read: {error.strerror}")
        try:
            return msgspec.json.decode(body, type=HaltRecord)
        except msgspec.MsgspecError:
            return HaltRecord(0, "a halt flag that cannot be read" if body else "a halt when the disk was full")

    def set(self, ts: int, reason: str, *, reducing: bool = False) -> HaltRecord:
        """Halt trading since ``ts`` (ns UTC), or with ``reducing`` all that adds to positions; return what is in force.

        A halt in force keeps its time and reason, and is not weakened. On a disk too full for a record the flag is
        empty, which halts everything: a name needs no room.
        """
        before = self.read()
        if before is not None and (reducing or before.trading == "halted"):
            return before
        make_dirs(self._path.parent, 0o700)
        record = HaltRecord(ts, sanitise(reason, 400), "reducing" if reducing else "halted")
        try:
            write_whole(self._path, msgspec.json.encode(record))
        except OSError as error:
            if not is_no_space(error):
                raise
            self._path.write_bytes(b"")
            return self.read() or record
        return record

    def clear(self) -> HaltRecord | None:
        """Remove the flag; return the halt that was in force, None when there was none."""
        halt = self.read()
        if halt is not None:
            self._path.unlink(missing_ok=True)
            sync_dir(self._path.parent)
        return halt


def halt_flag(data_dir: Path) -> HaltFlag:
    """Return the flag that halts every trader of a data folder."""
    return HaltFlag(Layout(data_dir).state / "trading" / "halt.json")
