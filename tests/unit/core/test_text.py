"""Nothing a venue writes can drive a terminal, forge a log line or leave a folder."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.text import REPLACEMENT, path_component, sanitise, sanitise_middle

HOSTILE = [
    "\x1b]52;c;aGk=\x07 clipboard",
    "\x1b[2Jcleared",
    "line\nforged\r\n",
    "\u202egnp.exe",
    "\u2066isolate\u2069",
    "nul\x00",
    "\x9b31m C1",
    "lone \ud800 surrogate",
    "zero\u200bwidth\ufeff",
    "sep\u2028ara\u2029tor",
    "tag\U000e0041",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_controls_become_the_replacement_character(text: str) -> None:
    clean = sanitise(text)
    assert REPLACEMENT in clean
    assert all(unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"} for char in clean)


@given(st.text(alphabet=st.characters(codec=None), max_size=600))
def test_output_is_printable_bounded_and_stable(text: str) -> None:
    clean = sanitise(text, limit=100)
    assert len(clean) <= 100
    assert sanitise(clean, limit=100) == clean
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in clean)


def test_a_long_title_is_cut_visibly() -> None:
    assert sanitise("a" * 20, limit=10) == "a" * 9 + "…"
    assert sanitise("a" * 10, limit=10) == "a" * 10


def test_plain_names_stay_readable() -> None:
    assert path_component("kalshi") == "kalshi"


@pytest.mark.parametrize("name", [".", "..", "a/b", "", "x" * 300, "A", "nul\x00", "é", "\ud800"])
def test_other_names_become_a_digest(name: str) -> None:
    component = path_component(name)
    assert component.startswith("h_")
    assert len(component) == 34


@given(st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=20, unique=True))
def test_different_names_never_share_a_path(names: list[str]) -> None:
    folded = {path_component(name).casefold() for name in names}
    assert len(folded) == len(names)


@given(st.text(max_size=60), st.integers(5, 40))
def test_the_middle_is_cut_and_both_ends_are_safe(text: str, limit: int) -> None:
    shown = sanitise_middle(text, limit)
    assert len(shown) == min(len(text), limit)
    assert shown == sanitise(shown)
    if len(text) > limit:
        assert shown[-2] == sanitise(text[-2])
        assert shown[0] == sanitise(text[0])
        assert "…" in shown
    else:
        assert shown == sanitise(text)
