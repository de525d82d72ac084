"""One pair on the terminal: two columns of any width, differences marked, nothing of a venue raw."""

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.cli.output.mapping_review import ReviewPair, page
from predsurv.mapping.candidate_file import QueuedPair
from predsurv.mapping.findings import Finding
from tests.kit.mapping_universes import market

CLOSE = "2026-12-31T00:00:00Z"


def pair(rules: str = "If it ends by noon ET.", other: str = "If it ends by noon PT.") -> ReviewPair:
    first = market("kalshi", "KX-1", "Will it end?", rules, CLOSE)
    second = market("polymarket", "0x1", "Does it end?", other, CLOSE)
    evidence = (Finding("cutoff", "conflict", "17:00 UTC", "20:00 UTC"), Finding("void", "absent"))
    titles = (first.question, second.question)
    return ReviewPair(
        QueuedPair(
            "kalshi", "KX-1", titles[0], "polymarket", "0x1", titles[1], "related", 0.5, 1, "", evidence, (), "", ""
        ),
        first,
        second,
    )


@pytest.mark.parametrize("width", [40, 80, 133])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = "an unbroken" + "x" * 300 + " 漢字" * 50
    lines = page(pair(long, "short"), width)
    assert max(line.cell_len for line in lines) <= width


def test_words_that_only_one_text_has_are_marked() -> None:
    lines = page(pair(), 80)
    marked = {
        line.plain[span.start : span.end].strip()
        for line in lines
        for span in line.spans
        if "yellow" in str(span.style)
    }
    assert {"ET.", "PT.", "Will", "Does"} <= marked
    assert not {"noon", "end?"} & marked


def test_evidence_is_shown_where_there_is_any() -> None:
    text = "\n".join(line.plain for line in page(pair(), 80))
    assert "conflict cutoff: 17:00 UTC | 20:00 UTC" in text
    assert "void" not in text


@given(st.text(max_size=200))
def test_nothing_of_a_venue_is_raw(text: str) -> None:
    for line in page(pair(f"\x1b]0;owned\x07{text}", "\x1b[31mred\u202e"), 80):
        assert not {category(each) for each in line.plain} & {"Cc", "Cs", "Zl", "Zp"}
        assert "\x1b" not in line.plain
        assert "\u202e" not in line.plain
