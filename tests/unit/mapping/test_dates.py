"""The date grammar: what texts say, what they do not, and that nothing makes it fail."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mapping.calendar import YEAR_MAX, YEAR_MIN, DayRange
from predsurv.mapping.dates import Window, windows
from predsurv.mapping.normalise import normalise

MONTHS = [date(2026, month, 1).strftime("%B") for month in range(1, 13)]
DAYS = st.dates(date(YEAR_MIN + 1, 1, 1), date(YEAR_MAX - 1, 12, 31))


def window(text: str) -> Window:
    (found,) = windows(normalise(text))
    return found


def days(text: str, year: int = 2026) -> tuple[str | None, str | None]:
    found = window(text).days(year)
    low, high = (None if end is None else date.fromordinal(end).isoformat() for end in (found.low, found.high))
    return low, high


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("before Jan 1, 2027", None, "2027-01-01"),
        ("by December 31, 2026?", None, "2027-01-01"),
        ("by 31 Dec. 2026", None, "2027-01-01"),
        ("before 2027?", None, "2027-01-01"),
        ("by the end of 2026", None, "2027-01-01"),
        ("in 2030", "2030-01-01", "2031-01-01"),
        ("in June 2026", "2026-06-01", "2026-07-01"),
        ("on Dec 10", "2026-12-10", "2026-12-11"),
        ("on December 10th, 2025", "2025-12-10", "2025-12-11"),
        ("2026-09-08", "2026-09-08", "2026-09-09"),
        ("Q2 2026", "2026-04-01", "2026-07-01"),
        ("Dec 5-7, 2025", "2025-12-05", "2025-12-08"),
        ("from Dec 28 to Jan 3, 2026", "2025-12-28", "2026-01-04"),
        ("between Nov 4, 2025 and Dec 31, 2025", "2025-11-04", "2026-01-01"),
        ("the 2025-26 season", "2025-01-01", "2027-01-01"),
        ("after the December 2025 meeting", "2025-12-01", "2026-01-01"),
        ("after March 3, 2026", "2026-03-04", None),
        ("at the end of February 2028", "2028-02-29", "2028-03-01"),
        ("end of January?", "2026-01-31", "2026-02-01"),
        ("through March 31", None, "2026-04-01"),
        ("on February 29", "2026-03-01", "2026-03-02"),
    ],
)
def test_what_a_text_says_of_time(text: str, low: str | None, high: str | None) -> None:
    assert days(text) == (low, high)


@given(DAYS)
def test_before_a_day_is_by_the_day_before(day: date) -> None:
    eve = day - timedelta(days=1)
    before = window(f"before {MONTHS[day.month - 1]} {day.day}, {day.year}")
    by = window(f"by {MONTHS[eve.month - 1][:3]} {eve.day}, {eve.year}")
    assert before.days(1990) == by.days(1990) == DayRange(None, day.toordinal())


@given(DAYS, DAYS)
def test_a_range_covers_both_its_ends(one: date, other: date) -> None:
    first, last = sorted((one, other))
    text = f"from {MONTHS[first.month - 1]} {first.day}, {first.year} to {last.isoformat()}"
    assert window(text).days(1990) == DayRange(first.toordinal(), last.toordinal() + 1)


@pytest.mark.parametrize("text", ["by June", "by 2030", "until March"])
def test_a_month_or_year_after_by_may_mean_its_first_or_its_last_day(text: str) -> None:
    assert window(text).ambiguous


@pytest.mark.parametrize("text", ["by June 30", "before June", "by the end of June", "in June"])
def test_what_has_one_meaning_is_not_ambiguous(text: str) -> None:
    assert not window(text).ambiguous


@pytest.mark.parametrize(
    ("text", "minute", "zone"),
    [
        ("by January 31, 2026 at 11:59 PM ET", 1439, "et"),
        ("by January 31, 2026, 12:00 AM UTC", 0, "utc"),
        ("at 4pm EST on March 3, 2026", 960, "est"),
        ("by Jan 31, 2026 (midnight PT)", 1440, "pt"),
        ("by January 31, 2026", None, None),
    ],
)
def test_a_clock_beside_a_date_is_its_own(text: str, minute: int | None, zone: str | None) -> None:
    found = window(text)
    assert (found.minute, found.zone) == (minute, zone)


@pytest.mark.parametrize(
    "text",
    [
        "Will May resign?",
        "31 Feb 2026",
        "Super Bowl 60",
        "above 2050.5 points",
        "S&P 500",
        "$2,026",
        "may win",
        "1/32/2026",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert windows(normalise(text)) == ()


@given(st.text(max_size=200))
def test_nothing_makes_it_fail(text: str) -> None:
    for found in windows(normalise(text)):
        assert 0 <= found.start < found.stop
        found.days(2026)


@given(st.text(alphabet="0123456789-/ ,.:abcdejmnoruvyptby", max_size=60))
def test_nothing_like_a_date_makes_it_fail(text: str) -> None:
    for found in windows(normalise(text)):
        found.days(2026)
