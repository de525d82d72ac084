"""Log records as single harmless lines on stderr: for people on a terminal, JSON otherwise.

Kept apart because every line may carry what a stranger wrote or what nobody may read, and both
are dealt with here, after everything else has had its say.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TextIO

from predsurv.core.text import sanitise
from predsurv.telemetry.redaction import Redactor

LINE_CHARS_MAX: Final = 4_096
VALUE_CHARS_MAX: Final = 1_024

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET: Final = ("httpx", "httpcore", "websockets", "asyncio", "hpack")


class _Lines(logging.Formatter):
    """What both formats share: the fields of a record, made safe."""

    def __init__(self, redact: Callable[[str], str], *, traceback: bool) -> None:
        super().__init__()
        self._redact = redact
        self._traceback = traceback

    def safe(self, value: object, limit: int = VALUE_CHARS_MAX) -> str:
        """Return ``value`` as text without secrets and control characters."""
        return sanitise(self._redact(str(value)), limit)

    def message(self, record: logging.LogRecord) -> str:
        """Return what the record says, the error in one line at its end."""
        said = self.safe(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        return said if error is None else f"{said}: {type(error).__name__}: {self.safe(error)}"

    def extras(self, record: logging.LogRecord) -> dict[str, str | int | bool | None]:
        """Return the fields that the caller passed in ``extra``."""
        return {
            self.safe(name, 64): value if isinstance(value, bool | int | None) else self.safe(value)
            for name, value in vars(record).items()
            if name not in _STANDARD
        }

    def trace(self, record: logging.LogRecord) -> list[str]:
        """Return the lines of the traceback, when they are wanted and there is one."""
        if not self._traceback or not record.exc_info:
            return []
        # Redacted whole, because a key can stretch over several lines.
        lines = self._redact(self.formatException(record.exc_info)).splitlines()
        return [sanitise(line, VALUE_CHARS_MAX) for line in lines]


class PeopleFormat(_Lines):
    """``12:03:04 WARNING collect: connection lost venue=kalshi``; times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line (and the lines of the traceback, when they are wanted)."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        name = self.safe(record.name, 64).removeprefix("predsurv.")
        fields = "".join(f" {key}={value}" for key, value in self.extras(record).items())
        line = f"{time} {record.levelname:<7} {name}: {self.message(record)}{fields}"
        return "\n    ".join([line[:LINE_CHARS_MAX], *self.trace(record)])


class JsonFormat(_Lines):
    """One JSON object per line, always."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": self.safe(record.name, 64),
            "message": self.message(record),
        }
        entry.update((key, value) for key, value in self.extras(record).items() if key not in entry)
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
) -> Callable[[], None]:
    """Send every log record to ``stream`` (stderr); return a function that undoes it.

    ``json_lines`` None means: JSON unless ``stream`` is a terminal. ``traceback`` is for --debug.
    Libraries are heard from WARNING on only: below that they log headers and addresses.
    """
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json_lines is None else json_lines
    form = JsonFormat if as_json else PeopleFormat
    handler = logging.StreamHandler(target)
    handler.setFormatter(form(Redactor(secrets), traceback=traceback))
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
