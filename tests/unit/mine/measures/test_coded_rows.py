"""Runs of rows of one instrument: whether or not their ids are compared letter by letter, parts joined or left out."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.mine.measures.coded_rows import CodedRows, text_runs

IMPLEMENTATIONS = [False] if native.speedups is None else [False, True]
LONG = "an id that is too long to stand beside its length "
TEXTS = st.lists(st.sampled_from(["", "a", "b", LONG + "a", LONG + "b"]), max_size=20)
IDS = pl.Enum(["a", "b", "c", "d"])


def rows(names: str) -> pl.DataFrame:
    return pl.DataFrame({"instrument_id": list(names), "row": range(len(names))}, schema_overrides={"row": pl.Int64})


@pytest.mark.parametrize("by_c", IMPLEMENTATIONS)
@settings(max_examples=30)
@given(texts=TEXTS, cut=st.integers(0, 20))
def test_runs_are_those_of_equal_texts(by_c: bool, texts: list[str], cut: int) -> None:
    two_chunks = pl.concat([pl.Series(texts[:cut], dtype=pl.String), pl.Series(texts[cut:], dtype=pl.String)])
    for column in (two_chunks, two_chunks.rechunk(), pl.Series(["x", *texts], dtype=pl.String)[1:]):
        found = text_runs(column, by_c=by_c)
        assert found.texts.gather(found.lengths.to_frame("n").select(repeated()).to_series()).to_list() == texts
        assert not (found.texts == found.texts.shift(1)).any()
        assert found.lengths.dtype == pl.Int64


def repeated() -> pl.Expr:
    return pl.int_range(pl.len()).repeat_by(pl.col("n")).explode(empty_as_null=False)


@pytest.mark.parametrize("by_c", IMPLEMENTATIONS)
def test_texts_that_lie_in_two_places_are_one_run(by_c: bool) -> None:
    column = pl.concat([pl.Series([LONG, LONG]), pl.Series([LONG, LONG + "b"]), pl.Series([LONG + "b"])])
    assert text_runs(column, by_c=by_c).lengths.to_list() == [3, 2]


@pytest.mark.parametrize("by_c", IMPLEMENTATIONS)
def test_a_text_that_is_not_there_is_no_empty_one(by_c: bool) -> None:
    found = text_runs(pl.Series(["", None, None, "a"]), by_c=by_c)
    assert found.texts.to_list() == ["", None, "a"]
    assert found.lengths.to_list() == [1, 2, 1]


def test_rows_of_the_instruments_asked_for_are_kept() -> None:
    every = CodedRows.named(rows("aabddc"), IDS, 0, 4)
    assert (every.codes.to_list(), every.lengths.to_list()) == ([0, 1, 3, 2], [2, 1, 2, 1])
    some = CodedRows.named(rows("aabxddc"), IDS, 1, 3)
    assert some.frame().rows() == [(2, 1), (6, 2)]
    assert CodedRows.named(rows(""), IDS, 0, 4).frame().is_empty()


def test_parts_are_joined_in_their_order() -> None:
    parts = [CodedRows.named(rows(names), IDS, 0, 4) for names in ("aab", "cd")]
    assert CodedRows.joined(parts[:1]) is parts[0]
    assert CodedRows.joined(parts).frame().rows() == [(0, 0), (1, 0), (2, 1), (0, 2), (1, 3)]


def test_rows_that_are_backwards_are_sorted_and_those_of_one_moment_stay() -> None:
    given_rows = pl.DataFrame({"code": [1, 0, 0, 0], "ts_recv": [5, 9, 7, 7], "row": [0, 1, 2, 3]})
    found = CodedRows.of(given_rows).sorted()
    assert found.codes.to_list() == [0, 1]
    assert found.rows["row"].to_list() == [2, 3, 1, 0]
