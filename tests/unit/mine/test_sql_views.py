"""When names are joined, and how text becomes SQL."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.sql_views import literal, mentions_names


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT * FROM trades", True),
        ("select Question from trades", True),
        ("select i.market_id from INSTRUMENTS i", True),
        ("select count(size) from trades", False),
        ("select questions from x", False),
    ],
)
def test_names_are_joined_where_a_query_can_ask_for_them(query: str, named: bool) -> None:
    assert mentions_names(query) is named


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_literal_is_the_text_itself(text: str) -> None:
    assert duckdb.execute(f"SELECT {literal(text)}").fetchone() == (text,)
