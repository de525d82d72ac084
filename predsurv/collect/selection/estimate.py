"""Say what a recording will take before anything is connected.

Kept apart and pure so that the figures can be checked: they follow from the plan, from what an
earlier day cost, and where there is none from guesses that are all named here.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from predsurv.collect.selection.planner import Candidate, Plan
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS

DAY_S: Final = 86_400
SECOND: Final = 1_000_000_000

GUESSED_QUIET: Final = 0.02
"""Messages a second of an instrument that nobody trades."""
GUESSED_PER_DOLLAR: Final = 2e-6
"""Messages a second more for each dollar traded in 24 hours: 2 a second for a million."""
GUESSED_BUSY: Final = 50.0
"""Messages a second that no instrument is guessed to exceed."""
GUESSED_MESSAGE_BYTES: Final = 10.0
"""What a message takes on disk."""
GUESSED_SNAPSHOT_BYTES: Final = 40.0
"""What a snapshot row takes on disk."""

HOURLY_DATASETS: Final = 3
DAILY_DATASETS: Final = 2


class RecordedDay(Struct, frozen=True):
    """What an earlier day of the venue took: ``seconds`` observed over all instruments, messages and bytes in them."""

    date: str
    seconds: float
    messages: int
    bytes: int


class WriteSettings(Struct, frozen=True, kw_only=True):
    """How things are written and connected; times in ns. ``compact``: hours become one file each."""

    rotation_period: int
    seal_interval: int
    snapshot_interval: int
    heartbeat_interval: int
    instruments_per_connection: int
    compact: bool


class ResourceEstimate(Struct, frozen=True, kw_only=True):
    """What a venue will take. ``revisit`` in ns; ``guessed``: there was no earlier day to go by."""

    connections: int
    instruments: int
    messages_per_s: float
    bytes_per_day: int
    files_per_day: int
    revisit: int
    guessed: bool


def forecast(
    made: Plan, universe: Iterable[Candidate], pace: WriteSettings, experience: RecordedDay | None
) -> ResourceEstimate:
    """Return what recording ``made`` and its successors will take."""
    count = len(made.want)
    volumes = {each.key: each.volume_24h for each in universe if each.key in made.want}
    if experience is not None and experience.seconds:
        messages = experience.messages / experience.seconds * count
        size = experience.bytes / experience.seconds * count * DAY_S
    else:
        messages = sum(guessed_rate(volume) for volume in volumes.values())
        size = _guessed_bytes(volumes, messages, pace)
    return ResourceEstimate(
        connections=-(-count // pace.instruments_per_connection),
        instruments=count,
        messages_per_s=messages,
        bytes_per_day=round(size),
        files_per_day=_files(pace) if count else 0,
        revisit=max(1, made.revisit) * pace.rotation_period,
        guessed=experience is None or not experience.seconds,
    )


def guessed_rate(volume_24h: int) -> float:
    """Return the messages a second expected of an instrument that traded ``volume_24h`` micros."""
    return min(GUESSED_QUIET + volume_24h / MICROS * GUESSED_PER_DOLLAR, GUESSED_BUSY)


def _guessed_bytes(volumes: Mapping[InstrumentKey, int], messages: float, pace: WriteSettings) -> float:
    most = SECOND / max(pace.snapshot_interval, SECOND // 10)
    least = SECOND / pace.heartbeat_interval
    rows = sum(min(most, max(least, guessed_rate(volume))) for volume in volumes.values())
    return (messages * GUESSED_MESSAGE_BYTES + rows * GUESSED_SNAPSHOT_BYTES) * DAY_S


def _files(pace: WriteSettings) -> int:
    seals = -(-DAY_S * SECOND // pace.seal_interval)
    hourly, daily = (24, 1) if pace.compact else (seals, seals)
    return hourly * HOURLY_DATASETS + daily * DAILY_DATASETS
