"""Lines of a log as values: read back, selected, and written for people or programs.

A log may hold lines of other programs, and whatever a venue or a file put into a message, so nothing of a line is
believed: what is not one of our JSON objects is a message of its own, and every text is sanitised before it is shown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from predsurv.core.text import sanitise

Level = Literal["debug", "info", "warning", "error", "critical"]

LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error", "critical")
"""From the least to the most urgent."""

LINE_BYTES_MAX: Final = 1 << 16
"""What is read of one line; the rest of a longer one is left out."""

TEXT_CHARS_MAX: Final = 4_096

_PACKAGE: Final = "predsurv."
_KNOWN: Final = ("time", "level", "logger", "message", "collector", "traceback")
_FIELDS_MAX: Final = 50
_WRITTEN: Final = re.compile(
    r"(?P<time>\d\d:\d\d:\d\d) (?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) +(?P<component>[\w.]+): (?P<message>.*)",
    re.S,
)
_PLAIN: Final[Mapping[str, Level]] = {"error: ": "error", "unexpected ": "error", "warning: ": "warning"}
"""How the lines begin that a command prints for people."""


class LoggedLine(Struct, frozen=True):
    """One record of a log, made safe to show.

    ``time``: as it was written, ISO 8601 in UTC, or empty. ``component``: the module that wrote it, without the name of
    the package; empty where nobody said. ``collector``: the id of the collector whose process it was, or empty.
    ``fields``: what else the record says, as text. ``traceback``: lines, where it has one.
    """

    time: str
    level: Level
    component: str
    collector: str
    message: str
    fields: Mapping[str, str] = {}
    traceback: Sequence[str] = ()


class LogFilter(Struct, frozen=True):
    """Which lines are wanted: of this level or worse, of any of these components and collectors (empty: of all).

    A component is its dotted name or the beginning of one: ``collect`` stands for ``collect.output.sealer`` too.
    """

    level: Level = "debug"
    components: Sequence[str] = ()
    collectors: Sequence[str] = ()

    def takes(self, line: LoggedLine) -> bool:
        """Return whether ``line`` is wanted."""
        if LEVELS.index(line.level) < LEVELS.index(self.level):
            return False
        if self.collectors and line.collector not in self.collectors:
            return False
        return not self.components or any(_is_of(line.component, name) for name in self.components)


def _is_of(component: str, name: str) -> bool:
    wanted = name.removeprefix(_PACKAGE)
    return component == wanted or component.startswith(f"{wanted}.")


def parse_line(line: bytes) -> LoggedLine:
    """Return a line of a log, whatever it holds."""
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        entry = None
    if isinstance(entry, dict) and isinstance(entry.get("message"), str):
        return _of_entry(entry)
    text = line.decode("utf-8", "replace")
    written = _WRITTEN.fullmatch(text)
    if written is not None:
        level = next(each for each in LEVELS if each == written["level"].lower())
        return LoggedLine(written["time"], level, written["component"], "", _safe(written["message"]))
    begun = next((start for start in _PLAIN if text.startswith(start)), None)
    return LoggedLine("", "info" if begun is None else _PLAIN[begun], "", "", _safe(text))


def _of_entry(entry: Mapping[str, object]) -> LoggedLine:
    level: Level = next((each for each in LEVELS if each == entry.get("level")), "info")
    trace = entry.get("traceback")
    others = [(name, value) for name, value in entry.items() if name not in _KNOWN][:_FIELDS_MAX]
    return LoggedLine(
        _text(entry.get("time"), 40),
        level,
        _text(entry.get("logger"), 80).removeprefix(_PACKAGE),
        _text(entry.get("collector"), 64),
        _text(entry.get("message"), TEXT_CHARS_MAX),
        {sanitise(name, 64): _text(value, TEXT_CHARS_MAX) for name, value in others},
        [_text(each, TEXT_CHARS_MAX) for each in trace] if isinstance(trace, list) else (),
    )


def _text(value: object, limit: int) -> str:
    if value is None:
        return ""
    return sanitise(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)


def _safe(text: str) -> str:
    return sanitise(text.rstrip("\r\n"), TEXT_CHARS_MAX)


def for_people(line: LoggedLine) -> str:
    """Return ``2026-11-20 12:03:04 WARNING collect: connection lost venue=kalshi``, without what the line lacks."""
    moment = line.time[:19].replace("T", " ")
    told = f"{line.component}: {line.message}" if line.component else line.message
    fields = "".join(f" {name}={value}" for name, value in line.fields.items())
    head = f"{moment} {line.level.upper():<7} " if moment or line.component else ""
    return f"{head}{told}{fields}"


def for_programs(line: LoggedLine) -> dict[str, object]:
    """Return the line as the JSON object that ``predsurv logs`` prints: null where the line does not say."""
    return {
        "time": line.time or None,
        "level": line.level,
        "component": line.component or None,
        "collector": line.collector or None,
        "message": line.message,
        "fields": dict(line.fields),
        "traceback": list(line.traceback),
    }
