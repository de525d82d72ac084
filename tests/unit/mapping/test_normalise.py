"""One spelling of what venues write: what goes, what stays, and editions of awards as years."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mapping.normalise import normalise, words


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Will  “DeBÍ TiRAR” win?", 'will "debi tirar" win?'),
        ("Above −25 bps – by Jan 1", "above -25 bps - by jan 1"),
        ("45–46° or ≥ 47°", "45-46° or >= 47°"),
        ("Best Actor at the 98th Academy Awards", "best actor at the 2026 academy awards"),
        ("68th Annual GRAMMY Awards", "2026 grammy awards"),
        ("83rd Golden Globes", "2026 golden globes"),
        ("77th Primetime Emmy Awards", "2025 primetime emmy awards"),
        ("48th president", "48th president"),
    ],
)
def test_a_text_is_folded_and_an_edition_of_an_award_is_its_year(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("who wins the f1 race", ("who", "win", "f1", "race")),
        ("formula one champion", ("f1", "win")),
        ("gdp in q4", ("gdp", "q4")),
        ("a 25bps cut", ("25", "bps", "cut")),
        ("the federal reserve's rates", ("fed", "rate")),
    ],
)
def test_words_are_canonical_and_codes_stay_whole(text: str, found: tuple[str, ...]) -> None:
    assert words(text) == tuple(each for each in found if each != "who")


@given(st.text(max_size=300))
def test_whatever_a_venue_sends_becomes_words(text: str) -> None:
    once = normalise(text)
    assert once == once.strip()
    assert "  " not in once
    assert all(words(once))
