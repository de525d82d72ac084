"""What the simulator did wrong on purpose, and when: what a recording is judged by.

Kept apart because judging must not look at the wire: it compares what a reader says with what is
written here.
"""

import json
from pathlib import Path
from typing import Final, TextIO

from msgspec import Struct, to_builtins

from predsurv.core.errors import ConfigError

DEEDS_MAX: Final = 100_000
"""So many are remembered; the file gets all of them."""


class InjectedFault(Struct, frozen=True, omit_defaults=True):
    """One thing done wrong from ``start`` to ``end`` (ns UTC, time of day).

    ``link``: number of the connection, 0 for all or none. ``tokens``: what it concerned, without
    what another connection carried as well.
    """

    kind: str
    start: int
    end: int
    link: int = 0
    tokens: tuple[str, ...] = ()


class FaultLog:
    """The list of deeds, and a file of it where one is wanted: one JSON line a deed."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises ConfigError when the file cannot be written."""
        self.deeds: list[InjectedFault] = []
        try:
            self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--truth: cannot write {path}: {error.strerror}; name another file") from None

    def note(self, deed: InjectedFault) -> None:
        """Remember ``deed``; in the file before anybody can notice."""
        if self._file is not None:
            self._file.write(json.dumps(to_builtins(deed)) + "\n")
            self._file.flush()
        if len(self.deeds) < DEEDS_MAX:
            self.deeds.append(deed)

    def of(self, kind: str) -> list[InjectedFault]:
        """Return the deeds of one kind, in order."""
        return [deed for deed in self.deeds if deed.kind == kind]

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()
