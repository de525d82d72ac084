"""The log of injected faults and their times, by which tests judge a recording of a simulated venue."""

import json
from pathlib import Path
from typing import Final, TextIO

from msgspec import Struct, to_builtins

from predsurv.core.errors import ConfigError

FAULTS_KEPT_MAX: Final = 100_000
"""Most faults kept in memory; the file gets all of them."""


class InjectedFault(Struct, frozen=True, omit_defaults=True):
    """One fault from ``start`` to ``end`` (ns UTC).

    ``link``: number of the connection, 0 for all or none. ``tokens``: the instruments concerned, without those that an
    unaffected connection carried as well.
    """

    kind: str
    start: int
    end: int
    link: int = 0
    tokens: tuple[str, ...] = ()


class FaultLog:
    """The injected faults in order; with ``path`` they are also appended to that file, one JSON line each."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises ConfigError when the file cannot be written."""
        self.faults: list[InjectedFault] = []
        try:
            self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--truth: cannot write {path}: {error.strerror}; name another file") from None

    def add(self, fault: InjectedFault) -> None:
        """Log ``fault``; it is in the file when this returns."""
        if self._file is not None:
            self._file.write(json.dumps(to_builtins(fault)) + "\n")
            self._file.flush()
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(fault)

    def of_kind(self, kind: str) -> list[InjectedFault]:
        """Return the faults of one kind, in order."""
        return [fault for fault in self.faults if fault.kind == kind]

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()
