"""Thresholds and buckets in texts, and that nothing makes the reading of a market fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import MICROS
from predsurv.mapping import intervals
from predsurv.mapping.intervals import Interval
from predsurv.mapping.matching import word_weights
from predsurv.mapping.normalise import normalise
from predsurv.mapping.quantities import Unit, quantities
from predsurv.mapping.relation import compare
from predsurv.mapping.terms import Listing, read_terms


def m(value: float) -> int:
    return round(value * MICROS)


@pytest.mark.parametrize(
    ("text", "interval", "unit"),
    [
        ("Above 90", intervals.above(m(90)), "count"),
        ("90 or above", intervals.at_least(m(90)), "count"),
        ("90+", intervals.at_least(m(90)), "count"),
        ("at least 90", intervals.at_least(m(90)), "count"),
        ("≥ 90", intervals.at_least(m(90)), "count"),
        ("< 40%", intervals.below(m(40)), "pct"),
        ("fewer than 40", intervals.below(m(40)), "count"),
        ("4.3% or lower", intervals.at_most(m(4.3)), "pct"),
        ("reach $150k", intervals.at_least(m(150_000)), "usd"),
        ("$1.5 million or more", intervals.at_least(m(1_500_000)), "usd"),
        ("dip to $80,000", intervals.at_most(m(80_000)), "usd"),
        ("above $99,999.99", intervals.at_least(m(100_000)), "usd"),
        ("cut 25 bps", intervals.between(m(0.25), m(0.25)), "pct"),
        ("more than 25bps", intervals.above(m(0.25)), "pct"),
        ("-50 bps", intervals.between(m(-0.5), m(-0.5)), "pct"),
        ("45-46°F", intervals.between(m(45), m(46)), "degree"),
        ("between 41.0% and 41.4%", intervals.between(m(41), m(41.4)), "pct"),
        ("6,400 to 6,599.99", Interval(2 * m(6_400), 2 * m(6_600)), "count"),
        ("more than 40 days", intervals.above(m(40 * 86_400)), "time"),
    ],
)
def test_what_a_text_asks_of_a_number(text: str, interval: Interval, unit: Unit) -> None:
    (found,) = quantities(normalise(text))
    assert (found.interval, found.unit) == (interval, unit)


@pytest.mark.parametrize(
    "text", ["Super Bowl 60", "the 2025-26 season", "in 2030", "S&P 500", "map 2", "FaZe (-1.5)", "x" * 99]
)
def test_a_name_with_a_number_asks_for_nothing(text: str) -> None:
    assert quantities(normalise(text)) == ()


def test_a_number_alone_counts_where_nothing_else_can_be_meant() -> None:
    assert quantities("25") == ()
    (found,) = quantities("25", bare=True)
    assert found.interval == intervals.between(m(25), m(25))


_PIECES = st.sampled_from(
    [
        "Jan 1 - ",
        "by ",
        "before 2027",
        "$",
        "-",
        "1,000.5",
        "k",
        "or more",
        "between ",
        " and ",
        "%",
        "°F",
        "Q9 2026",
        "99999999999999999",
    ]
)


@given(st.lists(_PIECES | st.text(max_size=8), max_size=12).map("".join), st.text(max_size=60))
def test_no_text_makes_reading_or_comparing_fail(text: str, other: str) -> None:
    one = read_terms(Listing("kalshi", text or "K", text, other, other, close=10**18))
    two = read_terms(Listing("polymarket", "0x1", other, rules=text, reference=text))
    compare(one, two, word_weights([one, two]))
    compare(two, one, word_weights([one, two]))
