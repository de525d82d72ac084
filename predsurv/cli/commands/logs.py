"""``predsurv logs``: the log files of what runs on a data folder, readable, selected, and followed."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Final, TextIO, cast

import typer
from rich.text import Text

from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import Column
from predsurv.cli.output.folding import folded
from predsurv.cli.output.render import Table, console, near, say, show, speaks_unicode
from predsurv.config import load
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock
from predsurv.store.layout import Layout
from predsurv.store.log_places import noted_logs
from predsurv.telemetry.log_files import FollowedLog, LineSplitter
from predsurv.telemetry.log_lines import (
    TEXT_CHARS_MAX,
    Level,
    LogFilter,
    LoggedLine,
    for_people,
    for_programs,
    parse_line,
)

_LINES: Final = 50
_POLL: Final = 250_000_000
"""How often (ns) files are looked at."""
_STDIN: Final = "-"
_BLOCK: Final = 1 << 16
_STYLES: Final = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}
_TRACE: Final = "    "
_COLUMNS: Final = tuple(
    Column(key, key, chars_max=TEXT_CHARS_MAX)
    for key in ("time", "level", "component", "collector", "message", "fields", "traceback")
)

Printer = Callable[[Iterable[LoggedLine]], None]


def logs(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Log files, '-' for stdin; default: those of the data folder's runs."),
    ] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written, also when a file is rotated.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=0, max=1_000_000, help="The last so many lines that match.")
    ] = _LINES,
    level: Annotated[Level, typer.Option("--level", help="Only lines of this level or worse.")] = "debug",
    component: Annotated[
        list[str] | None,
        typer.Option("--component", metavar="NAME", help="Only of this part, such as collect; may be repeated."),
    ] = None,
    collector: Annotated[
        list[str] | None,
        typer.Option("--collector", metavar="ID", help="Only of this collector; may be repeated."),
    ] = None,
) -> None:
    """Show the log of recording and trading runs started with --log-file.

    Of a service: journalctl -u predsurv-collect -o cat | predsurv logs - --level warning
    """
    wanted = LogFilter(level, component or (), collector or ())
    if follow and format == "csv":
        raise ConfigError("--follow has no end, and CSV is written at the end; use --format jsonl")
    printer = _printer(format, follow=follow)
    if files == [Path(_STDIN)]:
        found = filter(wanted.takes, _from_stdin())
        printer(found if follow else deque(found, lines))
        return
    opened = [FollowedLog(path) for path in _found(files, config, follow=follow)]
    if len(opened) > 1:
        say(f"from {', '.join(near(each.path) for each in opened)}")
    try:
        _show(opened, wanted, lines, printer, follow=follow)
    except OSError as error:
        if error.filename is None:
            raise  # of stdout
        raise ConfigError(f"{sanitise(str(error.filename), 200)}: {error.strerror}") from None
    finally:
        for each in opened:
            each.close()


def _found(files: Sequence[Path] | None, config: str | None, *, follow: bool) -> list[Path]:
    if not files:
        folder = load(config).config.data_dir
        noted = noted_logs(Layout(folder))
        if not noted:
            raise ConfigError(
                f"no run on data folder {folder} has a log file: start one with --log-file FILE, or name a file; "
                "of a service: journalctl -u predsurv-collect -o cat | predsurv logs -"
            )
        return noted
    for path in files:
        if path == Path(_STDIN):
            raise ConfigError("'-' stands alone: name files, or read stdin")
        if path.is_dir():
            raise ConfigError(f"{sanitise(str(path), 200)} is a folder; name its files")
        if not path.exists():
            if not follow:
                raise ConfigError(f"{sanitise(str(path), 200)}: no such file")
            say(f"{path} is not there yet; waiting for it")
    return list(files)


def _show(opened: Sequence[FollowedLog], wanted: LogFilter, count: int, printer: Printer, *, follow: bool) -> None:
    last = deque(merge(*(each.last(count, wanted.takes) for each in opened), key=_moment), count)
    if not follow:
        last.extend(_merged(opened, FollowedLog.rest, wanted))
        printer(last)
        return
    printer(last)
    try:
        asyncio.run(_follow(opened, wanted, printer, SystemClock()))
    except KeyboardInterrupt:
        return


async def _follow(opened: Sequence[FollowedLog], wanted: LogFilter, printer: Printer, clock: Clock) -> None:
    while True:
        printer(_merged(opened, FollowedLog.more, wanted))
        await clock.sleep(_POLL)


def _merged(
    opened: Sequence[FollowedLog], read: Callable[[FollowedLog], Iterator[LoggedLine]], wanted: LogFilter
) -> Iterator[LoggedLine]:
    return merge(*(filter(wanted.takes, read(each)) for each in opened), key=_moment)


def _moment(line: LoggedLine) -> str:
    return line.time


def _from_stdin() -> Iterator[LoggedLine]:
    """Yield the lines of stdin as they come."""
    splitter = LineSplitter()
    source = cast(BufferedReader, sys.stdin.buffer)
    while block := source.read1(_BLOCK):
        yield from map(parse_line, splitter.lines(block))
    yield from map(parse_line, splitter.end())


def _printer(form: OutputFormat, *, follow: bool) -> Printer:
    """Return what prints lines as they are handed to it; a list (JSON, CSV) is whole at once."""
    if form == "table":
        return _Terminal(sys.stdout).print
    if form == "csv":
        return lambda lines: show(Table("logs", "Logs", _COLUMNS, [_row(line) for line in lines]), form)
    if form == "jsonl" or follow:
        return _print_objects
    return lambda lines: print(
        json.dumps([for_programs(line) for line in lines], indent=1, ensure_ascii=not speaks_unicode(sys.stdout))
    )


def _print_objects(lines: Iterable[LoggedLine]) -> None:
    for line in lines:
        print(json.dumps(for_programs(line), ensure_ascii=not speaks_unicode(sys.stdout)), flush=True)


def _row(line: LoggedLine) -> tuple[str, ...]:
    fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
    return (line.time, line.level, line.component, line.collector, line.message, fields, " | ".join(line.traceback))


class _Terminal:
    """Prints lines for people: folded and coloured where a terminal shows them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = console(stream)

    def print(self, lines: Iterable[LoggedLine]) -> None:
        """Print ``lines``, each at once."""
        for line in lines:
            self._print(for_people(line), _STYLES.get(line.level, ""))
            for each in line.traceback:
                self._print(f"{_TRACE}{each}", "dim")

    def _print(self, text: str, style: str) -> None:
        if self._stream.isatty():
            shown = folded(text, self._console.width, len(_TRACE))
            self._console.print(Text(shown, style=style), soft_wrap=True)
        else:
            print(text, file=self._stream)
        self._stream.flush()
