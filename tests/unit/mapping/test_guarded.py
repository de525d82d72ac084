"""The guard of a pattern hides none of its matches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mapping.guarded import GuardedPattern, literals_of
from predsurv.mapping.rule_terms import SOURCES

WORDS = [
    "nba",
    "the ",
    "the nba",
    "weather.gov",
    "a",
    "reported",
    "bls",
    "bea",
    " ",
    "ap,",
    "outs",
    "out",
    "nominee",
    "x",
]
PATTERNS = [
    *SOURCES.values(),
    r"\bouts?\b|\bnomin\w+",
    r"\bw[io]ns?\b|\bx\b",
    r"\b(?:a|b)c|\bout",
    r"\b(?:the )?(?:nba|bls)",
    r"(?<!the )\bnba",
]


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        (r"\bnomin\w+|\bprimary\b", ("nomin", "primary")),
        (r"\bouts?\b", ("out",)),
        (r"\bweather\.gov\b", ("weather.gov",)),
        (r"\bw[io]ns?\b|\bchampions?\b", ()),
        (r"\b(?:the )?nba\b", ("nba",)),
        (r"\b(?:reach(?:es)?|hits?)\b(?! piece)", ("reach", "hit")),
        (r"(?<!or )\blowers?\b", ("lower",)),
        (r"\b(?:2nd|[1-4]th)\b", ()),
        (r"a|bcd", ()),
    ],
)
def test_the_literals_are_those_that_every_match_begins_with(pattern: str, literals: tuple[str, ...]) -> None:
    assert literals_of(pattern) == literals


@given(st.sampled_from(PATTERNS), st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=8).map("".join))
def test_a_guarded_pattern_finds_what_the_pattern_finds(pattern: str, text: str) -> None:
    assert GuardedPattern(pattern).found_in(text) == (re.search(pattern, text) is not None)
