"""Days and ranges of days as they are written on the command line, UTC, and downloads of what they lack."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from predsurv.api.times import to_ns
from predsurv.cli.commands.bucket import fetch, fetch_day
from predsurv.cli.output.render import say
from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.store.layout import NS_DAY, Dataset, date_of, day_ranges
from predsurv.store.read.facts import LISTS_BEFORE
from predsurv.store.read.recording import ReplaySpan, require_possible
from predsurv.store.remote.download import DownloadRequest

_FACTS: Final[tuple[Dataset, ...]] = ("coverage", "lifecycle")
"""What is read of the days before a replay: what held when it begins."""

_DAYS_AGO: Final = {"today": 0, "yesterday": 1}
_TIME_OF_DAY: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?\Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def span_of(dates: str) -> ReplaySpan:
    """Return the days that ``dates`` names: ``2026-01-31``, ``2026-01-31..2026-02-02``, ``today`` or ``yesterday``.

    Raises ConfigError, one line, for anything else.
    """
    first, _, last = dates.partition("..")
    start, end = _day(first), _day(last or first) + NS_DAY
    if end <= start:
        raise ConfigError(f"{first}..{last}: the last day is before the first")
    return ReplaySpan(start, end)


def moment_of(text: str) -> int:
    """Return a moment in ns UTC: ``2026-01-31T12:00:05``, a day's beginning, ``12:00`` of today, or ``now``.

    Raises ConfigError, one line, for anything else.
    """
    now = SystemClock().now()
    if text == "now":
        return now
    if text in _DAYS_AGO:
        return _day(text)
    return to_ns(f"{date_of(now)}T{text}" if _TIME_OF_DAY.match(text) else text)


def say_missing(wanted: Sequence[str] | None, there: Collection[str]) -> None:
    """Name on stderr the days of ``wanted`` (YYYY-MM-DD, in order; None: nothing was named) that are not ``there``."""
    if missing := [day for day in wanted or () if day not in there]:
        say(f"not recorded: {day_ranges(missing)}")


def fetched_days(config: Config, venue: str | None, date: str | None) -> Sequence[str] | None:
    """Return the days that ``date`` names, after they were fetched from the bucket, if there is one; None for None."""
    if date is None:
        fetch_day(config, venue, None)
        return None
    days = span_of(date).dates()
    for each in days:
        fetch_day(config, venue, each)
    return days


async def fetch_days(config: Config, venue: VenueName, span: ReplaySpan) -> None:
    """Download what of the days, and of what held when they began, is in a bucket only.

    Raises ConfigError for days in which nothing can have been recorded.
    """
    require_possible(config.data_dir, venue, span)
    before = ReplaySpan(span.start - LISTS_BEFORE, span.start).dates()
    if await fetch(config, DownloadRequest(venue=venue, dates=span.dates(), universe=True)):
        await fetch(config, DownloadRequest(venue=venue, dates=before, datasets=_FACTS, universe=True))


def _day(text: str) -> int:
    if text in _DAYS_AGO:
        return SystemClock().now() // NS_DAY * NS_DAY - _DAYS_AGO[text] * NS_DAY
    try:
        day = datetime.fromisoformat(text if _DATE.match(text) else "")
        return int(day.replace(tzinfo=UTC).timestamp()) * 1_000_000_000
    except ValueError:
        raise ConfigError(
            f"expected a day such as 2026-01-31, 2026-01-31..2026-02-02 or today; got {sanitise(text, 40)!r}"
        ) from None
