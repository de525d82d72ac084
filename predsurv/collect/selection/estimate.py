"""Estimate the resources of a recording before anything is connected.

The figures follow from the plan and from an earlier recorded day, or, without one, from the constants here.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from predsurv.collect.selection.planner import EXPLORING, Candidate, Plan
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS

DAY_S: Final = 86_400
SECOND: Final = 1_000_000_000
_HOURS: Final = 24

GUESSED_QUIET: Final = 0.02
"""Messages a second of an instrument without trades."""
GUESSED_PER_DOLLAR: Final = 2e-6
"""Messages a second more for each dollar traded in 24 hours: 2 a second for a million."""
GUESSED_BUSY: Final = 50.0
"""Upper bound of the messages a second of one instrument."""
GUESSED_MESSAGE_BYTES: Final = 10.0
"""Bytes on disk of a message."""
GUESSED_SNAPSHOT_BYTES: Final = 40.0
"""Bytes on disk of a snapshot row."""

HOURLY_DATASETS: Final = 3
DAILY_DATASETS: Final = 3


class RecordedDay(Struct, frozen=True):
    """An earlier day (YYYY-MM-DD): ``seconds`` covered, summed over instruments; messages and bytes in them.

    A book is written whole when it is opened: at the start, in each hour, when rotation brings it. That happened
    ``openings`` times in ``opening_bytes``, which are not among ``bytes``; nor are their rows messages.
    """

    date: str
    seconds: float
    messages: int
    bytes: int
    openings: int = 0
    opening_bytes: int = 0


class WriteSettings(Struct, frozen=True, kw_only=True):
    """Settings that determine the resources; times in ns. ``compact``: the files of an hour are merged into one."""

    rotation_period: int
    seal_interval: int
    snapshot_interval: int
    heartbeat_interval: int
    instruments_per_connection: int
    compact: bool


class ResourceEstimate(Struct, frozen=True, kw_only=True):
    """The resources of recording a venue.

    ``revisit``: ns within which each instrument is recorded again. ``guessed``: no earlier day was available.
    """

    connections: int
    instruments: int
    messages_per_s: float
    bytes_per_day: int
    files_per_day: int
    revisit: int
    guessed: bool


def forecast(
    made: Plan, candidates: Iterable[Candidate], settings: WriteSettings, recorded: RecordedDay | None
) -> ResourceEstimate:
    """Return the resources of recording ``made`` and the plans after it, from the ``recorded`` day if there is one."""
    count = len(made.want)
    volumes = {each.key: each.volume_24h for each in candidates if each.key in made.want}
    if recorded is not None and recorded.seconds:
        messages = recorded.messages / recorded.seconds * count
        size = recorded.bytes / recorded.seconds * count * DAY_S
        size += recorded.opening_bytes / max(recorded.openings, 1) * _openings(made, settings)
    else:
        messages = sum(guessed_rate(volume) for volume in volumes.values())
        size = _guessed_bytes(volumes, messages, settings)
    return ResourceEstimate(
        connections=-(-count // settings.instruments_per_connection),
        instruments=count,
        messages_per_s=messages,
        bytes_per_day=round(size),
        files_per_day=_files(settings) if count else 0,
        revisit=max(1, made.revisit) * settings.rotation_period,
        guessed=recorded is None or not recorded.seconds,
    )


def _openings(made: Plan, settings: WriteSettings) -> float:
    """Return how many books are written whole in a day: each once an hour, those of the sweep in every rotation."""
    swept = made.count(*EXPLORING) if made.revisit > 1 else 0
    return len(made.want) * _HOURS + swept * DAY_S * SECOND / settings.rotation_period


def guessed_rate(volume_24h: int) -> float:
    """Return the messages a second expected of an instrument with a volume of ``volume_24h`` micros."""
    return min(GUESSED_QUIET + volume_24h / MICROS * GUESSED_PER_DOLLAR, GUESSED_BUSY)


def _guessed_bytes(volumes: Mapping[InstrumentKey, int], messages: float, settings: WriteSettings) -> float:
    most = SECOND / max(settings.snapshot_interval, SECOND // 10)
    least = SECOND / settings.heartbeat_interval
    rows = sum(min(most, max(least, guessed_rate(volume))) for volume in volumes.values())
    return (messages * GUESSED_MESSAGE_BYTES + rows * GUESSED_SNAPSHOT_BYTES) * DAY_S


def _files(settings: WriteSettings) -> int:
    seals = -(-DAY_S * SECOND // settings.seal_interval)
    hourly, daily = (_HOURS, 1) if settings.compact else (seals, seals)
    return hourly * HOURLY_DATASETS + daily * DAILY_DATASETS
