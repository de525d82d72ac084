"""Writing the universe file of a day, to which every scan of the day adds."""

import logging
import os
import tempfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from predsurv.core.ids import EventId, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.text import path_component
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir
from predsurv.store.layout import Layout, date_of
from predsurv.store.listing_history import merge_lines
from predsurv.store.locks import try_lock, universe_lock
from predsurv.store.universe import (
    LINE_BYTES_MAX,
    UNREADABLE,
    MarketLine,
    format_line,
    line_ids,
    market_line,
    parse_iso,
    parse_line,
    to_line,
)

_LOG: Final = logging.getLogger(__name__)
_UPDATE: Final = b"~"  # before a line of the draft that only updates one of the file
_WRITTEN: Final = -1
_SUFFIX: Final = ".jsonl"
_BUFFER_BYTES: Final = 1 << 18
"""Written to a draft at once: some hundred lines."""


class UniverseWriter:
    """Adds a scan, begun at ``now`` (ns UTC), to the universe of ``venue`` for the day, atomically.

    ``commit`` replaces the file of the day by one with both: markets that it had keep what they replaced (see
    ``listing_history``), and those that are no longer listed stay, with ``last_seen``. Leaving the ``with`` block
    without a commit, or with an error, leaves the file unchanged. Several may scan at once. Raises OSError.
    """

    def __init__(self, data_dir: Path, venue: VenueName, now: int) -> None:
        self._layout, self._venue, self._now = Layout(data_dir), venue, now
        self.path = self._layout.universe(venue, date_of(now))
        self.markets = 0
        self._listed_before: frozenset[int] | None = None
        self._written: set[int] = set()  # hashes, an eighth of the memory of ids: two of the same only cost a merge
        self._plain = True  # what is written are lines to be added, of one market each
        make_dirs(self._layout.state, PRIVATE_DIR)
        make_dirs(self._layout.staging("scan"), PRIVATE_DIR)
        _remove_left_behind(self._layout.staging("scan"))
        self._open_draft()

    def write(self, market: Market) -> None:
        """Append ``market`` as a line, without its description when the line would exceed LINE_BYTES_MAX."""
        identity = hash(market.market_id)
        self._plain = self._plain and identity not in self._written
        self._written.add(identity)
        self._file.write(_line(market))
        self.markets += 1

    def update(self, market: Market) -> None:
        """Update the line of ``market`` where the file of the day has one; add none."""
        if self._listed_before is None:
            self._listed_before = frozenset(hash(market_id) for market_id in _ids(self.path))
        if hash(market.market_id) in self._listed_before:
            self._plain = False
            self._file.write(_UPDATE + _line(market))

    def mark_inexhaustive(self, events: AbstractSet[EventId]) -> None:
        """Clear ``exhaustive`` on the markets of ``events`` in every line written so far."""
        if not events:
            return
        with self._next_draft() as lines:
            for line in lines:
                self._file.write(_without_exhaustive(line, events) if b'"exhaustive":true' in line else line)

    def commit(self, *, whole: bool = True) -> Path:
        """Durably add what was written to the universe of the day and return its path.

        ``whole``: the list was read to its end and unfiltered, so that a market that was not written is no longer
        listed.
        """
        with universe_lock(self._layout.state, self._venue):
            if not self._plain or self.path.exists():
                with self._next_draft() as lines:
                    self._merge(lines, whole=whole)
            _publish(self._file, self._draft, self.path)
        return self.path

    def abort(self) -> None:
        """Delete the unfinished file; does nothing after a commit."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.abort()

    def _open_draft(self) -> None:
        prefix = f"universe-{path_component(self._venue)}-"
        while True:
            fd, name = tempfile.mkstemp(prefix=prefix, suffix=_SUFFIX, dir=self._layout.staging("scan"))
            self._draft, self._file = Path(name), os.fdopen(fd, "wb", buffering=_BUFFER_BYTES)
            if try_lock(self._file) and self._draft.exists():
                return  # else another scan took it for one that was left behind
            self.abort()

    @contextmanager
    def _next_draft(self) -> Iterator[BinaryIO]:
        """Open another draft, yield what was written to the last one, and delete that."""
        draft, written = self._draft, self._file
        written.flush()
        self._open_draft()
        try:
            with draft.open("rb") as lines:
                yield lines
        finally:
            written.close()
            draft.unlink(missing_ok=True)

    def _merge(self, scan: BinaryIO, *, whole: bool) -> None:
        """Write the lines of the file of the day, updated by those of the ``scan``, and then its other lines."""
        places = _places(scan)
        damaged = 0
        for old in _old_lines(self.path):
            line = self._merged(old, scan, places, whole=whole)
            damaged += line is None
            self._file.write(line or b"")
        for place in places.values():
            if place != _WRITTEN:
                scan.seek(place)
                new = scan.readline()
                if not new.startswith(_UPDATE):
                    self._file.write(new)
        if damaged:
            _LOG.warning("%s: %d damaged lines are left out, and what they said of earlier today", self.path, damaged)

    def _merged(self, old: bytes, scan: BinaryIO, places: dict[MarketId, int], *, whole: bool) -> bytes | None:
        """Return the line for ``old`` of the file of the day, None when that is damaged; empty for a repeated one."""
        try:
            market_id = line_ids(old).market_id
            place = places.get(market_id)
            if place is None:
                line = parse_line(old)
                gone = whole and line.last_seen is None and parse_iso(line.fetched_at) < self._now
                return format_line(msgspec.structs.replace(line, last_seen=line.fetched_at)) if gone else old
            if place == _WRITTEN:
                return b""
            scan.seek(place)
            before, found = parse_line(old), parse_line(scan.readline().removeprefix(_UPDATE))
            if (
                before.exhaustive and not whole
            ):  # part of a list cannot tell, and the file has all of the event's markets
                found = msgspec.structs.replace(found, exhaustive=True)
            merged = _fitting(merge_lines(before, found))
        except UNREADABLE:
            return None
        places[market_id] = _WRITTEN
        return merged


def _publish(file: BinaryIO, draft: Path, path: Path) -> None:
    """Durably replace the file at ``path`` by the ``draft`` that was written through ``file``, and close that."""
    file.flush()
    os.fsync(file.fileno())
    draft.chmod(0o644)
    make_dirs(path.parent)
    replace(draft, path)
    sync_dir(path.parent)
    file.close()


def _remove_left_behind(folder: Path) -> None:
    """Delete the drafts of scans that were killed: nobody holds their locks any more."""
    for draft in folder.glob(f"universe-*{_SUFFIX}"):
        with suppress(FileNotFoundError), draft.open("rb") as file:
            if try_lock(file):
                draft.unlink()


def _line(market: Market) -> bytes:
    text = market_line(market)
    return text if len(text) <= LINE_BYTES_MAX else _fitting(to_line(market))


def _fitting(line: MarketLine) -> bytes:
    """Return ``line`` in at most LINE_BYTES_MAX bytes: without its description, and then without its history."""
    text = format_line(line)
    if len(text) > LINE_BYTES_MAX:
        line = msgspec.structs.replace(line, description=None)
        text = format_line(line)
    return text if len(text) <= LINE_BYTES_MAX else format_line(msgspec.structs.replace(line, replaced=()))


def _places(scan: BinaryIO) -> dict[MarketId, int]:
    """Return the offset of each market's latest line, in the order of its first; one to be added beats an update."""
    places: dict[MarketId, int] = {}
    offset = 0
    while line := scan.readline():
        update = line.startswith(_UPDATE)
        market_id = line_ids(line.removeprefix(_UPDATE)).market_id
        if not update or market_id not in places:
            places[market_id] = offset
        offset += len(line)
    return places


def _ids(path: Path) -> Iterator[MarketId]:
    for line in _old_lines(path):
        with suppress(*UNREADABLE):
            yield line_ids(line).market_id


def _old_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of the file of the day, none without one; what cannot be read is left out, with a warning."""
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                yield line if line.endswith(b"\n") else line + b"\n"
    except FileNotFoundError:
        return
    except OSError as error:
        _LOG.warning("%s cannot be read (%s): what it said of earlier today is left out", path, error)


def _without_exhaustive(line: bytes, events: AbstractSet[EventId]) -> bytes:
    found = parse_line(line)
    if found.event_id not in events:
        return line
    return format_line(msgspec.structs.replace(found, exhaustive=False))
