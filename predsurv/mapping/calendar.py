"""Calendar values: dates of which a text states a part, day ranges, and the clocks of the zones that rules name.

Days are proleptic ordinals (``date.toordinal``), instants minutes of UTC since day 0. Rules of daylight saving are
those of the United States and Europe since 2007; the zone database of the machine is not asked.
"""

from datetime import date
from typing import Final, Literal

from msgspec import Struct

DayRelation = Literal["equal", "subset", "superset", "overlap", "different", "unknown"]

DAY_MINUTES: Final = 1_440
YEAR_MIN: Final = 1990
YEAR_MAX: Final = 2199
LEAP_YEAR: Final = 2000
"""The year in which dates are compared when one side states none."""


class PartialDate(Struct, frozen=True, gc=False):
    """A year, a month or a day, as far as a text states it; at least one of year and month."""

    year: int | None
    month: int | None = None
    day: int | None = None

    def first(self, year: int) -> int:
        """Return its first day; ``year`` is that of a date without one, in which February 29 may be March 1."""
        return date(self.year or year, self.month or 1, 1).toordinal() + (self.day or 1) - 1

    def after(self, year: int) -> int:
        """Return the first day behind it."""
        stated = self.year or year
        if self.day is not None:
            return self.first(year) + 1
        if self.month is None or self.month == 12:
            return date(stated + 1, 1, 1).toordinal()
        return date(stated, self.month + 1, 1).toordinal()


def partial_date(year: int | None, month: int | None, day: int | None = None) -> PartialDate | None:
    """Return the date, None where there is no such day."""
    try:
        date(year or LEAP_YEAR, month or 1, day or 1)
    except ValueError:
        return None
    return PartialDate(year, month, day) if year is None or YEAR_MIN <= year <= YEAR_MAX else None


class DayRange(Struct, frozen=True):
    """The days from ``low`` up to but not including ``high``; None is an open end."""

    low: int | None
    high: int | None


def relate_days(one: DayRange, other: DayRange) -> DayRelation:
    """Return how ``one`` relates to ``other``; an end that only one of them states makes it the smaller set."""
    if one == other:
        return "equal"
    if _apart(one, other) or _apart(other, one):
        return "different"
    inside = _within(one, other)
    return "subset" if inside else "superset" if _within(other, one) else "overlap"


def _apart(one: DayRange, other: DayRange) -> bool:
    return one.high is not None and other.low is not None and one.high <= other.low


def _within(one: DayRange, other: DayRange) -> bool:
    low = other.low is None or (one.low is not None and one.low >= other.low)
    return low and (other.high is None or (one.high is not None and one.high <= other.high))


ZONES: Final = {
    "et": (-300, "us"),
    "est": (-300, ""),
    "edt": (-240, ""),
    "eastern": (-300, "us"),
    "ct": (-360, "us"),
    "cst": (-360, ""),
    "cdt": (-300, ""),
    "mt": (-420, "us"),
    "mst": (-420, ""),
    "mdt": (-360, ""),
    "pt": (-480, "us"),
    "pst": (-480, ""),
    "pdt": (-420, ""),
    "pacific": (-480, "us"),
    "utc": (0, ""),
    "gmt": (0, ""),
    "cet": (60, "eu"),
    "bst": (60, ""),
    "cest": (120, ""),
}
"""Minutes ahead of UTC in winter, and whose rule of daylight saving holds ("" for none)."""


def utc_minute(day: int, minute: int, zone: str) -> int:
    """Return the instant at ``minute`` of ``day`` in ``zone``, in minutes of UTC since day 0."""
    offset, rule = ZONES[zone]
    summer = rule != "" and _is_summer(day, rule)
    return day * DAY_MINUTES + minute - offset - (60 if summer else 0)


def _is_summer(day: int, rule: str) -> bool:
    year = date.fromordinal(day).year
    if rule == "us":
        return _sunday(year, 3, 8) <= day < _sunday(year, 11, 1)
    return _sunday(year, 3, 25) <= day < _sunday(year, 10, 25)


def _sunday(year: int, month: int, earliest: int) -> int:
    """Return the first Sunday from day ``earliest`` of a month on."""
    day = date(year, month, earliest).toordinal()
    return day + -day % 7
