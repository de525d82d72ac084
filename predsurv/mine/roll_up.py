"""Measure the hours that were compacted, so that whoever mines their day need not read them."""

from collections.abc import Iterable
from pathlib import Path

from predsurv.core.ids import VenueName
from predsurv.mine.day_measures import ROWS_PER_STEP, roll_up
from predsurv.mine.recorded_days import MiningDay
from predsurv.store.layout import HOURLY, parse_file
from predsurv.store.manifest import SealedFile
from predsurv.store.read.verify_digests import retry_if_replaced


def merged_days(merged: Iterable[SealedFile]) -> list[tuple[VenueName, str]]:
    """Return the venue and date of each day of which hours are among the ``merged`` files, oldest first."""
    found = [parse_file(Path(file.path))[0] for file in merged]
    return sorted({(each.venue, each.date) for each in found if each.dataset in HOURLY}, key=lambda day: day[::-1])


def roll_up_day(data_dir: Path, venue: VenueName, date: str, rows_per_step: int = ROWS_PER_STEP) -> None:
    """Write the roll-ups of the compacted hours of a day that have none yet.

    Raises ConfigError when nothing was recorded, IntegrityError when there is no coverage or a file's digest is wrong,
    OSError when they cannot be written.
    """
    retry_if_replaced(lambda: roll_up(MiningDay(data_dir, venue, date), rows_per_step))
