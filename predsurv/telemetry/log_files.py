"""Log files as they are read: their last lines, and what comes after, across their rotation.

A file is rotated by moving it away; its writer goes on in the moved one until it is told to open its file anew, and
somebody may have made the new one meanwhile. The moved one is therefore read on until something is in the new one.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from predsurv.telemetry.log_lines import LINE_BYTES_MAX, LoggedLine, parse_line

_BLOCK: Final = 1 << 16

Takes = Callable[[LoggedLine], bool]


class LineSplitter:
    """Makes lines of blocks; what is longer than ``LINE_BYTES_MAX`` is cut."""

    def __init__(self) -> None:
        self._rest = b""

    def lines(self, block: bytes) -> Iterator[bytes]:
        """Yield the lines that end in ``block``, without their ends."""
        *whole, rest = block.split(b"\n")
        for line in whole:
            yield (self._rest + line)[:LINE_BYTES_MAX]
            self._rest = b""
        self._rest = (self._rest + rest)[:LINE_BYTES_MAX]

    def end(self) -> Iterator[bytes]:
        """Yield the line that has no end, if there is one: nothing more will come."""
        rest, self._rest = self._rest, b""
        if rest:
            yield rest


class FollowedLog:
    """One log file, which may be rotated, cut short or not there yet. Its methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._splitter = LineSplitter()

    def last(self, count: int, takes: Takes) -> list[LoggedLine]:
        """Return the last ``count`` lines that ``takes`` wants, the oldest first; ``more`` goes on behind them."""
        with suppress(FileNotFoundError):
            self._open()
        if self._file is None:
            return []
        end = self._end_of_lines(self._file)
        self._file.seek(end)
        return _last(self._file, end, count, takes)

    def more(self) -> Iterator[LoggedLine]:
        """Yield the lines that have come since, from the file that was moved away first."""
        yield from self._drain()
        try:
            there = self.path.stat()
        except FileNotFoundError:  # moved away, and none made yet
            return
        if self._file is None:
            self._open()
            yield from self._drain()
            return
        read = os.fstat(self._file.fileno())
        if (there.st_dev, there.st_ino) == (read.st_dev, read.st_ino):
            if there.st_size < self._file.tell():  # cut short, and written anew from its beginning
                self._begin(self._file)
                yield from self._drain()
        elif there.st_size:
            yield from self._drain()  # its writer has left it by now: this is the rest
            yield from self._unended()
            self._open()
            yield from self._drain()

    def rest(self) -> Iterator[LoggedLine]:
        """Yield the last line where it has no end, when nothing more is waited for."""
        yield from self._drain()
        yield from self._unended()

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        opened = self.path.open("rb", buffering=0)
        self.close()
        self._begin(opened)

    def _begin(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file, self._splitter = file, LineSplitter()

    def _drain(self) -> Iterator[LoggedLine]:
        while self._file is not None and (block := self._file.read(_BLOCK)):
            for line in self._splitter.lines(block):
                yield parse_line(line)

    def _unended(self) -> Iterator[LoggedLine]:
        for line in self._splitter.end():
            yield parse_line(line)

    @staticmethod
    def _end_of_lines(file: BinaryIO) -> int:
        """Return where the line begins that has no end yet."""
        for start, block in _backwards(file, file.seek(0, os.SEEK_END)):
            found = block.rfind(b"\n")
            if found >= 0:
                return start + found + 1
        return 0


def _last(file: BinaryIO, end: int, count: int, takes: Takes) -> list[LoggedLine]:
    found: deque[LoggedLine] = deque()
    rest = b""  # the end of a line whose beginning lies before what was read
    position = file.tell()
    for _, block in _backwards(file, end) if count else ():
        first, *lines = (block + rest).split(b"\n")
        rest = first[: LINE_BYTES_MAX + 1]
        for line in reversed(lines):
            _keep(line, found, takes)
            if len(found) == count:
                break
        if len(found) == count:
            break
    else:
        _keep(rest, found, takes)
    file.seek(position)
    return list(found)


def _keep(line: bytes, found: deque[LoggedLine], takes: Takes) -> None:
    if line:
        parsed = parse_line(line[:LINE_BYTES_MAX])
        if takes(parsed):
            found.appendleft(parsed)


def _backwards(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks before ``end`` with the offset of each, the last one first."""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        yield start, file.read(end - start)
        end = start
