"""Writing the universe file of a day."""

import os
import tempfile
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from predsurv.core.ids import EventId, VenueName
from predsurv.core.market import Market
from predsurv.core.text import path_component
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir
from predsurv.store.layout import Layout, date_of
from predsurv.store.universe import LINE_BYTES_MAX, format_line, parse_line, to_line


class UniverseWriter:
    """Writes the universe of ``venue`` for the day of ``now`` (ns UTC) atomically.

    ``commit`` replaces the earlier file of the day; leaving the ``with`` block without a commit, or with
    an error, leaves that unchanged. Raises OSError.
    """

    def __init__(self, data_dir: Path, venue: VenueName, now: int) -> None:
        layout = Layout(data_dir)
        self.path = layout.universe(venue, date_of(now))
        self.markets = 0
        make_dirs(layout.state, PRIVATE_DIR)
        folder = layout.staging("scan")
        make_dirs(folder, PRIVATE_DIR)
        fd, name = tempfile.mkstemp(prefix=f"universe-{path_component(venue)}-", suffix=".jsonl", dir=folder)
        self._draft = Path(name)
        self._file = os.fdopen(fd, "wb")

    def write(self, market: Market) -> None:
        """Append ``market`` as a line, without its description when the line would exceed LINE_BYTES_MAX."""
        line = format_line(to_line(market))
        if len(line) > LINE_BYTES_MAX:
            line = format_line(to_line(msgspec.structs.replace(market, description=None)))
        self._file.write(line)
        self.markets += 1

    def mark_inexhaustive(self, events: AbstractSet[EventId]) -> None:
        """Clear ``exhaustive`` on the markets of ``events`` in every line written so far."""
        if not events:
            return
        self._file.flush()
        fd, name = tempfile.mkstemp(prefix=self._draft.stem, suffix=".jsonl", dir=self._draft.parent)
        old, self._draft = self._draft, Path(name)
        self._file.close()
        self._file = os.fdopen(fd, "wb")
        try:
            with old.open("rb") as lines:
                for line in lines:
                    self._file.write(_without_exhaustive(line, events) if b'"exhaustive":true' in line else line)
        finally:
            old.unlink()

    def commit(self) -> Path:
        """Durably replace the universe of the day by this file and return its path."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.chmod(0o644)
        make_dirs(self.path.parent)
        replace(self._draft, self.path)
        sync_dir(self.path.parent)
        return self.path

    def abort(self) -> None:
        """Delete the unfinished file; does nothing after a commit."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.abort()


def _without_exhaustive(line: bytes, events: AbstractSet[EventId]) -> bytes:
    found = parse_line(line)
    if found.event_id not in events:
        return line
    return format_line(msgspec.structs.replace(found, exhaustive=False))
