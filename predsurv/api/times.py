"""Points in time as people write them, UTC everywhere."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan

Time = int | datetime | date | str
"""Whole ns, a datetime (without a zone: UTC), a day, or text such as ``"2026-01-31"`` and ``"2026-01-31T12:00"``."""

YEARS: Final = range(2000, 2100)
"""Years in which a time can be meant; any other is a mistake, mostly of its unit."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) * 1_000
    for year in (YEARS.start, YEARS.stop)
)
_DAY_CHARS: Final = len("2026-01-31")


def to_ns(given: Time) -> int:
    """Return a point in time in ns UTC, of a day its beginning.

    Raises ConfigError for text that is none, and for a time in no year in which it can be meant.
    """
    ns = given if isinstance(given, int) else _moment(given)
    if not _FIRST <= ns < _LAST:
        shown = sanitise(str(given), 40)
        raise ConfigError(
            f"{shown}: a time from {YEARS.start} to {YEARS.stop - 1} is expected, as a number in whole ns"
        )
    return ns


def _moment(given: datetime | date | str) -> int:
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise ConfigError(f"expected a time such as 2026-01-31T12:00; got {sanitise(str(given), 40)!r}") from None
    if not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    known = given if given.tzinfo is not None else given.replace(tzinfo=UTC)
    return (known - _EPOCH) // timedelta(microseconds=1) * 1_000


def to_span(start: Time, end: Time) -> ReplaySpan:
    """Return a span, with all of a day that is its end; raises ConfigError for one without any time in it."""
    found = ReplaySpan(to_ns(start), to_ns(end) + (NS_DAY if _is_day(end) else 0))
    if found.end <= found.start:
        first, last = (sanitise(str(each), 40) for each in (start, end))
        raise ConfigError(f"from {first} to {last}: the end is not after the start")
    return found


def _is_day(given: Time) -> bool:
    if isinstance(given, str):
        return len(given) == _DAY_CHARS
    return isinstance(given, date) and not isinstance(given, datetime)
