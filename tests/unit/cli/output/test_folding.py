"""Text in rows of a terminal: nothing is lost, nothing is wider, and addresses stay readable."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from predsurv.cli.output.folding import folded, folded_cell


@given(st.lists(st.text("aé ж字", min_size=1, max_size=12), max_size=20), st.integers(12, 60), st.integers(0, 11))
def test_a_long_line_is_folded_between_words(words: list[str], width: int, hang: int) -> None:
    line = " ".join(words)
    rows = folded(line, width, hang).split("\n")
    assert " ".join(rows).split() == line.split(), "nothing is lost, cut or moved"
    assert all(row.startswith(" " * hang) for row in rows[1:])
    assert all(cell_len(row) <= width or len(row.split()) == 1 for row in rows)
    if cell_len(line) <= width:
        assert rows == [line.rstrip()]


@given(st.lists(st.text("aЖｗ/._-", min_size=1, max_size=40), max_size=12), st.integers(2, 40))
def test_a_cell_is_never_wider_and_loses_nothing_but_spaces(words: list[str], width: int) -> None:
    rows = folded_cell(" ".join(words), width).split("\n")
    assert max(map(cell_len, rows)) <= width
    assert "".join(rows).replace(" ", "") == "".join(words)


def test_a_long_word_is_broken_behind_punctuation_and_a_short_one_stays_whole() -> None:
    assert folded_cell("config/surveillance.toml", 19).split("\n") == ["config/", "surveillance.toml"]
    assert folded_cell("a well-known host", 12).split("\n") == ["a well-known", "host"]
    assert folded_cell("x" * 7, 3).split("\n") == ["xxx", "xxx", "x"]
    assert folded_cell("", 5) == ""


def test_a_number_keeps_its_unit() -> None:
    assert folded("score: 20 % activity, 15 % depth", 22, 0).split("\n") == ["score: 20 % activity,", "15 % depth"]
    assert folded("waited for 5 s, then 20 ms", 14, 0).split("\n") == ["waited for", "5 s, then", "20 ms"]
    assert folded_cell("at 20 markets", 8).split("\n") == ["at 20", "markets"]
