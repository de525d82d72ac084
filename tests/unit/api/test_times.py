"""Times as people write them, UTC everywhere; a day as an end is included."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.api.times import Time, to_ns, to_span
from predsurv.core.errors import ConfigError
from predsurv.store.layout import NS_DAY

NOON = 1_800_014_400_000_000_000
MIDNIGHT = NOON - NS_DAY // 2


@pytest.mark.parametrize(
    "given_time",
    [
        NOON,
        datetime(2027, 1, 15, 12, tzinfo=UTC),
        datetime(2027, 1, 15, 12),  # noqa: DTZ001 - what this is about
        datetime(2027, 1, 15, 14, tzinfo=timezone(timedelta(hours=2))),
        "2027-01-15T12:00",
        "2027-01-15 12:00:00+00:00",
    ],
)
def test_a_point_in_time_is_utc(given_time: Time) -> None:
    assert to_ns(given_time) == NOON


def test_a_day_is_its_beginning_and_as_an_end_all_of_it() -> None:
    for day in (date(2027, 1, 15), "2027-01-15"):
        assert to_ns(day) == MIDNIGHT
        span = to_span(day, day)
        assert (span.start, span.end) == (MIDNIGHT, MIDNIGHT + NS_DAY)
    assert to_span("2027-01-15", "2027-01-15T12:00").end == NOON


def test_what_is_no_time_and_what_is_no_span_are_told() -> None:
    with pytest.raises(ConfigError, match="expected a time such as 2026-01-31T12:00; got 'noon'"):
        to_ns("noon")
    for start, end in ((NOON, NOON), ("2027-01-16", "2027-01-15")):
        with pytest.raises(ConfigError, match="the end is not after the start"):
            to_span(start, end)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001 - hypothesis wants them so
def test_microseconds_are_exact(moment: datetime) -> None:
    assert datetime.fromtimestamp(0, UTC) + timedelta(microseconds=to_ns(moment) // 1_000) == moment.replace(tzinfo=UTC)
    assert to_ns(moment) % 1_000 == 0


@pytest.mark.parametrize(
    "absurd",
    [
        0,
        1_800_014_400,
        1_800_014_400_000,
        -1,
        1 << 80,
        "0001-01-01",
        "9999-12-31",
        date(1969, 1, 1),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_time_that_cannot_be_meant_is_one_clear_error(absurd: Time) -> None:
    """Seconds or milliseconds in place of ns, above all: an empty frame would look like a day without data."""
    with pytest.raises(ConfigError, match="a time from 2000 to 2099 is expected, as a number in whole ns"):
        to_ns(absurd)
    with pytest.raises(ConfigError, match="a time from 2000"):
        to_span(absurd, absurd)
