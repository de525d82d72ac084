"""What a process of a recording and the command that started it say to each other through their pipe."""

import logging
from typing import Final

from msgspec import Struct

from predsurv.collect.rates import CounterReading
from predsurv.collect.report import CollectReport
from predsurv.collect.rescan import ListedUniverse
from predsurv.core.errors import PredsurvError
from predsurv.core.ids import VenueName

STOP: Final = "stop"
"""Said to a process: end in good order."""


class Pulse(Struct, frozen=True):
    """Said by a process every second: its running totals, latency since the last pulse, and its metrics as text.

    ``committed``: monotonic ns of its last commit, ``recording``: whether its feeds are started. ``dropped``: how many
    of its log lines nobody took.
    """

    reading: CounterReading
    metrics: bytes
    committed: int
    recording: bool
    dropped: int


class ListingWanted(Struct, frozen=True):
    """Asked by a process: the list of a venue is due."""

    venue: VenueName


class ListingFound(Struct, frozen=True):
    """The answer: the universe that was written, or why there is none."""

    venue: VenueName
    found: ListedUniverse | PredsurvError


class StderrText(Struct, frozen=True):
    """Text that a process wrote to its stderr."""

    text: str


class LoggedThere(Struct, frozen=True):
    """A log record of a process, its message complete."""

    record: logging.LogRecord


class Ended(Struct, frozen=True):
    """The last word of a process: its report, or why there is none; neither when it was stopped before it recorded."""

    report: CollectReport | None
    failure: Exception | None = None
