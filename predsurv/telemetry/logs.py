"""Formatting of log records as single lines on stderr: text on a terminal, JSON otherwise.

A record may carry text from a venue (control characters) or a secret. The formatters are the last step before the
stream, so sanitising and redaction happen there, for records of every library too.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TextIO

from predsurv.core.text import sanitise
from predsurv.telemetry.redaction import Redactor

LINE_CHARS_MAX: Final = 4_096
VALUE_CHARS_MAX: Final = 1_024

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET: Final = ("httpx", "httpcore", "websockets", "asyncio", "hpack")


class _SafeFormatter(logging.Formatter):
    """Access to the fields of a record without secrets and control characters; the base of both formats."""

    def __init__(
        self, redact: Callable[[str], str], *, traceback: bool, origin: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self._redact = redact
        self._traceback = traceback
        self._origin = origin

    def safe(self, value: object, limit: int = VALUE_CHARS_MAX) -> str:
        """Return ``value`` as text without secrets and control characters."""
        return sanitise(self._redact(str(value)), limit)

    def message(self, record: logging.LogRecord) -> str:
        """Return the message of the record, followed by its exception in one line."""
        text = self.safe(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        return text if error is None else f"{text}: {type(error).__name__}: {self.safe(error)}"

    def extras(self, record: logging.LogRecord) -> dict[str, str | int | bool | None]:
        """Return the fields that the caller passed in ``extra``."""
        return {
            self.safe(name, 64): value if isinstance(value, bool | int | None) else self.safe(value)
            for name, value in vars(record).items()
            if name not in _STANDARD
        }

    def trace(self, record: logging.LogRecord) -> list[str]:
        """Return the lines of the traceback; none without an exception or when tracebacks are off."""
        if not self._traceback or not record.exc_info:
            return []
        # Redacted as one text, because a key can span several lines.
        lines = self._redact(self.formatException(record.exc_info)).splitlines()
        return [sanitise(line, VALUE_CHARS_MAX) for line in lines]


class TextFormatter(_SafeFormatter):
    """``12:03:04 WARNING collect: connection lost venue=kalshi``; times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the indented lines of the traceback if any."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        name = self.safe(record.name, 64).removeprefix("predsurv.")
        fields = "".join(f" {key}={value}" for key, value in self.extras(record).items())
        line = f"{time} {record.levelname:<7} {name}: {self.message(record)}{fields}"
        return "\n    ".join([line[:LINE_CHARS_MAX], *self.trace(record)])


class JsonFormatter(_SafeFormatter):
    """One JSON object per line; a traceback is a list in the object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": self.safe(record.name, 64),
            "message": self.message(record),
        }
        own = {**self._origin, **self.extras(record)}  # a record of another process says whose it is
        entry.update((key, value) for key, value in own.items() if key not in entry)
        trace = self.trace(record)
        if trace:
            entry["traceback"] = trace
        return json.dumps(entry, ensure_ascii=True)


def set_up(
    *,
    level: int = logging.INFO,
    json_lines: bool | None = None,
    secrets: Iterable[str] = (),
    traceback: bool = False,
    stream: TextIO | None = None,
    origin: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[], None]:
    """Send every log record to ``stream`` (default stderr); return a function that undoes it.

    ``json_lines`` None means JSON unless ``stream`` is a terminal. ``traceback`` is for --debug. Libraries that log
    headers and addresses below WARNING are limited to WARNING. ``origin``: fields of every JSON line: whose it is,
    unless the record says that itself.
    """
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json_lines is None else json_lines
    formatter = JsonFormatter if as_json else TextFormatter
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter(Redactor(secrets), traceback=traceback, origin=origin))
    return send_to(handler, level)


def send_to(handler: logging.Handler, level: int = logging.INFO) -> Callable[[], None]:
    """Send every log record from ``level`` on to ``handler``, of libraries from WARNING on; return what undoes it."""
    root = logging.getLogger()
    before = {logger: logger.level for logger in (root, *map(logging.getLogger, _QUIET))}
    for logger in before:
        logger.setLevel(max(level, logging.WARNING))
    root.setLevel(level)
    root.addHandler(handler)

    def undo() -> None:
        root.removeHandler(handler)
        for logger, level_before in before.items():
            logger.setLevel(level_before)

    return undo
