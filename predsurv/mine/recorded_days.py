"""Recorded days, and the choice of the one to mine."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.store.layout import FOLDERS, NS_DAY, Dataset, day_files


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


def choose_day(data_dir: Path, venue: str | None, wanted: str | None) -> MiningDay:
    """Return the day asked for, or the latest recorded one.

    Raises ConfigError when there is none, IntegrityError when there is one without coverage.
    """
    if wanted is not None:
        _check_date(wanted)
    for datasets in (("coverage",), tuple(FOLDERS)):
        days = [
            (found_date, found_venue)
            for found_date, found_venue in recorded_days(data_dir, datasets)
            if wanted in (None, found_date) and venue in (None, found_venue)
        ]
        if days:
            chosen_date, chosen_venue = days[-1]
            day = MiningDay(data_dir, VenueName(chosen_venue), chosen_date)
            require_coverage(day)
            return day
    raise ConfigError(nothing_recorded(data_dir, venue, wanted))


def require_coverage(day: MiningDay) -> None:
    """Raise IntegrityError when ``day`` has data and no coverage, ConfigError when it has nothing."""
    if day.files("coverage"):
        return
    others = [FOLDERS[name] for name in FOLDERS if day.files(name)]
    if not others:
        raise ConfigError(nothing_recorded(day.data_dir, day.venue, day.date))
    raise IntegrityError(
        f"{day.venue} {day.date} has {', '.join(others)} and no coverage in {day.data_dir}: nothing tells which time "
        "was observed; restore the files that `predsurv verify` names"
    )


def _check_date(text: str) -> None:
    try:
        exact = date.fromisoformat(text).isoformat() == text
    except ValueError:
        exact = False
    if not exact:
        raise ConfigError(f"not a date: {sanitise(text, 40)}; write it as YYYY-MM-DD")


def nothing_recorded(data_dir: Path, venue: str | None, wanted: str | None) -> str:
    """Return the error line: what is missing, what is recorded instead, what to run."""
    what = " ".join(sanitise(part, 40) for part in (venue, wanted) if part)
    known = [f"{found_venue} {found_date}" for found_date, found_venue in recorded_days(data_dir)[-3:]]
    have = f"there is {', '.join(known)}" if known else "run 'predsurv collect' first"
    return f"nothing recorded{' for ' + what if what else ''} in {data_dir}; {have}"
