"""Recorded days, and the choice of those to mine."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.store.layout import FOLDERS, NS_DAY, Dataset, day_files, how_to_record


class MiningDay(NamedTuple):
    """One venue's UTC day in one data folder."""

    data_dir: Path
    venue: VenueName
    date: str

    @property
    def start(self) -> int:
        """Start of the day, ns UTC."""
        midnight = datetime.combine(date.fromisoformat(self.date), time(), UTC)
        return int(midnight.timestamp()) * 1_000_000_000

    @property
    def end(self) -> int:
        """End of the day, ns UTC."""
        return self.start + NS_DAY

    def files(self, dataset: Dataset) -> list[Path]:
        """Return the day's files of one dataset, oldest first."""
        return day_files(self.data_dir, dataset, self.venue, self.date)


def recorded_days(data_dir: Path, datasets: Iterable[Dataset] = ("coverage",)) -> list[tuple[str, str]]:
    """Return the (date, venue) pairs of which ``datasets`` have anything, oldest date first."""
    found = {path for name in datasets for path in (data_dir / FOLDERS[name]).glob("venue=*/date=*")}
    return sorted({(path.name.removeprefix("date="), path.parent.name.removeprefix("venue=")) for path in found})


def choose_days(data_dir: Path, venue: str | None, wanted: Sequence[str] | None) -> list[MiningDay]:
    """Return the recorded days of ``wanted`` (YYYY-MM-DD) in order, or the latest; of the venue recorded last.

    Raises ConfigError when there is none, IntegrityError when there is one without coverage.
    """
    for datasets in (("coverage",), tuple(FOLDERS)):
        days = [
            (found_date, found_venue)
            for found_date, found_venue in recorded_days(data_dir, datasets)
            if (wanted is None or found_date in wanted) and venue in (None, found_venue)
        ]
        if days:
            chosen = days[-1][1]
            dates = [found_date for found_date, found_venue in days if found_venue == chosen]
            found = [MiningDay(data_dir, VenueName(chosen), each) for each in (dates if wanted else dates[-1:])]
            for day in found:
                require_coverage(day)
            return found
    raise ConfigError(
        nothing_recorded(data_dir, venue, "..".join(dict.fromkeys((wanted[0], wanted[-1]))) if wanted else None)
    )


def require_coverage(day: MiningDay) -> None:
    """Raise IntegrityError when ``day`` has data and no coverage, ConfigError when it has nothing."""
    if day.files("coverage"):
        return
    others = [FOLDERS[name] for name in FOLDERS if day.files(name)]
    if not others:
        raise ConfigError(nothing_recorded(day.data_dir, day.venue, day.date))
    raise IntegrityError(
        f"{day.venue} {day.date} has {', '.join(others)} and no coverage in {day.data_dir}: nothing tells which time "
        "was observed; restore the files that 'predsurv verify' names"
    )


def nothing_recorded(data_dir: Path, venue: str | None, wanted: str | None) -> str:
    """Return the error line: what is missing, what is recorded instead, what to run."""
    what = " ".join(sanitise(part, 40) for part in (venue, wanted) if part)
    known = [f"{found_venue} {found_date}" for found_date, found_venue in recorded_days(data_dir)[-3:]]
    have = f"there is {', '.join(known)}" if known else how_to_record(venue)
    return f"nothing recorded{' for ' + what if what else ''} in {data_dir}; {have}"
